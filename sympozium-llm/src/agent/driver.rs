//! Carries out what [`AgentLoop`] decides: asks the model, runs the tools, keeps the time. Entry type: [`Agent`].

use super::client::{ModelClient, ProviderClient, Turn, TurnEvent};
use super::deadline::Deadline;
use super::gate::Gate;
use super::journal::CallJournal;
use super::observer::{AgentEvent, Observer};
use super::tool_round::{RoundContext, run_round};
use super::{AgentLoop, FailureClass, LoopConfig, ModelCall, Outcome, RepeatLimits, Step, ToolRound};
use crate::windows::window_of;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{ChatEvent, ChatResponse, Message, ToolSpec, Usage};
use sympozium_core::ids::{ModelName, RunUid};
use sympozium_core::llm::{LlmError, LlmProvider};
use sympozium_core::run::{AgentResult, Limits, ResultMetrics, ResultStatus};
use sympozium_core::tool::ToolSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bounds of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// The most model calls with tools; one more may follow for the answer. Default 50.
    pub max_turns: u32,
    /// How long it may take, waiting for people not counted. Default 10 minutes.
    pub timeout: Duration,
    /// Tokens that fit into the model's window; `None` = unknown.
    pub context_window: Option<u32>,
    /// Bytes of earlier messages which the client adds to each request by itself.
    pub history_bytes: u64,
    /// How many tools run at once. Default 8.
    pub parallel_tools: usize,
    /// When equal rounds of calls are too many.
    pub repeats: RepeatLimits,
}

impl Default for AgentLimits {
    fn default() -> Self {
        let Limits { timeout, max_turns } = Limits::default();
        Self {
            max_turns,
            timeout,
            context_window: None,
            history_bytes: 0,
            parallel_tools: 8,
            repeats: RepeatLimits::default(),
        }
    }
}

/// A model, tools and rules, ready to work on a task.
#[derive(Clone)]
pub struct Agent {
    client: Arc<dyn ModelClient>,
    tools: ToolSet,
    gate: Gate,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn CallJournal>,
    system: Option<String>,
    limits: AgentLimits,
    run: RunUid,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// Tokens of all answered turns.
    pub usage: Usage,
    /// Tool calls, refused ones included.
    pub tool_calls: u32,
    /// How long it took.
    pub elapsed: Duration,
    /// The whole conversation.
    pub messages: Vec<Message>,
}

impl Finished {
    /// The result document.
    pub fn result(&self) -> AgentResult {
        let failure = self.outcome.failure.as_ref();
        AgentResult {
            status: if failure.is_none() {
                ResultStatus::Success
            } else {
                ResultStatus::Error
            },
            response: self.outcome.answer.clone(),
            error: failure.map(|failure| failure.message.clone()),
            metrics: ResultMetrics {
                duration_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
                input_tokens: self.usage.input_tokens,
                output_tokens: self.usage.output_tokens,
                tool_calls: self.tool_calls,
            },
            limit: self.outcome.limit,
        }
    }

    /// Why it failed, by class; `None` = it has an answer.
    pub fn failure_class(&self) -> Option<FailureClass> {
        self.outcome.failure.as_ref().map(|failure| failure.class)
    }
}

impl Agent {
    /// An agent that asks its model through `client`: no tools, no rules, default limits, nobody told.
    pub fn new(client: Arc<dyn ModelClient>) -> Self {
        Self {
            client,
            tools: ToolSet::default(),
            gate: Gate::open(),
            observer: Arc::new(()),
            journal: Arc::new(()),
            system: None,
            limits: AgentLimits::default(),
            run: RunUid::random(),
        }
    }

    /// An agent that asks a provider directly. Takes the size of the model's window from it, else from the model's name.
    pub fn with_provider(provider: Arc<dyn LlmProvider>, model: ModelName) -> Self {
        let told = || window_of(model.as_str());
        let context_window = provider.capabilities().context_window.or_else(told);
        let mut agent = Self::new(Arc::new(ProviderClient::new(provider, model)));
        agent.limits.context_window = context_window;
        agent
    }

    /// The tools. Those that the gate denies in any case are not shown to the model.
    #[must_use]
    pub fn tools(mut self, tools: ToolSet) -> Self {
        self.tools = tools;
        self
    }

    /// What gates the tools.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Where answers of tool calls are kept, so that the same run can be begun again. Default: nowhere.
    #[must_use]
    pub fn journal(mut self, journal: Arc<dyn CallJournal>) -> Self {
        self.journal = journal;
        self
    }

