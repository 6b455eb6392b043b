//! A model provider that says what it was told to say.

use super::locked;
use crate::chat::{ChatEvent, ChatRequest, FinishReason, Usage};
use crate::ids::ProviderName;
use crate::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What one call of a [`FakeProvider`] gives.
#[derive(Debug)]
pub enum FakeAnswer {
    /// The call fails before anything is streamed.
    Error(LlmError),
    /// These events and errors, then the end of the stream.
    Events(Vec<Result<ChatEvent, LlmError>>),
    /// These events, and then nothing more, for ever: what a provider that hangs looks like.
    Hang(Vec<ChatEvent>),
}

impl FakeAnswer {
    /// A whole answer of one text: `input` and `output` are the tokens that it used.
    pub fn text(text: impl Into<String>, input: u64, output: u64) -> Self {
        let said = ChatEvent::TextDelta {
            index: 0,
            text: text.into(),
        };
        let done = ChatEvent::Done {
            finish: FinishReason::Stop,
            usage: Some(Usage {
                input_tokens: input,
                output_tokens: output,
                ..Usage::default()
            }),
            model: None,
        };
        Self::Events(vec![Ok(said), Ok(done)])
    }
}

/// A provider that gives canned answers in their order, one per call, and records what it was asked. A call for which
/// there is no answer left fails with [`LlmError::Protocol`].
///
/// ```
/// # use sympozium_core::{chat::*, ids::*, llm::LlmProvider, testing::{FakeAnswer, FakeProvider}};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let provider = FakeProvider::new(ProviderName::new("fake").unwrap(), [FakeAnswer::text("hello", 3, 1)]);
/// let request = ChatRequest::new(ModelName::new("m").unwrap()).messages(vec![Message::user("hi")]);
/// assert_eq!(provider.chat(request.clone()).await.unwrap().message.text(), "hello");
/// assert_eq!(provider.requests(), [request]);
/// # });
/// ```
#[derive(Debug)]
pub struct FakeProvider {
    name: ProviderName,
    capabilities: Capabilities,
    answers: Mutex<VecDeque<FakeAnswer>>,
    requests: Mutex<Vec<ChatRequest>>,
    hang_ups: Arc<AtomicUsize>,
}

/// Counts when the stream that holds it is dropped.
struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl FakeProvider {
    /// A provider with the default capabilities.
    pub fn new(name: ProviderName, answers: impl IntoIterator<Item = FakeAnswer>) -> Self {
        Self {
            name,
            capabilities: Capabilities::default(),
            answers: Mutex::new(answers.into_iter().collect()),
            requests: Mutex::default(),
            hang_ups: Arc::default(),
        }
    }

    /// Sets what it says it can do.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Adds an answer behind the others.
    pub fn push(&self, answer: FakeAnswer) {
        locked(&self.answers).push_back(answer);
    }

    /// How many of the answers that hang were given up by dropping them.
    pub fn hang_ups(&self) -> usize {
        self.hang_ups.load(Ordering::SeqCst)
    }

    /// What it was asked so far, oldest first.
    pub fn requests(&self) -> Vec<ChatRequest> {
        locked(&self.requests).clone()
    }
}

#[async_trait]
impl LlmProvider for FakeProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        locked(&self.requests).push(request);
        match locked(&self.answers).pop_front() {
            Some(FakeAnswer::Events(events)) => Ok(stream::iter(events).boxed()),
            Some(FakeAnswer::Hang(events)) => {
                let said = stream::iter(events.into_iter().map(Ok));
                let waiting = CountDrop(Arc::clone(&self.hang_ups));
                let for_ever = stream::unfold(waiting, |_waiting| std::future::pending());
                Ok(said.chain(for_ever).boxed())
            }
            Some(FakeAnswer::Error(error)) => Err(error),
            None => Err(LlmError::Protocol {
                detail: "the fake provider has no answer left".to_owned(),
            }),
        }
    }
}
