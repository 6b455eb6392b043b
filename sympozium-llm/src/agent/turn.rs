//! The agent loop without IO: [`AgentLoop`] decides what comes next, a driver does it and reports back.
//!
//! Must not await, read a clock or know a provider. Every step has a deterministic id, so that a driver which starts
//! over asks for the same steps again and gets recorded answers.

use super::answers::{CallFacts, NUDGE, closing, precheck, refusal, warning};
use super::budget::ContextBudget;
use super::outcome::{Failure, FailureClass, Outcome};
use super::repeats::{RepeatLimits, Repeats, Repetition};
use std::collections::BTreeSet;
use sympozium_core::chat::{
    ChatResponse, FinishReason, Message, Part, Role, Shorten, ToolCall, ToolChoice, ToolResult, Usage,
};
use sympozium_core::ids::{StepId, ToolName};
use sympozium_core::llm::LlmError;
use sympozium_core::run::LimitHit;

/// Bounds and facts of one loop.
#[derive(Debug, Clone, Default)]
pub struct LoopConfig {
    /// The most model calls with tools. One more, without tools, may follow to get an answer.
    pub max_turns: u32,
    /// Tokens that fit into the model's window; `None` when unknown, then nothing is shortened beforehand.
    pub context_window: Option<u32>,
    /// Bytes of what each request carries besides the run's own messages: system prompt, tool specs, history.
    pub overhead_bytes: u64,
    /// The tools that the model is told about.
    pub offered: BTreeSet<ToolName>,
    /// Further tools which exist but are refused; calls of them reach the driver, which says why.
    pub refused: BTreeSet<ToolName>,
    /// When equal rounds are too many.
    pub repeats: RepeatLimits,
}

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Ask the model, then report [`AgentLoop::model_answered`] or [`AgentLoop::model_failed`].
    CallModel(ModelCall),
    /// Run these tools, at once if it likes, then report [`AgentLoop::tools_answered`].
    CallTools(ToolRound),
    /// Nothing; the loop has ended.
    Done(Outcome),
}

/// One model turn.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCall {
    /// Its id: the same in every repetition of the run.
    pub step: StepId,
    /// How many of the run's messages came before [`messages`](Self::messages).
    pub base: u32,
    /// What is new since the last answer.
    pub messages: Vec<Message>,
    /// Whether the model may call tools.
    pub tool_choice: ToolChoice,
    /// Old tool output to cut.
    pub shorten: Option<Shorten>,
    /// True when no further call follows.
    pub is_last: bool,
}

/// The tool calls of one answer that have to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolRound {
    /// The step in which the model asked for them.
    pub step: StepId,
    /// The calls, each with its place in the answer.
    pub calls: Vec<(u32, ToolCall)>,
}

#[derive(Debug, Clone)]
enum Slot {
    Answered(ToolResult),
    Open,
}

#[derive(Debug, Clone)]
struct OpenRound {
    step: StepId,
    calls: Vec<ToolCall>,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone)]
enum State {
    Asking,
    Waiting(ModelCall),
    Calling(OpenRound),
    Ended(Outcome),
}

/// The loop. Call [`next_step`](Self::next_step), do what it says, report, repeat until [`Step::Done`].
///
/// Reports that do not belong to the current step change nothing.
#[derive(Debug, Clone)]
pub struct AgentLoop {
    config: LoopConfig,
    state: State,
    messages: Vec<Message>,
    /// How many messages are part of a turn that the model has answered.
    settled: usize,
    calls: u32,
    tool_calls: u32,
    budget: ContextBudget,
    repeats: Repeats,
    usage: Usage,
    last_text: String,
    /// Why the next call is the last one.
    ending: Option<LimitHit>,
    nudged: bool,
    cut_harder: bool,
}

impl AgentLoop {
    /// A loop that begins with these messages (usually one: the task).
    pub fn new(config: LoopConfig, messages: Vec<Message>) -> Self {
        Self {
            budget: ContextBudget::new(config.context_window, config.overhead_bytes),
            repeats: Repeats::new(config.repeats),
            config,
            state: State::Asking,
            messages,
            settled: 0,
            calls: 0,
            tool_calls: 0,
            usage: Usage::default(),
            last_text: String::new(),
            ending: None,
            nudged: false,
            cut_harder: false,
        }
    }