    /// The system prompt.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// The bounds.
    #[must_use]
    pub fn limits(mut self, limits: AgentLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The run's identity, from which the ids of all effects are derived. Default: a random one.
    #[must_use]
    pub fn run_uid(mut self, run: RunUid) -> Self {
        self.run = run;
        self
    }

    /// Works on the task until there is an answer, a limit is hit, or `cancel` is cancelled.
    pub async fn work(&self, task: Vec<Message>, cancel: &CancellationToken) -> Finished {
        let started = Instant::now();
        let deadline = Deadline::after(self.limits.timeout);
        let specs: Vec<ToolSpec> = self
            .tools
            .specs()
            .into_iter()
            .filter(|spec| self.gate.offers(&spec.name))
            .collect();
        let mut agent = AgentLoop::new(self.loop_config(&specs), task);
        let mut told = agent.messages().len();
        let outcome = loop {
            if deadline.is_near() {
                agent.deadline_near();
            }
            let mut ran = Vec::new();
            match agent.next_step() {
                Step::Done(outcome) => break outcome,
                Step::CallModel(call) => self.ask(&mut agent, &call, &specs, (&deadline, cancel)).await,
                Step::CallTools(round) => {
                    ran = round.calls.iter().map(|(index, _)| *index).collect();
                    let results = self.run_tools(&round, &deadline, cancel).await;
                    if cancel.is_cancelled() {
                        agent.cancelled();
                    } else {
                        agent.tools_answered(results);
                    }
                }
            }
            self.tell_unrun(agent.messages(), &mut told, &ran);
        };
        Finished {
            outcome,
            usage: agent.usage(),
            tool_calls: agent.tool_calls(),
            elapsed: started.elapsed(),
            messages: agent.messages().to_vec(),
        }
    }

    fn loop_config(&self, specs: &[ToolSpec]) -> LoopConfig {
        let offered: BTreeSet<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        let refused = self
            .tools
            .names()
            .filter(|name| !offered.contains(name))
            .cloned()
            .collect();
        let tools = serde_json::to_vec(specs).map_or(0, |json| json.len());
        let system = self.system.as_ref().map_or(0, String::len);
        LoopConfig {
            max_turns: self.limits.max_turns,
            context_window: self.limits.context_window,
            overhead_bytes: self.limits.history_bytes.saturating_add((tools + system) as u64),
            offered,
            refused,
            repeats: self.limits.repeats,
        }
    }

    async fn ask(
        &self,
        agent: &mut AgentLoop,
        call: &ModelCall,
        specs: &[ToolSpec],
        (deadline, cancel): (&Deadline, &CancellationToken),
    ) {
        self.observer.on(AgentEvent::TurnStarted {
            step: &call.step,
            is_last: call.is_last,
        });
        let mut partial = String::new();
        let answer = {
            let mut events = |event: TurnEvent| self.hear(&event, &mut partial);
            let turn = Turn {
                call,
                messages: agent.messages(),
                system: self.system.as_deref(),
                tools: specs,
            };
            tokio::select! {
                biased;
                () = cancel.cancelled() => Answer::Cancelled,
                answer = self.client.turn(turn, &mut events) => Answer::Came(answer),
                () = deadline.passed() => Answer::TooLate,
            }
        };
        match answer {
            Answer::Came(Ok(response)) => {
                self.observer.on(AgentEvent::TurnEnded {
                    usage: response.usage.as_ref(),
                    finish: response.finish,
                });
                if deadline.is_near() {
                    agent.deadline_near();
                }
                agent.model_answered(response);
            }
            Answer::Came(Err(error)) => {
                agent.partial_answer(&partial);
                agent.model_failed(&error);
            }
            Answer::TooLate => {
                agent.partial_answer(&partial);
                agent.deadline_passed();
            }
            Answer::Cancelled => {
                agent.partial_answer(&partial);
                agent.cancelled();
            }
        }
    }

    fn hear(&self, event: &TurnEvent, partial: &mut String) {
        match event {
            TurnEvent::Chat(ChatEvent::TextDelta { text, .. }) => {
                partial.push_str(text);
                self.observer.on(AgentEvent::Text(text));
            }
            TurnEvent::Chat(ChatEvent::ThinkingDelta { text, .. }) if !text.is_empty() => {
                self.observer.on(AgentEvent::Thinking(text));
            }
            // Calls are told when they are made, the end when the whole answer is there.
            TurnEvent::Chat(_) => {}
            TurnEvent::Retry(notice) => {
                partial.clear();
                self.observer.on(AgentEvent::Retry(notice));
            }
        }
    }

    async fn run_tools(
        &self,
        round: &ToolRound,
        deadline: &Deadline,
        cancel: &CancellationToken,
    ) -> Vec<sympozium_core::chat::ToolResult> {
        let stop = cancel.child_token();
        let context = RoundContext {
            run: self.run,
            tools: &self.tools,
            gate: &self.gate,
            observer: self.observer.as_ref(),
            journal: self.journal.as_ref(),
            deadline,
            stop: &stop,
            parallel: self.limits.parallel_tools.max(1),
        };
        let work = run_round(&context, round);
        tokio::pin!(work);
        tokio::select! {
            results = &mut work => return results,
            () = deadline.near() => stop.cancel(),
        }
        work.await
    }

    /// Tells about calls that the loop answered by itself, because they could not be made.
    fn tell_unrun(&self, messages: &[Message], told: &mut usize, ran: &[u32]) {
        let start = std::mem::replace(told, messages.len());
        for pair in messages.windows(2).skip(start.saturating_sub(1)) {
            let [asked, answered] = pair else { continue };
            let calls = (0_u32..).zip(asked.tool_calls().zip(answered.results()));
            for (_, (call, result)) in calls.filter(|(index, _)| !ran.contains(index)) {
                self.observer.on(AgentEvent::ToolStarted { call });
                self.observer.on(AgentEvent::ToolFinished {
                    call,
                    result,
                    verdict: None,
                    took: Duration::ZERO,
                });
            }
        }
    }
}

enum Answer {
    Came(Result<ChatResponse, LlmError>),
    TooLate,
    Cancelled,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("tools", &self.tools)
            .field("gate", &self.gate)
            .field("limits", &self.limits)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
