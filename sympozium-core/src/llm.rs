//! The seam to a model: [`LlmProvider`], its [`Capabilities`], and [`LlmError`].
//!
//! Must not know any wire format; adapters live in `sympozium-llm` or in crates of their own.

use crate::chat::{ChatEvent, ChatRequest, ChatResponse};
use crate::error::{BoxError, Classify, Retry};
use crate::ids::ProviderName;
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::time::Duration;

/// A streamed answer. Dropping it cancels the call.
pub type ChatStream = BoxStream<'static, Result<ChatEvent, LlmError>>;

/// A model provider.
///
/// Stateless: the whole conversation travels in each request. An implementation makes **one** attempt per call and
/// classifies what went wrong; retrying, deadlines and metering are the caller's (the gateway's). Dropping the future
/// or the stream cancels the call.
#[async_trait]
pub trait LlmProvider: Send + Sync {
    /// The name under which it was set up.
    fn name(&self) -> &ProviderName;

    /// What it can do, as data.
    fn capabilities(&self) -> Capabilities;

    /// One model turn, streamed. A successful stream ends with [`ChatEvent::Done`].
    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError>;

    /// One model turn, whole. By default collects the stream.
    async fn chat(&self, request: ChatRequest) -> Result<ChatResponse, LlmError> {
        use futures::StreamExt;
        let mut stream = self.stream(request).await?;
        let mut answer = crate::chat::Accumulator::default();
        while let Some(event) = stream.next().await {
            answer.push(&event?);
        }
        answer.finish().ok_or(LlmError::Interrupted {
            detail: "the stream ended before the answer was complete".to_owned(),
        })
    }
}

/// What a provider can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It can be given tools.
    pub tools: bool,
    /// It shows or accepts reasoning.
    pub thinking: bool,
    /// Tokens that fit into its window, input and output together; `None` when unknown.
    pub context_window: Option<u32>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            tools: true,
            thinking: false,
            context_window: None,
        }
    }
}

/// Why a model call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LlmError {
    /// The provider refused the key (401, 403).
    #[error("the provider refused the key: {detail}")]
    Authentication {
        /// The provider's words.
        detail: String,
    },
    /// The provider refused the request itself (400, 404, 422).
    #[error("the provider refused the request ({status}): {detail}")]
    BadRequest {
        /// HTTP status.
        status: u16,
        /// The provider's words.
        detail: String,
    },
    /// The conversation is longer than the model's window.
    #[error("the conversation does not fit into the model's window: {detail}")]
    ContextLength {
        /// The provider's words.
        detail: String,
    },
    /// Too many requests or tokens (429).
    #[error("the provider asks to slow down: {detail}")]
    RateLimited {
        /// When to try again, if it said so.
        after: Option<Duration>,
        /// The provider's words.
        detail: String,
    },
    /// The account has no credit left (a 429 or 402 that no waiting cures).
    #[error("the provider's account is exhausted: {detail}")]
    QuotaExhausted {
        /// The provider's words.
        detail: String,
    },
    /// The provider is overloaded or broken (5xx, 529).
    #[error("the provider is unavailable ({status}): {detail}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// When to try again, if it said so.
        after: Option<Duration>,
        /// The provider's words.
        detail: String,
    },
    /// No connection could be made, or it broke before an answer began.
    #[error("could not reach the provider at {url}")]
    Connect {
        /// Where to (without query and credentials).
        url: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The answer broke off in the middle, or an error came inside the stream.
    #[error("the provider's answer broke off: {detail}")]
    Interrupted {
        /// What was seen.
        detail: String,
    },
    /// The answer made no sense in the provider's own protocol.
    #[error("the provider's answer could not be understood: {detail}")]
    Protocol {
        /// What was wrong.
        detail: String,
    },
    /// It took longer than allowed.
    #[error("the provider did not answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The connector refused the address.
    #[error("the address of {url} is not allowed: {detail}")]
    AddressRefused {
        /// Where to.
        url: String,
        /// Which rule.
        detail: String,
    },
    /// The model is not to be used, or a budget is exhausted; said by the gateway.
    #[error("{detail}")]
    Refused {
        /// The kind of refusal, a problem type such as `budget-exhausted`.
        kind: &'static str,
        /// One sentence for people.
        detail: String,
    },
    /// The run was cancelled.
    #[error("the call was cancelled")]
    Cancelled,
}

impl Classify for LlmError {
    fn retry(&self) -> Retry {
        match self {
            Self::RateLimited {
                after: Some(after), ..
            }
            | Self::Unavailable {
                after: Some(after), ..
            } => Retry::After(*after),
            Self::RateLimited { after: None, .. }
            | Self::Unavailable { after: None, .. }
            | Self::Connect { .. }
            | Self::Interrupted { .. }
            | Self::Protocol { .. }
            | Self::Timeout { .. } => Retry::Backoff,
            Self::Authentication { .. }
            | Self::BadRequest { .. }
            | Self::ContextLength { .. }
            | Self::QuotaExhausted { .. }
            | Self::AddressRefused { .. }
            | Self::Refused { .. }
            | Self::Cancelled => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Authentication { .. } => "authentication",
            Self::BadRequest { .. } => "bad-request",
            Self::ContextLength { .. } => "context-length",
            Self::RateLimited { .. } => "rate-limited",
            Self::QuotaExhausted { .. } => "quota-exhausted",
            Self::Unavailable { .. } => "unavailable",
            Self::Connect { .. } => "connect",
            Self::Interrupted { .. } => "interrupted",
            Self::Protocol { .. } => "protocol",
            Self::Timeout { .. } => "timeout",
            Self::AddressRefused { .. } => "address-refused",
            Self::Refused { kind, .. } => kind,
            Self::Cancelled => "cancelled",
        }
    }
}