    /// All messages of the run so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Tokens of all answered turns.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Tool calls that the model has made, refused and impossible ones included.
    pub fn tool_calls(&self) -> u32 {
        self.tool_calls
    }

    /// What has to be done now. Asking again without a report gives the same step.
    pub fn next_step(&mut self) -> Step {
        match &self.state {
            State::Asking => {
                let call = self.prepare();
                self.state = State::Waiting(call.clone());
                Step::CallModel(call)
            }
            State::Waiting(call) => Step::CallModel(call.clone()),
            State::Calling(round) => Step::CallTools(ToolRound {
                step: round.step.clone(),
                calls: (0_u32..)
                    .zip(round.calls.iter().zip(&round.slots))
                    .filter(|(_, (_, slot))| matches!(slot, Slot::Open))
                    .map(|(index, (call, _))| (index, call.clone()))
                    .collect(),
            }),
            State::Ended(outcome) => Step::Done(outcome.clone()),
        }
    }

    /// The time is nearly up: the next model call asks for an answer and is the last.
    pub fn deadline_near(&mut self) {
        self.ending.get_or_insert(LimitHit::Deadline);
    }

    /// The time is up: ends with what is there.
    pub fn deadline_passed(&mut self) {
        self.ending.get_or_insert(LimitHit::Deadline);
        self.fail(Failure::new(
            FailureClass::Deadline,
            "the time was up before there was an answer",
        ));
    }

    /// Somebody cancelled the run: ends at once.
    pub fn cancelled(&mut self) {
        self.end(
            self.last_text.clone(),
            None,
            Some(Failure::new(FailureClass::Cancelled, "the run was cancelled")),
        );
    }

    /// What an answer that broke off had said until then; it counts as words only when nothing else is there.
    pub fn partial_answer(&mut self, text: &str) {
        if self.last_text.is_empty() && !text.trim().is_empty() {
            text.clone_into(&mut self.last_text);
        }
    }

    /// The model answered the current call.
    pub fn model_answered(&mut self, answer: ChatResponse) {
        let State::Waiting(call) = &self.state else { return };
        let call = call.clone();
        if let Some(usage) = &answer.usage {
            self.budget.observe(&self.messages, usage);
            self.usage += *usage;
        }
        self.cut_harder = false;
        let text = answer.message.text();
        let calls: Vec<ToolCall> = answer.message.tool_calls().cloned().collect();
        self.messages.push(answer.message);
        self.settled = self.messages.len();
        if !text.trim().is_empty() {
            self.last_text.clone_from(&text);
        }
        if call.is_last {
            self.conclude();
        } else if answer.finish == FinishReason::ContentFilter {
            self.fail(Failure::new(
                FailureClass::Agent,
                "the provider withheld the answer (content filter)",
            ));
        } else if !calls.is_empty() {
            self.open(call.step, calls, answer.finish == FinishReason::Length);
        } else if text.trim().is_empty() {
            self.nudge();
        } else {
            let limit = (answer.finish == FinishReason::Length).then_some(LimitHit::Output);
            self.end(text, limit, None);
        }
    }

    /// The current call failed for good: retries are the driver's.
    pub fn model_failed(&mut self, error: &LlmError) {
        if !matches!(self.state, State::Waiting(_)) {
            return;
        }
        let again = self.calls <= self.config.max_turns && !self.cut_harder;
        if matches!(error, LlmError::ContextLength { .. }) && again && self.budget.cut_harder(&self.messages)
        {
            self.cut_harder = true;
            self.state = State::Asking;
            return;
        }
        let failure = Failure::of(error);
        if failure.class == FailureClass::Cancelled {
            self.cancelled();
        } else {
            let budget =
                matches!(error, LlmError::Refused { kind, .. } if kind.ends_with("budget-exhausted"));
            if budget && self.ending.is_none() {
                let answer = self.last_text.clone();
                self.end(answer, Some(LimitHit::Budget), Some(failure));
            } else {
                self.fail(failure);
            }
        }
    }

    /// The results of the current round, in its order. A missing one is reported to the model as an error.
    pub fn tools_answered(&mut self, results: Vec<ToolResult>) {
        let State::Calling(round) = &self.state else {
            return;
        };
        let OpenRound { calls, slots, .. } = round.clone();
        let mut results = results.into_iter();
        let all = calls
            .iter()
            .zip(slots)
            .map(|(call, slot)| match slot {
                Slot::Answered(result) => result,
                Slot::Open => match results.next() {
                    Some(result) => ToolResult {
                        id: call.id.clone(),
                        ..result
                    },
                    None => refusal(call, "The tool was not run."),
                },
            })
            .collect();
        self.settle(&calls, all);
    }

