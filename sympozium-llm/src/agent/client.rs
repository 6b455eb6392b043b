//! Who carries out a model turn: [`ModelClient`]; and [`ProviderClient`], which asks a provider directly.

use super::ModelCall;
use crate::retry::{RetryPolicy, next_delay};
use async_trait::async_trait;
use futures::StreamExt;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{
    Accumulator, ChatEvent, ChatRequest, ChatResponse, Message, ThinkingEffort, ToolSpec, shorten_tool_output,
};
use sympozium_core::error::{Classify, Retry};
use sympozium_core::gateway::RetryNotice;
use sympozium_core::ids::ModelName;
use sympozium_core::llm::{LlmError, LlmProvider};

/// One model turn, with all that a client may need to ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The step: what is new, and how to ask.
    pub call: &'a ModelCall,
    /// All messages of the run, those of `call` included.
    pub messages: &'a [Message],
    /// The system prompt.
    pub system: Option<&'a str>,
    /// The tools that the model is told about.
    pub tools: &'a [ToolSpec],
}

/// A piece of a turn, as it comes.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEvent {
    /// A piece of the answer.
    Chat(ChatEvent),
    /// The model is asked again; the pieces so far are void.
    Retry(RetryNotice),
}

/// Takes the pieces of a turn.
pub type TurnEvents<'a> = &'a mut (dyn FnMut(TurnEvent) + Send);

/// Carries out model turns. Retries are its own; an error is final. Dropping the future cancels the call.
#[async_trait]
pub trait ModelClient: Send + Sync {
    /// Asks, hands out the pieces, and returns the whole answer.
    async fn turn(&self, turn: Turn<'_>, events: TurnEvents<'_>) -> Result<ChatResponse, LlmError>;
}

/// Asks an [`LlmProvider`] directly, without a gateway.
#[derive(Clone)]
pub struct ProviderClient {
    provider: Arc<dyn LlmProvider>,
    template: ChatRequest,
    attempts: u32,
}

/// Attempts per turn. Together with the pauses between them about ten seconds of an outage are bridged.
const ATTEMPTS: u32 = 5;
/// The longest pause of our own.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

impl ProviderClient {
    /// Asks that provider for that model.
    pub fn new(provider: Arc<dyn LlmProvider>, model: ModelName) -> Self {
        Self {
            provider,
            template: ChatRequest::new(model),
            attempts: ATTEMPTS,
        }
    }

    /// How much the model should think.
    #[must_use]
    pub fn thinking(mut self, effort: ThinkingEffort) -> Self {
        self.template.thinking = effort;
        self
    }

    /// The most output tokens of a turn.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.template.max_tokens = Some(tokens);
        self
    }

    fn request(&self, turn: &Turn<'_>) -> ChatRequest {
        let mut messages = turn.messages.to_vec();
        if let Some(rule) = turn.call.shorten {
            shorten_tool_output(&mut messages, rule);
        }
        ChatRequest {
            system: turn.system.map(str::to_owned),
            messages,
            tools: turn.tools.to_vec(),
            tool_choice: turn.call.tool_choice.clone(),
            ..self.template.clone()
        }
    }

    async fn attempt(
        &self,
        request: ChatRequest,
        events: &mut (dyn FnMut(TurnEvent) + Send),
    ) -> Result<ChatResponse, LlmError> {
        let mut stream = self.provider.stream(request).await?;
        let mut answer = Accumulator::default();
        while let Some(event) = stream.next().await {
            let event = event?;
            answer.push(&event);
            events(TurnEvent::Chat(event));
        }
        answer.finish().ok_or(LlmError::Interrupted {
            detail: "the stream ended before the answer was complete".to_owned(),
        })
    }
}

impl fmt::Debug for ProviderClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderClient")
            .field("provider", self.provider.name())
            .field("model", &self.template.model)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ModelClient for ProviderClient {
    async fn turn(&self, turn: Turn<'_>, events: TurnEvents<'_>) -> Result<ChatResponse, LlmError> {
        let request = self.request(&turn);
        let mut attempt = 1;
        loop {
            let error = match self.attempt(request.clone(), &mut *events).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(pause) = pause(error.retry(), attempt).filter(|_| attempt < self.attempts) else {
                return Err(error);
            };
            events(TurnEvent::Retry(RetryNotice {
                attempt,
                after_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                detail: sympozium_core::error::chain(&error),
            }));
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// How long to wait before the next attempt; `None` = there is none. How many there are is the caller's to bound.
pub(crate) fn pause(retry: Retry, attempt: u32) -> Option<Duration> {
    let policy = RetryPolicy {
        attempts: u32::MAX,
        cap: LONGEST_PAUSE,
        ..RetryPolicy::default()
    };
    next_delay(retry, attempt, &policy, fastrand::f64())
}
