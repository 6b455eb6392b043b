//! A provider of your own, compiled into a gateway: the agent does not change, and never sees the provider or its key.
//!
//! What is shown: the gateway serves one run on its own socket, asks the provider by the name in the run's plan, and keeps
//! the transcript and the sum; the agent works through the gateway as it does in `sympozium run`. The provider depends on
//! `sympozium-core` alone, so it may live in a crate of its own.
//!
//! Run it: `cargo run -p sympozium-examples --example custom_provider`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use anyhow::Context;
use futures::{StreamExt, stream};
use std::sync::Arc;
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Message, Role, Usage};
use sympozium_core::ids::{Namespace, ProviderName, RunUid};
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use sympozium_core::policy::Policy;
use sympozium_core::run::RunPlan;
use sympozium_core::store::{Account, InMemoryStore, Ledger, Scope, Window};
use sympozium_k8s::convert::{self, PlanInputs};
use sympozium_k8s::documents::{Document, parse};
use sympozium_llm::agent::Agent;
use sympozium_llm::gateway::{Gateway, ListenerAuth, Stores};
use sympozium_llm::runner::{GatewayClient, GatewayEndpoint};
use tokio_util::sync::CancellationToken;

/// Says what it was told last, backwards.
struct Acme(ProviderName);

#[async_trait::async_trait]
impl LlmProvider for Acme {
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
        let last = request
            .messages
            .iter()
            .rfind(|message| message.role == Role::User);
        let Some(said) = last.map(Message::text).filter(|text| !text.is_empty()) else {
            return Err(LlmError::BadRequest {
                status: 400,
                detail: "nothing was said".to_owned(),
            });
        };
        let words: Vec<&str> = said.split_whitespace().rev().collect();
        let usage = Usage {
            input_tokens: words.len() as u64,
            output_tokens: words.len() as u64,
            ..Usage::default()
        };
        // One event per word, as a server would send them; `Done` comes last.
        let text = words.into_iter().map(|word| ChatEvent::TextDelta {
            index: 0,
            text: format!("{word} "),
        });
        let done = ChatEvent::Done {
            finish: FinishReason::Stop,
            usage: Some(usage),
            model: None,
        };
        let events: Vec<_> = text.chain([done]).map(Ok).collect();
        Ok(stream::iter(events).boxed())
    }
}

/// The run: its model is one of `acme`.
const OBJECTS: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: mirror}
spec:
  agents: {default: {model: words-1}}
---
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: hello}
spec:
  instanceRef: mirror
  task: well as world hello
  model: {provider: acme}
";

fn plan() -> anyhow::Result<RunPlan> {
    let (mut run, mut instance) = (None, None);
    for document in parse("objects", OBJECTS)? {
        match document {
            Document::AgentRun(found) => run = Some(*found),
            Document::Instance(found) => instance = Some(*found),
            other => anyhow::bail!("unexpected: {other:?}"),
        }
    }
    Ok(convert::plan(&PlanInputs {
        run: &run.context("there is a run")?,
        uid: RunUid::random(),
        namespace: &Namespace::new("local")?,
        instance: &instance.context("there is an instance")?,
        policies: &[Policy::local_default()],
        packs: &[],
        config_maps: &[],
        secrets: None,
    })?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let plan = Arc::new(plan()?);
    let store = Arc::new(InMemoryStore::new());
    let acme = Arc::new(Acme(ProviderName::new("acme")?));

    // Whoever comes through the listener `run-1` is this run.
    let runs = Arc::new(ListenerAuth::default());
    runs.register("run-1", plan.clone());
    let gateway = Gateway::builder()
        .provider(acme.name().clone(), acme)
        .stores(Stores::all(store.clone()))
        .authenticate(runs)
        .build()?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("gateway.sock");
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (gateway, socket, stop) = (gateway.clone(), socket.clone(), stop.clone());
        async move { gateway.serve_unix(&socket, "run-1", stop).await }
    });

    let client = GatewayClient::new(GatewayEndpoint::Unix(socket));
    let input = client.run_input().await?;
    let agent = Agent::new(Arc::new(client)).run_uid(plan.run.uid);
    let finished = agent.work(vec![Message::user(input.task)], &stop).await;
    println!("{}", finished.outcome.answer.trim());

    stop.cancel();
    serving.await??;
    gateway.drain().await;
    let account = Account {
        scope: Scope::Run(plan.run.uid),
        window: Window::Total,
    };
    println!("metered: {} tokens", store.held(&account).await?.tokens);
    Ok(())
}
