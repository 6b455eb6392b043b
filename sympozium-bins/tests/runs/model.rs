//! A model whose answers are written down, one per turn, and a gateway in front of it.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Usage};
use sympozium_core::ids::{CallId, ProviderName, ToolName};
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use sympozium_core::store::InMemoryStore;
use sympozium_llm::gateway::{Gateway, ListenerAuth, Stores};
use tokio::sync::Semaphore;

/// What the model says in one turn.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// These words, and no more.
    Words(&'static str),
    /// That it wants these tools.
    Calls(Vec<(&'static str, Value)>),
}

/// The model. Counts how often it is asked.
pub(crate) struct Model {
    name: ProviderName,
    turns: Mutex<VecDeque<Says>>,
    asked: Mutex<Vec<ChatRequest>>,
    /// One permit per turn that it may answer.
    may_answer: Semaphore,
    was_asked: tokio::sync::watch::Sender<usize>,
}

impl Model {
    /// A model that answers at once.
    pub(crate) fn new(turns: Vec<Says>) -> Arc<Self> {
        Self::held_back(turns, Semaphore::MAX_PERMITS)
    }

    /// A model that answers only so many turns until it is told to go on.
    pub(crate) fn held_back(turns: Vec<Says>, permits: usize) -> Arc<Self> {
        Arc::new(Self {
            name: ProviderName::new("fake").unwrap(),
            turns: Mutex::new(turns.into()),
            asked: Mutex::default(),
            may_answer: Semaphore::new(permits),
            was_asked: tokio::sync::watch::Sender::new(0),
        })
    }

    pub(crate) fn go_on(&self) {
        self.may_answer.add_permits(1);
    }

    pub(crate) fn asked(&self) -> Vec<ChatRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked that often.
    pub(crate) async fn wait_for_question(&self, count: usize) {
        let mut seen = self.was_asked.subscribe();
        seen.wait_for(|asked| *asked >= count).await.unwrap();
    }
}

#[async_trait]
impl LlmProvider for Model {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        self.asked.lock().unwrap().push(request);
        let says = self.turns.lock().unwrap().pop_front();
        self.was_asked.send_modify(|asked| *asked += 1);
        let Some(says) = says else {
            let detail = "the model has nothing more to say".to_owned();
            return Err(LlmError::Protocol { detail });
        };
        self.may_answer.acquire().await.unwrap().forget();
        Ok(stream::iter(events(says).into_iter().map(Ok)).boxed())
    }
}

fn events(says: Says) -> Vec<ChatEvent> {
    let mut all = Vec::new();
    let finish = match says {
        Says::Words(words) => {
            for word in words.split_inclusive(' ') {
                let text = word.to_owned();
                all.push(ChatEvent::TextDelta { index: 0, text });
            }
            FinishReason::Stop
        }
        Says::Calls(calls) => {
            for (index, (name, arguments)) in (0..).zip(calls) {
                all.push(ChatEvent::ToolCallStart {
                    index,
                    id: CallId::new(format!("call-{index}")).unwrap(),
                    name: ToolName::new(name).unwrap(),
                });
                let arguments = arguments.to_string();
                all.push(ChatEvent::ToolCallDelta { index, arguments });
            }
            FinishReason::ToolCalls
        }
    };
    all.push(ChatEvent::Done {
        finish,
        usage: Some(Usage {
            input_tokens: 10,
            output_tokens: 5,
            ..Usage::default()
        }),
        model: None,
    });
    all
}

/// A gateway in front of a model, and who may come in.
pub(crate) fn gateway(model: &Arc<Model>) -> (Gateway, Arc<ListenerAuth>) {
    let auth = Arc::new(ListenerAuth::default());
    let gateway = Gateway::builder()
        .provider(model.name.clone(), model.clone())
        .stores(Stores::all(Arc::new(InMemoryStore::new())))
        .authenticate(auth.clone())
        .build()
        .unwrap();
    (gateway, auth)
}
