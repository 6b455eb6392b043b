//! An agent inside a program of your own, in thirty lines: a provider, the loop, an answer.
//!
//! The provider is a function here that answers by rule. Put one of `sympozium_llm::providers` in its place, or your own.
//!
//! Run it: `cargo run -p sympozium-examples --example embed_the_loop`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use futures::{StreamExt, stream};
use std::sync::Arc;
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Message};
use sympozium_core::ids::{ModelName, ProviderName};
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use sympozium_llm::agent::Agent;
use tokio_util::sync::CancellationToken;

struct Counter(ProviderName);

#[async_trait::async_trait]
impl LlmProvider for Counter {
    fn name(&self) -> &ProviderName {
        &self.0
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            tools: false,
            ..Capabilities::default()
        }
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        let words: usize = request
            .messages
            .iter()
            .map(|message| message.text().split_whitespace().count())
            .sum();
        let text = format!("You said {words} words.");
        let done = ChatEvent::Done {
            finish: FinishReason::Stop,
            usage: None,
            model: None,
        };
        Ok(stream::iter([ChatEvent::TextDelta { index: 0, text }, done].map(Ok)).boxed())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let provider = Arc::new(Counter(ProviderName::new("counter")?));
    let agent = Agent::with_provider(provider, ModelName::new("by-rule")?).system("Count words.");
    let finished = agent
        .work(
            vec![Message::user("How many words are these?")],
            &CancellationToken::new(),
        )
        .await;
    println!("{}", finished.outcome.answer);
    Ok(())
}
