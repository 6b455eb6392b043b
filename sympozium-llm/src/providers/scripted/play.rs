//! A turn of a script as events. Pure.

use super::expect;
use super::scenario::{Argument, Arguments, Call, Failure, FailureKind, Scenario, Turn};
use serde_json::{Map, Value};
use std::time::Duration;
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Message, Role, Usage};
use sympozium_core::ids::CallId;
use sympozium_core::llm::LlmError;

/// What a turn gives.
#[derive(Debug)]
pub(super) struct Played {
    /// To wait before anything.
    pub(super) delay: Duration,
    /// The call fails before anything is said.
    pub(super) refusal: Option<LlmError>,
    pub(super) steps: Vec<Step>,
}

/// An event, and how long to wait before it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) pause: Duration,
    pub(super) event: Result<ChatEvent, LlmError>,
}

/// Finds the turn by the number of answers in the conversation, and plays it.
pub(super) fn play(scenario: &Scenario, request: &ChatRequest) -> Result<Played, LlmError> {
    let is_answer = |message: &&Message| message.role == Role::Assistant;
    let index = request.messages.iter().filter(is_answer).count();
    let number = index.saturating_add(1);
    let Some(turn) = scenario.turns.get(index) else {
        let count = scenario.turns.len();
        let turns = if count == 1 { "turn" } else { "turns" };
        return Err(refused(format!(
            "the script has {count} {turns}, and the conversation asks for turn {number}"
        )));
    };
    let wrong = |phrase| refused(format!("turn {number} of the script {phrase}"));
    if let Some(expectation) = &turn.expect {
        expect::check(expectation, &request.messages).map_err(wrong)?;
    }
    let results: Vec<_> = request
        .messages
        .iter()
        .flat_map(Message::results)
        .map(|result| result.content.as_str())
        .collect();
    let said = say(turn, number, &results).map_err(wrong)?;
    Ok(played(turn, said, request))
}

fn refused(detail: String) -> LlmError {
    LlmError::BadRequest { status: 400, detail }
}

/// The parts of the answer, as events.
fn say(turn: &Turn, number: usize, results: &[&str]) -> Result<Vec<ChatEvent>, String> {
    let mut events = Vec::new();
    let mut index = 0;
    if let Some(thinking) = &turn.thinking {
        events.push(ChatEvent::ThinkingDelta {
            index,
            text: thinking.render(results)?,
            signature: None,
            redacted: None,
        });
        index += 1;
    }
    for piece in &turn.text {
        let text = piece.render(results)?;
        events.push(ChatEvent::TextDelta { index, text });
    }
    for (call, place) in turn.tool_calls.iter().zip(1u32..) {
        let id = CallId::new(format!("script-{number}-{place}")).map_err(|error| error.to_string())?;
        events.extend(call_events(call, id, index.saturating_add(place), results)?);
    }
    Ok(events)
}

fn call_events(call: &Call, id: CallId, index: u32, results: &[&str]) -> Result<[ChatEvent; 2], String> {
    let arguments = match &call.arguments {
        Arguments::Object(members) => Value::Object(object(members, results)?).to_string(),
        Arguments::Raw(text) => text.render(results)?,
    };
    let name = call.name.clone();
    Ok([
        ChatEvent::ToolCallStart { index, id, name },
        ChatEvent::ToolCallDelta { index, arguments },
    ])
}

fn object(members: &[(String, Argument)], results: &[&str]) -> Result<Map<String, Value>, String> {
    members
        .iter()
        .map(|(key, value)| Ok((key.clone(), argument(value, results)?)))
        .collect()
}

fn argument(value: &Argument, results: &[&str]) -> Result<Value, String> {
    Ok(match value {
        Argument::Text(template) => Value::String(template.render(results)?),
        Argument::List(items) => {
            let items = items.iter().map(|item| argument(item, results));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Argument::Object(members) => Value::Object(object(members, results)?),
        Argument::Plain(plain) => plain.clone(),
    })
}

fn played(turn: &Turn, said: Vec<ChatEvent>, request: &ChatRequest) -> Played {
    let (refusal, last) = match &turn.error {
        Some(failure) if said.is_empty() => (Some(error(failure)), None),
        Some(failure) => (None, Some(Err(error(failure)))),
        None => (None, Some(Ok(done(turn, &said, request)))),
    };
    let mut steps: Vec<Step> = said
        .into_iter()
        .map(|event| Step {
            pause: Duration::ZERO,
            event: Ok(event),
        })
        .chain(last.map(|event| Step {
            pause: Duration::ZERO,
            event,
        }))
        .collect();
    // The first piece comes at once; that is what `delay` is for.
    let is_text = |step: &&mut Step| matches!(step.event, Ok(ChatEvent::TextDelta { .. }));
    for step in steps.iter_mut().filter(is_text).skip(1) {
        step.pause = turn.pause;
    }
    Played {
        delay: turn.delay,
        refusal,
        steps,
    }
}

fn done(turn: &Turn, said: &[ChatEvent], request: &ChatRequest) -> ChatEvent {
    let told = if turn.tool_calls.is_empty() {
        FinishReason::Stop
    } else {
        FinishReason::ToolCalls
    };
    ChatEvent::Done {
        finish: turn.finish.unwrap_or(told),
        usage: Some(turn.usage.unwrap_or_else(|| Usage {
            input_tokens: tokens(request),
            output_tokens: tokens(&said),
            ..Usage::default()
        })),
        model: Some(request.model.to_string()),
    }
}

/// About as many as a model would count: one for four bytes.
fn tokens(of: &impl serde::Serialize) -> u64 {
    serde_json::to_vec(of).map_or(0, |json| json.len() as u64 / 4)
}

fn error(failure: &Failure) -> LlmError {
    let detail = failure.detail.clone();
    let after = failure.after;
    match failure.kind {
        FailureKind::Authentication => LlmError::Authentication { detail },
        FailureKind::BadRequest => refused(detail),
        FailureKind::ContextLength => LlmError::ContextLength { detail },
        FailureKind::RateLimited => LlmError::RateLimited { after, detail },
        FailureKind::QuotaExhausted => LlmError::QuotaExhausted { detail },
        FailureKind::Unavailable => LlmError::Unavailable {
            status: 503,
            after,
            detail,
        },
        FailureKind::Interrupted => LlmError::Interrupted { detail },
        FailureKind::Protocol => LlmError::Protocol { detail },
    }
}
