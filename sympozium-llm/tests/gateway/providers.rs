//! Providers that do what tests need.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Usage};
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use sympozium_core::testing::{FakeAnswer, FakeProvider};
use tokio::sync::Semaphore;

/// A provider that gives these answers, one per call.
pub(crate) fn fake(answers: impl IntoIterator<Item = FakeAnswer>) -> Arc<FakeProvider> {
    Arc::new(FakeProvider::new("fake".parse().unwrap(), answers))
}

pub(crate) fn text(text: &str) -> ChatEvent {
    ChatEvent::TextDelta {
        index: 0,
        text: text.to_owned(),
    }
}

pub(crate) fn done(usage: Option<Usage>) -> ChatEvent {
    ChatEvent::Done {
        finish: FinishReason::Stop,
        usage,
        model: None,
    }
}

/// Says `first`, waits to be let on, and says `, last`.
pub(crate) struct Gated {
    name: ProviderName,
    gate: Arc<Semaphore>,
    calls: AtomicU64,
}

impl Gated {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            name: "fake".parse().unwrap(),
            gate: Arc::new(Semaphore::new(0)),
            calls: AtomicU64::new(0),
        })
    }

    pub(crate) fn let_on(&self) {
        self.gate.add_permits(1);
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl LlmProvider for Gated {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn stream(&self, _: ChatRequest) -> Result<ChatStream, LlmError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&self.gate);
        let rest = stream::once(async move {
            gate.acquire().await.unwrap().forget();
            stream::iter([Ok(text(", last")), Ok(done(Some(Usage::default())))])
        });
        Ok(stream::iter([Ok(text("first"))]).chain(rest.flatten()).boxed())
    }
}

/// Works for tokens, says by chance what they were, and breaks by chance. Counts what it really used.
pub(crate) struct Flaky {
    name: ProviderName,
    used: AtomicU64,
    broken: AtomicU64,
}

impl Flaky {
    pub(crate) fn new() -> Arc<Self> {
        let name = "fake".parse().unwrap();
        Arc::new(Self {
            name,
            used: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        })
    }

    /// What it really used, in tokens.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    /// How many calls it broke.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::SeqCst)
    }

    fn work(&self, input: u64, output: u64) -> Usage {
        self.used.fetch_add(input + output, Ordering::SeqCst);
        Usage {
            input_tokens: input,
            output_tokens: output,
            ..Usage::default()
        }
    }
}

#[async_trait]
impl LlmProvider for Flaky {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        tokio::task::yield_now().await;
        let bytes = serde_json::to_vec(&request).unwrap().len() as u64;
        let most = u64::from(request.max_tokens.expect("the gateway always sets it"));
        let chance = fastrand::u8(0..10);
        if chance == 0 {
            self.broken.fetch_add(1, Ordering::SeqCst);
            return Err(LlmError::RateLimited {
                after: None,
                detail: "busy".to_owned(),
            });
        }
        // Now and then all that was bounded is used.
        let all = chance == 1;
        let input = if all { bytes } else { fastrand::u64(1..=bytes) };
        let output = if all { most } else { fastrand::u64(1..=most) };
        let usage = self.work(input, output);
        let broken = |error| {
            self.broken.fetch_add(1, Ordering::SeqCst);
            vec![Ok(text("half")), Err(error)]
        };
        let events = match chance {
            2 | 3 => broken(LlmError::Interrupted {
                detail: "gone".to_owned(),
            }),
            4 => broken(LlmError::Unavailable {
                status: 529,
                after: None,
                detail: "in the stream".to_owned(),
            }),
            5 => vec![Ok(text("half"))],
            6 => vec![Ok(text("silent about usage")), Ok(done(None))],
            _ => vec![Ok(text("said")), Ok(done(Some(usage)))],
        };
        Ok(stream::iter(events).boxed())
    }
}
