//! `POST /v1/chat`: one turn as server-sent events.

use super::super::meter::{self, OpenStream};
use super::super::problem::Answer;
use super::super::turn::{Follower, Turn, TurnInput, start};
use super::{Admitted, Door, json, step};
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use std::convert::Infallible;
use std::time::Duration;
use sympozium_core::gateway::{GatewayEvent, Problem, ProblemKind};

pub(super) async fn post(State(door): State<Door>, request: Request) -> Response {
    chat(&door, request)
        .await
        .unwrap_or_else(|problem| Answer(problem).into_response())
}

async fn chat(door: &Door, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Admitted { plan, .. } = door.admit(&parts).await?;
    let (step, named) = step(&parts.headers)?;
    let limits = &door.gateway.inner.parts.limits;
    let input = TurnInput::Next(json(body, limits).await?);
    let mut follower = start(
        &door.gateway,
        Turn {
            plan,
            step,
            named,
            input,
        },
    )?;
    let first = first_event(&mut follower, limits.keep_alive).await?;
    let keep_alive = KeepAlive::new().interval(limits.keep_alive);
    Ok(Sse::new(events(first, follower))
        .keep_alive(keep_alive)
        .into_response())
}

/// The first event of a turn, if it comes within `wait`; a turn that begins with a problem is one.
///
/// Whoever waits here can still answer with a status of its own. A turn that ends without an event is a fault of ours.
pub(in super::super) async fn first_event(
    follower: &mut Follower,
    wait: Duration,
) -> Result<Option<GatewayEvent>, Problem> {
    match tokio::time::timeout(wait, follower.next()).await {
        Err(_) => Ok(None),
        Ok(Some(GatewayEvent::Problem(problem))) => Err(problem),
        Ok(Some(event)) => Ok(Some(event)),
        Ok(None) => Err(Problem::new(
            ProblemKind::Internal,
            "The turn ended without an answer.",
        )),
    }
}

/// The rest of a turn. Dropping the stream drops the follower, and not the turn.
fn events(first: Option<GatewayEvent>, follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    let open = OpenStream::begin();
    stream::unfold(
        (first, follower, open),
        |(first, mut follower, open)| async move {
            let event = match first {
                Some(event) => event,
                None => follower.next().await?,
            };
            Some((Ok(encode(&event)), (None, follower, open)))
        },
    )
}

fn encode(event: &GatewayEvent) -> Event {
    let (name, data) = match event {
        GatewayEvent::Chat(event) => ("chat", serde_json::to_string(event)),
        GatewayEvent::Retry(notice) => ("retry", serde_json::to_string(notice)),
        GatewayEvent::Problem(problem) => {
            meter::problem(problem.kind);
            ("problem", serde_json::to_string(problem))
        }
    };
    Event::default().event(name).data(data.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use sympozium_core::chat::{ChatEvent, FinishReason};
    use sympozium_core::gateway::RetryNotice;

    #[tokio::test]
    async fn events_travel_under_their_names_in_their_serde_form() {
        let all = vec![
            GatewayEvent::Chat(ChatEvent::TextDelta {
                index: 0,
                text: "a\nb".to_owned(),
            }),
            GatewayEvent::Retry(RetryNotice {
                attempt: 1,
                after_ms: 2,
                detail: "why".to_owned(),
            }),
            GatewayEvent::Problem(Problem::new(ProblemKind::Timeout, "late")),
            GatewayEvent::Chat(ChatEvent::Done {
                finish: FinishReason::Stop,
                usage: None,
                model: None,
            }),
        ];
        let stream = stream::iter(all.clone()).map(|event| Ok::<_, Infallible>(encode(&event)));
        let body = to_bytes(Sse::new(stream).into_response().into_body(), 10_000)
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let decoded: Vec<GatewayEvent> = text
            .split_terminator("\n\n")
            .map(|block| {
                let (event, data) = block.split_once("\ndata: ").unwrap();
                let data: serde_json::Value = serde_json::from_str(data).unwrap();
                let event = event.strip_prefix("event: ").unwrap();
                serde_json::from_value(serde_json::json!({"event": event, "data": data})).unwrap()
            })
            .collect();
        assert_eq!(decoded, all);
    }

    use futures::StreamExt;
}
