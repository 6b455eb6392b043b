//! What stands in a script. Strict: a field that is not known is an error.

use super::template::Template;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;
use sympozium_core::chat::{FinishReason, Usage};
use sympozium_core::ids::ToolName;

/// The longest delay or pause.
const LONGEST: Duration = Duration::from_mins(10);

/// A script: at least one turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawScenario")]
pub(super) struct Scenario {
    pub(super) turns: Vec<Turn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    turns: Vec<Turn>,
}

impl TryFrom<RawScenario> for Scenario {
    type Error = &'static str;

    fn try_from(raw: RawScenario) -> Result<Self, Self::Error> {
        if raw.turns.is_empty() {
            return Err("the script has no turn");
        }
        Ok(Self { turns: raw.turns })
    }
}

/// One answer of the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawTurn")]
pub(super) struct Turn {
    pub(super) expect: Option<Expectation>,
    pub(super) delay: Duration,
    pub(super) pause: Duration,
    pub(super) thinking: Option<Template>,
    pub(super) text: Vec<Template>,
    pub(super) tool_calls: Vec<Call>,
    pub(super) finish: Option<FinishReason>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTurn {
    expect: Option<Expectation>,
    delay: Option<Time>,
    pause: Option<Time>,
    thinking: Option<Template>,
    text: Option<List<Template>>,
    #[serde(default)]
    tool_calls: Vec<Call>,
    finish: Option<FinishReason>,
    usage: Option<Tokens>,
    error: Option<Failure>,
}

impl TryFrom<RawTurn> for Turn {
    type Error = &'static str;

    fn try_from(raw: RawTurn) -> Result<Self, Self::Error> {
        let text = raw.text.map_or_else(Vec::new, |list| list.0);
        if text.is_empty() && raw.thinking.is_none() && raw.tool_calls.is_empty() && raw.error.is_none() {
            return Err("the turn says nothing: it needs text, thinking, tool_calls or an error");
        }
        Ok(Self {
            expect: raw.expect,
            delay: raw.delay.map_or(Duration::ZERO, |time| time.0),
            pause: raw.pause.map_or(Duration::ZERO, |time| time.0),
            thinking: raw.thinking,
            text,
            tool_calls: raw.tool_calls,
            finish: raw.finish,
            usage: raw.usage.map(Usage::from),
            error: raw.error,
        })
    }
}

/// What the last message must be for the turn to be played.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    /// It answers a call of this tool.
    pub(super) tool_result_of: Option<ToolName>,
    /// It, or that result, contains these texts.
    #[serde(default)]
    pub(super) contains: List<String>,
}

/// A tool call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    pub(super) name: ToolName,
    #[serde(default)]
    pub(super) arguments: Arguments,
}

/// Arguments with templates in their texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Arguments {
    /// An object.
    Object(Vec<(String, Argument)>),
    /// What a model writes that gets its JSON wrong.
    Raw(Template),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Object(Vec::new())
    }
}

/// A value within arguments.
#[derive(Debug, Clone)]
pub(super) enum Argument {
    Text(Template),
    List(Vec<Argument>),
    Object(Vec<(String, Argument)>),
    /// A number, a truth value, or null.
    Plain(Value),
}

impl TryFrom<Value> for Arguments {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(Self::Object(members(object)?)),
            Value::String(text) => Ok(Self::Raw(Template::try_from(text)?)),
            Value::Null => Ok(Self::default()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                Err("arguments are an object, or a text for a model that gets its JSON wrong".to_owned())
            }
        }
    }
}

fn members(object: Map<String, Value>) -> Result<Vec<(String, Argument)>, String> {
    object
        .into_iter()
        .map(|(key, value)| Ok((key, argument(value)?)))
        .collect()
}

fn argument(value: Value) -> Result<Argument, String> {
    Ok(match value {
        Value::String(text) => Argument::Text(Template::try_from(text)?),
        Value::Array(items) => Argument::List(items.into_iter().map(argument).collect::<Result<_, _>>()?),
        Value::Object(object) => Argument::Object(members(object)?),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Argument::Plain(plain),
    })
}

/// Tokens that the answer claims to have used.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    input: u64,
    output: u64,
    #[serde(default)]
    cache_read: u64,
    #[serde(default)]
    cache_write: u64,
    #[serde(default)]
    reasoning: u64,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cache_read_tokens: tokens.cache_read,
            cache_write_tokens: tokens.cache_write,
            reasoning_tokens: tokens.reasoning,
        }
    }
}

/// An error that is played.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawFailure")]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) after: Option<Duration>,
    pub(super) detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFailure {
    kind: FailureKind,
    after: Option<Time>,
    detail: Option<String>,
}

impl TryFrom<RawFailure> for Failure {
    type Error = &'static str;

    fn try_from(raw: RawFailure) -> Result<Self, Self::Error> {
        let waits = matches!(raw.kind, FailureKind::RateLimited | FailureKind::Unavailable);
        if raw.after.is_some() && !waits {
            return Err("`after` goes with rate-limited and unavailable alone");
        }
        Ok(Self {
            kind: raw.kind,
            after: raw.after.map(|time| time.0),
            detail: raw.detail.unwrap_or_else(|| "the script says so".to_owned()),
        })
    }
}

/// The kinds of error that a provider can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FailureKind {
    Authentication,
    BadRequest,
    ContextLength,
    RateLimited,
    QuotaExhausted,
    Unavailable,
    Interrupted,
    Protocol,
}

/// A time such as `200ms`, `1.5s` or `1m 30s`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time of at most 10 minutes, such as 200ms or 1.5s");
        let time: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        let time = Duration::try_from(time).map_err(|_| wrong())?;
        if time > LONGEST {
            return Err(wrong());
        }
        Ok(Self(time))
    }
}

/// One thing, or a list of them.
#[derive(Debug, Clone)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let one = T::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(List(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(next) = seq.next_element()? {
                    many.push(next);
                }
                Ok(List(many))
            }
        }

        deserializer.deserialize_any(OneOrMany(std::marker::PhantomData))
    }
}
