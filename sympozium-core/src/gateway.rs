//! The wire between a run and its gateway, as types. No HTTP in here.
//!
//! | Method and path | Request | Answer |
//! | --- | --- | --- |
//! | `GET /v1/run` | – | [`RunInput`] |
//! | `POST /v1/chat` | [`TurnRequest`] | server-sent events: [`GatewayEvent`] |
//! | `POST /v1/chat/completions` | OpenAI's | OpenAI's |
//! | `POST /v1/fetch` | [`FetchRequest`] | [`FetchResponse`] |
//! | `CONNECT host:port` | – | bytes, for skills alone |
//!
//! Every other answer is a [`Problem`] (RFC 9457, `application/problem+json`).

use crate::chat::{ChatEvent, Message, Shorten, ThinkingEffort, ToolChoice, ToolSpec};
use crate::ids::{InstanceRef, ModelName, PackName, ProviderName};
use crate::policy::ToolGate;
use crate::run::{ReplyTo, RunRef};
use crate::skill::TypedTool;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The header that names a step: `Idempotency-Key`. Absent = a new step, which is never replayed.
pub const STEP_HEADER: &str = "idempotency-key";

/// What a runner is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInput {
    /// Which run.
    pub run: RunRef,
    /// Whose.
    pub instance: InstanceRef,
    /// The task.
    pub task: String,
    /// The author's instructions; `None` = the built-in ones.
    pub system_prompt: Option<String>,
    /// Number and rough size of the earlier messages that the gateway puts before this run's own.
    pub history: HistorySize,
    /// What gates its tools.
    pub gate: ToolGate,
    /// The provider, for display.
    pub provider: ProviderName,
    /// The model, for display.
    pub model: ModelName,
    /// How much to think.
    pub thinking: ThinkingEffort,
    /// Tokens that fit into the model's window; `None` when unknown.
    pub context_window: Option<u32>,
    /// How many milliseconds are left for it.
    pub remaining_ms: u64,
    /// How many model turns it may take.
    pub max_turns: u32,
    /// Where commands can run: the packs with a sidecar, and `sandbox` when there is one.
    pub targets: Vec<PackName>,
    /// The packs' typed tools.
    pub typed_tools: Vec<TargetedTool>,
    /// Cap of the memory in bytes, when it is on.
    pub memory_max_bytes: Option<u32>,
    /// Where the answer goes, when the task came from a chat.
    pub reply_to: Option<ReplyTo>,
}

/// A typed tool and the pack that runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetedTool {
    /// The pack.
    pub target: PackName,
    /// The tool.
    pub tool: TypedTool,
}

/// How much came before this run in its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySize {
    /// Messages.
    pub messages: u32,
    /// Bytes of their JSON form.
    pub bytes: u64,
}

/// One model turn of a run. Only what is new travels: the gateway holds the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRequest {
    /// How many messages of this run the gateway has already (model answers included).
    pub base: u32,
    /// The messages that follow them.
    pub messages: Vec<Message>,
    /// The whole system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The tools that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it has to.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Old tool output to cut for this and later turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorten: Option<Shorten>,
    /// The most output tokens; the gateway may lower it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

/// A server-sent event of `POST /v1/chat`. The SSE event name is the variant's name; the data its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "lowercase")]
pub enum GatewayEvent {
    /// A piece of the answer. [`ChatEvent::Done`] comes only after the answer was stored.
    Chat(ChatEvent),
    /// The provider failed and is asked again; what was streamed of this turn is void.
    Retry(RetryNotice),
    /// The turn failed; nothing follows.
    Problem(Problem),
}

/// A failed attempt that is being repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetryNotice {
    /// Which attempt failed, from 1.
    pub attempt: u32,
    /// How long until the next one.
    pub after_ms: u64,
    /// Why, in one sentence.
    pub detail: String,
}

/// A web page to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchRequest {
    /// `http` or `https`, without credentials in it.
    pub url: String,
    /// Extra request headers. `Host`, `Authorization`-like and hop-by-hop ones are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Characters of text to return. Default 50,000, at most 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u32>,
}

/// A fetched web page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchResponse {
    /// Where it came from, after redirects.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// Its text; HTML is turned into plain text.
    pub text: String,
    /// Characters that were left out at the end.
    pub cut_chars: u64,
}

/// What went wrong, in the terms of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:sympozium:problem:<kind>`.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// A short, fixed phrase for the kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One sentence on this occurrence: what and, where one can, what to do.
    pub detail: String,
    /// The policy that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The rule in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// When to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    /// A problem of that kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            policy: None,
            rule: None,
            retry_after_ms: None,
        }
    }
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $text:literal $status:literal $title:literal),* $(,)?) => {
        /// The documented kinds of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemKind {
            $($(#[$doc])* #[serde(rename = $text)] $name),*
        }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The whole `type`.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// The fixed phrase.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

problems! {
    /// The request is not understood.
    BadRequest "urn:sympozium:problem:bad-request" 400 "The request is not valid",
    /// The conversation is longer than the model's window.
    ContextLength "urn:sympozium:problem:context-length" 400 "The conversation is too long for the model",
    /// The caller is not known.
    Unauthenticated "urn:sympozium:problem:unauthenticated" 401 "The caller is not known",
    /// The run has ended.
    RunEnded "urn:sympozium:problem:run-ended" 403 "The run has ended",
    /// The run is not allowed to use this model.
    ModelNotAllowed "urn:sympozium:problem:model-not-allowed" 403 "The model is not allowed",
    /// The address is not allowed.
    EgressRefused "urn:sympozium:problem:egress-refused" 403 "The address is not allowed",
    /// A policy forbids it.
    PolicyRefused "urn:sympozium:problem:policy-refused" 403 "A policy forbids it",
    /// There is no such path or thing.
    NotFound "urn:sympozium:problem:not-found" 404 "There is no such thing",
    /// Another request was made under this step, or the conversation does not continue what is stored.
    StepConflict "urn:sympozium:problem:step-conflict" 409 "The step holds another request",
    /// The request is larger than allowed.
    TooLarge "urn:sympozium:problem:too-large" 413 "The request is too large",
    /// A budget is used up.
    BudgetExhausted "urn:sympozium:problem:budget-exhausted" 429 "The budget is used up",
    /// The provider asks to slow down, and the retries are used up.
    RateLimited "urn:sympozium:problem:rate-limited" 429 "The provider asks to slow down",
    /// A fault of ours.
    Internal "urn:sympozium:problem:internal" 500 "The gateway failed",
    /// The provider can't be reached, is overloaded, or answered nonsense.
    ProviderUnavailable "urn:sympozium:problem:provider-unavailable" 502 "The provider is unavailable",
    /// The provider refused our key or the request.
    ProviderRefused "urn:sympozium:problem:provider-refused" 502 "The provider refused the request",
    /// What was to be fetched could not be had.
    FetchFailed "urn:sympozium:problem:fetch-failed" 502 "The page could not be fetched",
    /// The run is not known yet; try again.
    RunNotReady "urn:sympozium:problem:run-not-ready" 503 "The run is not ready",
    /// This gateway is stopping and begins nothing; another one, or the next one, will.
    Stopping "urn:sympozium:problem:stopping" 503 "The gateway is stopping",
    /// The store does not answer, and nothing is done without it.
    StoreUnavailable "urn:sympozium:problem:store-unavailable" 503 "The store is unavailable",
    /// It took longer than allowed.
    Timeout "urn:sympozium:problem:timeout" 504 "It took too long",
}