    fn prepare(&mut self) -> ModelCall {
        if self.calls >= self.config.max_turns {
            self.ending.get_or_insert(LimitHit::Turns);
        }
        let is_last = self.ending.is_some();
        if let Some(limit) = self.ending {
            self.say(closing(limit));
        }
        self.calls = self.calls.saturating_add(1);
        ModelCall {
            step: step_id(self.calls, is_last),
            base: u32::try_from(self.settled).unwrap_or(u32::MAX),
            messages: self.messages.get(self.settled..).unwrap_or_default().to_vec(),
            tool_choice: if is_last {
                ToolChoice::None
            } else {
                ToolChoice::Auto
            },
            shorten: self.budget.plan(&self.messages),
            is_last,
        }
    }

    /// Adds words to the user's message that goes out next, once.
    fn say(&mut self, text: &str) {
        let part = Part::Text {
            text: text.to_owned(),
        };
        match self.messages.get_mut(self.settled..).and_then(<[_]>::last_mut) {
            Some(message) if message.role == Role::User => {
                if !message.parts.contains(&part) {
                    message.parts.push(part);
                }
            }
            _ => self.messages.push(Message {
                role: Role::User,
                parts: vec![part],
            }),
        }
    }

    fn open(&mut self, step: StepId, calls: Vec<ToolCall>, cut: bool) {
        let made = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        self.tool_calls = self.tool_calls.saturating_add(made);
        let last = calls.len().saturating_sub(1);
        let facts = CallFacts {
            offered: &self.config.offered,
            refused: &self.config.refused,
            no_time: self.ending == Some(LimitHit::Deadline),
        };
        let slots: Vec<Slot> = calls
            .iter()
            .enumerate()
            .map(|(index, call)| precheck(call, &facts, cut && index == last))
            .map(|answer| answer.map_or(Slot::Open, Slot::Answered))
            .collect();
        let open = slots.iter().any(|slot| matches!(slot, Slot::Open));
        self.state = State::Calling(OpenRound { step, calls, slots });
        if !open {
            self.tools_answered(Vec::new());
        }
    }

    fn settle(&mut self, calls: &[ToolCall], mut results: Vec<ToolResult>) {
        match self.repeats.judge(calls, &results) {
            Repetition::Fine => {}
            Repetition::Warn(times) => {
                if let Some(last) = results.last_mut() {
                    last.content.push_str(&warning(times));
                }
            }
            Repetition::End => {
                self.ending.get_or_insert(LimitHit::Loop);
            }
        }
        self.messages.push(Message::tool_results(results));
        self.state = State::Asking;
    }

    fn nudge(&mut self) {
        if self.nudged {
            self.conclude();
        } else {
            self.nudged = true;
            self.say(NUDGE);
            self.state = State::Asking;
        }
    }

    /// Ends with the last words as the answer.
    fn conclude(&mut self) {
        let failure = self
            .last_text
            .is_empty()
            .then(|| Failure::new(FailureClass::Agent, "the model gave no answer"));
        self.end(self.last_text.clone(), self.ending, failure);
    }

    /// Ends after a failure. When a limit had ended the work already, the last words are the answer.
    fn fail(&mut self, failure: Failure) {
        let saved = self.ending.is_some() && !self.last_text.is_empty();
        self.end(self.last_text.clone(), self.ending, (!saved).then_some(failure));
    }

    fn end(&mut self, answer: String, limit: Option<LimitHit>, failure: Option<Failure>) {
        if !matches!(self.state, State::Ended(_)) {
            self.state = State::Ended(Outcome {
                answer,
                limit,
                failure,
            });
        }
    }
}

fn step_id(number: u32, is_last: bool) -> StepId {
    // The last call of a run depends on the clock, so it never shares an id with an ordinary turn.
    let text = if is_last {
        format!("turn-{number}-last")
    } else {
        format!("turn-{number}")
    };
    #[expect(
        clippy::expect_used,
        reason = "these letters and digits are always a valid step id"
    )]
    StepId::new(text).expect("a step id")
}
