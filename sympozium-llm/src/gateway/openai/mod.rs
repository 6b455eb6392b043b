//! `POST /v1/chat/completions` and `GET /v1/models`: the gateway for clients that speak OpenAI's Chat Completions.
//!
//! Only a translation: the turn itself is that of the native form. What the gateway can't honour is refused by name
//! rather than ignored. Wire types never leave this module.
//!
//! | Question | Where |
//! | --- | --- |
//! | what does the client want? | `request`, `fields`, pure |
//! | what does it get? | `answer`, `chunks`, pure |
//! | how does it learn what went wrong? | `error` |

mod answer;
mod chunks;
mod error;
mod fields;
mod models;
mod request;

pub(super) use models::{model, models};

use super::meter::OpenStream;
use super::routes::{Admitted, Door, first_event, json, step};
use super::turn::{Follower, Turn, TurnInput, start};
use answer::{Identity, completion};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chunks::Chunks;
use error::Refusal;
use futures::{Stream, stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use sympozium_core::chat::Accumulator;
use sympozium_core::gateway::{GatewayEvent, Problem, ProblemKind};
use sympozium_core::ids::derived_id;

/// How long a stream's first event is waited for before the stream begins without it. Until then a problem has its own
/// status, which clients turn into an error of its own kind.
const FIRST_EVENT: Duration = Duration::from_mins(1);

pub(super) async fn completions(State(door): State<Door>, request: Request) -> Response {
    complete(&door, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn complete(door: &Door, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let Admitted { plan, .. } = door.admit(&parts).await?;
    let (step, named) = step(&parts.headers)?;
    let limits = &door.gateway.inner.parts.limits;
    let wanted = request::understand(json(body, limits).await?, plan.model.thinking)?;
    let identity = Identity {
        id: derived_id(plan.run.uid, &step, 0),
        created: door.gateway.inner.parts.clock.now().as_second(),
        model: wanted.request.model.to_string(),
    };
    let turn = Turn {
        plan,
        step,
        named,
        input: TurnInput::Whole(wanted.request),
    };
    let mut follower = start(&door.gateway, turn)?;
    let Some(with_usage) = wanted.stream else {
        return Ok(Json(whole(follower, &identity).await?).into_response());
    };
    let first = first_event(&mut follower, FIRST_EVENT).await?;
    let keep_alive = KeepAlive::new().interval(limits.keep_alive);
    let events = events(first, follower, Chunks::new(identity, with_usage));
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// Waits for the whole answer.
async fn whole(mut follower: Follower, identity: &Identity) -> Result<serde_json::Value, Problem> {
    let mut answer = Accumulator::default();
    while let Some(event) = follower.next().await {
        match event {
            GatewayEvent::Chat(event) => answer.push(&event),
            // Nothing was passed on yet, so nothing is void.
            GatewayEvent::Retry(_) => {}
            GatewayEvent::Problem(problem) => return Err(problem),
        }
    }
    let broken = || Problem::new(ProblemKind::Internal, "The turn ended without an answer.");
    answer
        .finish()
        .map(|answer| completion(&answer, identity))
        .ok_or_else(broken)
}

/// The answer as chunks. Dropping the stream drops the follower, and not the turn.
fn events(
    first: Option<GatewayEvent>,
    follower: Follower,
    chunks: Chunks,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let open = OpenStream::begin();
    let state = (first, follower, chunks, VecDeque::<String>::new(), open);
    stream::unfold(
        state,
        |(mut first, mut follower, mut chunks, mut ready, open)| async move {
            loop {
                if let Some(data) = ready.pop_front() {
                    let rest = (first, follower, chunks, ready, open);
                    return Some((Ok(Event::default().data(data)), rest));
                }
                let event = match first.take() {
                    Some(event) => Some(event),
                    None => follower.next().await,
                };
                ready.extend(chunks.next(&event?));
            }
        },
    )
}
