//! Behaviour of the driver, against a fake model.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unnecessary_wraps,
    reason = "a test may panic, in its helpers too, and a stream's items are results"
)]

use super::{
    Agent, AgentEvent, AgentLimits, ApprovalDecision, ApprovalRequest, Approver, FailureClass, Gate,
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::chat::{ChatEvent, ChatRequest, FinishReason, Message, ToolChoice, Usage};
use sympozium_core::ids::{CallId, ModelName, ProviderName, ToolName};
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use sympozium_core::policy::{
    Pattern, Policy, PolicyName, PolicyOrigin, RunToolPolicy, ToolAction, ToolGate, ToolRule,
};
use sympozium_core::run::{LimitHit, ResultStatus};
use sympozium_core::tool::{Tool, ToolContext, ToolOutput, ToolSet};
use tokio_util::sync::CancellationToken;

enum Play {
    Says(&'static str),
    Calls(Vec<(&'static str, Value)>),
    Fails(LlmError),
    BreaksAfter(&'static str),
    Hangs(&'static str),
}

/// Plays a list of answers and remembers what it was asked.
struct Fake {
    name: ProviderName,
    plays: Mutex<VecDeque<Play>>,
    asked: Mutex<Vec<ChatRequest>>,
}

impl Fake {
    fn new(plays: Vec<Play>) -> Arc<Self> {
        Arc::new(Self {
            name: ProviderName::new("fake").unwrap(),
            plays: Mutex::new(plays.into()),
            asked: Mutex::default(),
        })
    }
}

fn text(text: &str) -> Result<ChatEvent, LlmError> {
    Ok(ChatEvent::TextDelta {
        index: 0,
        text: text.to_owned(),
    })
}

fn end(finish: FinishReason) -> Result<ChatEvent, LlmError> {
    let usage = Some(Usage {
        input_tokens: 10,
        output_tokens: 5,
        ..Usage::default()
    });
    Ok(ChatEvent::Done {
        finish,
        usage,
        model: None,
    })
}

fn calls(calls: Vec<(&'static str, Value)>) -> Vec<Result<ChatEvent, LlmError>> {
    let mut events = Vec::new();
    for (index, (name, arguments)) in (0..).zip(calls) {
        events.push(Ok(ChatEvent::ToolCallStart {
            index,
            id: CallId::new(format!("c{index}")).unwrap(),
            name: ToolName::new(name).unwrap(),
        }));
        events.push(Ok(ChatEvent::ToolCallDelta {
            index,
            arguments: arguments.to_string(),
        }));
    }
    events.push(end(FinishReason::ToolCalls));
    events
}

#[async_trait]
impl LlmProvider for Fake {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        use futures::StreamExt;
        self.asked.lock().unwrap().push(request);
        let play = self.plays.lock().unwrap().pop_front().expect("one more answer");
        let events = match play {
            Play::Says(words) => vec![text(words), end(FinishReason::Stop)],
            Play::Calls(made) => calls(made),
            Play::Fails(error) => return Err(error),
            Play::BreaksAfter(words) => vec![text(words)],
            Play::Hangs(words) => {
                let never = futures::stream::pending();
                return Ok(futures::stream::iter(vec![text(words)]).chain(never).boxed());
            }
        };
        Ok(futures::stream::iter(events).boxed())
    }
}

/// Waits so many milliseconds and says its number.
struct Slow;

#[derive(Deserialize, JsonSchema)]
struct SlowArgs {
    number: u64,
    wait: u64,
}

impl Tool for Slow {
    const NAME: &'static str = "slow";
    const DESCRIPTION: &'static str = "Waits.";
    type Args = SlowArgs;
    type Error = Infallible;

    async fn call(&self, _: &ToolContext, args: SlowArgs) -> Result<ToolOutput, Infallible> {
        assert!(args.number != 13, "unlucky");
        tokio::time::sleep(Duration::from_millis(args.wait)).await;
        Ok(ToolOutput::text(args.number.to_string()))
    }
}

fn slow(number: u64, wait: u64) -> (&'static str, Value) {
    ("slow", json!({"number": number, "wait": wait}))
}

fn agent(fake: &Arc<Fake>) -> Agent {
    let mut tools = ToolSet::default();
    tools.add(Slow).unwrap();
    Agent::with_provider(fake.clone(), ModelName::new("m").unwrap()).tools(tools)
}

async fn work(agent: &Agent) -> super::Finished {
    agent
        .work(vec![Message::user("task")], &CancellationToken::new())
        .await
}

fn results(messages: &[Message]) -> Vec<(String, bool)> {
    messages
        .iter()
        .flat_map(Message::results)
        .map(|r| (r.content.clone(), r.is_error))
        .collect()
}

fn gate(action: ToolAction, approver: Arc<dyn Approver>) -> Gate {
    let mut policy = Policy::open(PolicyName("team/strict".to_owned()), PolicyOrigin::Instance);
    policy.tools.rules = vec![ToolRule {
        tool: Pattern::new("slow").unwrap(),
        action,
    }];
    let rules = ToolGate {
        layers: vec![policy.gate_layer()],
        run: RunToolPolicy::default(),
        typed_tools: vec![],
    };
    Gate::new(rules, approver)
}

#[tokio::test(start_paused = true)]
async fn tools_run_at_once_and_their_results_keep_their_order() {
    let fake = Fake::new(vec![
        Play::Calls(vec![slow(1, 900), slow(2, 100), slow(3, 500)]),
        Play::Says("done"),
    ]);
    let started = tokio::time::Instant::now();
    let finished = work(&agent(&fake)).await;
    assert_eq!(started.elapsed(), Duration::from_millis(900));
    let all: Vec<_> = results(&finished.messages)
        .into_iter()
        .map(|(content, _)| content)
        .collect();
    assert_eq!(all, ["1", "2", "3"]);
    let result = finished.result();
    assert_eq!(
        (result.status, result.response.as_str()),
        (ResultStatus::Success, "done")
    );
    assert_eq!((result.metrics.input_tokens, result.metrics.tool_calls), (20, 3));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_is_an_error_result() {
    let fake = Fake::new(vec![
        Play::Calls(vec![slow(13, 0), slow(2, 0)]),
        Play::Says("done"),
    ]);
    let finished = work(&agent(&fake)).await;
    let all = results(&finished.messages);
    assert!(all[0].1 && all[0].0.contains("crashed"));
    assert_eq!(all[1], ("2".to_owned(), false));
}

#[tokio::test(start_paused = true)]
async fn broken_answers_are_asked_for_again_and_final_errors_are_not() {
    let fake = Fake::new(vec![Play::BreaksAfter("ha"), Play::Says("whole")]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    let observed = agent(&fake).observer(Arc::new(move |event: AgentEvent<'_>| match event {
        AgentEvent::Text(text) => log.lock().unwrap().push(text.to_owned()),
        AgentEvent::Retry(notice) => log.lock().unwrap().push(format!("retry {}", notice.attempt)),
        _ => {}
    }));
    assert_eq!(work(&observed).await.outcome.answer, "whole");
    assert_eq!(*heard.lock().unwrap(), ["ha", "retry 1", "whole"]);

    let fake = Fake::new(vec![Play::Fails(LlmError::Authentication {
        detail: "bad key".into(),
    })]);
    let finished = work(&agent(&fake)).await;
    assert_eq!(finished.failure_class(), Some(FailureClass::Agent));
    assert_eq!(
        finished.result().error.as_deref(),
        Some("the provider refused the key: bad key")
    );
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_denied_tool_is_not_offered_and_a_call_of_it_reads_policy_and_rule() {
    let fake = Fake::new(vec![Play::Calls(vec![slow(1, 0)]), Play::Says("without")]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let observed = agent(&fake)
        .gate(gate(ToolAction::Deny, Arc::new(super::NobodyApproves)))
        .observer(Arc::new(move |event: AgentEvent<'_>| {
            if let AgentEvent::ToolFinished {
                verdict: Some(v),
                result,
                ..
            } = event
            {
                log.lock()
                    .unwrap()
                    .push((v.outcome.as_str(), v.rule.clone(), result.is_error));
            }
        }));
    let finished = work(&observed).await;
    assert!(fake.asked.lock().unwrap()[0].tools.is_empty());
    let (content, is_error) = results(&finished.messages).remove(0);
    assert!(
        is_error && content.contains("team/strict") && content.contains("toolGating.rules[0]"),
        "{content}"
    );
    assert_eq!(
        *seen.lock().unwrap(),
        [("deny", "toolGating.rules[0]".to_owned(), true)]
    );
}

#[tokio::test]
async fn without_a_person_what_needs_one_is_denied() {
    let fake = Fake::new(vec![Play::Calls(vec![slow(1, 0)]), Play::Says("without")]);
    let asking = agent(&fake).gate(gate(ToolAction::Ask, Arc::new(super::NobodyApproves)));
    let finished = work(&asking).await;
    assert_eq!(fake.asked.lock().unwrap()[0].tools.len(), 1, "it is offered");
    let (content, is_error) = results(&finished.messages).remove(0);
    assert!(is_error && content.contains("Nobody is there"), "{content}");
}

/// Agrees after so long.
struct After(Duration);

#[async_trait]
impl Approver for After {
    async fn ask(&self, _: &ApprovalRequest, _: &CancellationToken) -> ApprovalDecision {
        tokio::time::sleep(self.0).await;
        ApprovalDecision::Approved
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_person_does_not_use_up_the_runs_time() {
    let fake = Fake::new(vec![Play::Calls(vec![slow(1, 10)]), Play::Says("done")]);
    let asking = agent(&fake).gate(gate(ToolAction::Ask, Arc::new(After(Duration::from_hours(1)))));
    let finished = work(&asking).await;
    assert_eq!(finished.outcome.limit, None);
    assert_eq!(results(&finished.messages), [("1".to_owned(), false)]);
}

#[tokio::test(start_paused = true)]
async fn near_the_deadline_tools_are_stopped_and_the_answer_is_asked_for() {
    let fake = Fake::new(vec![Play::Calls(vec![slow(1, 3_600_000)]), Play::Says("so far")]);
    let limits = AgentLimits {
        timeout: Duration::from_mins(1),
        ..AgentLimits::default()
    };
    let finished = work(&agent(&fake).limits(limits)).await;
    assert_eq!(finished.outcome.limit, Some(LimitHit::Deadline));
    assert_eq!(finished.result().response, "so far");
    assert!(finished.elapsed < Duration::from_mins(1));
    assert_eq!(fake.asked.lock().unwrap()[1].tool_choice, ToolChoice::None);
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_what_was_said_is_the_answer() {
    let fake = Fake::new(vec![Play::Hangs("half a thought")]);
    let finished = work(&agent(&fake)).await;
    assert_eq!(finished.outcome.answer, "half a thought");
    assert_eq!(
        (finished.outcome.limit, finished.failure_class()),
        (Some(LimitHit::Deadline), None)
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_stops_model_and_tools_and_keeps_the_words() {
    for play in [Play::Hangs("words"), Play::Calls(vec![slow(1, 3_600_000)])] {
        let fake = Fake::new(vec![play]);
        let cancel = CancellationToken::new();
        let agent = agent(&fake);
        let (finished, ()) = tokio::join!(agent.work(vec![Message::user("t")], &cancel), async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            cancel.cancel();
        });
        assert_eq!(finished.failure_class(), Some(FailureClass::Cancelled));
        assert!(finished.elapsed < Duration::from_secs(6));
    }
}

#[tokio::test]
async fn calls_of_unknown_tools_are_told_to_the_observer_too() {
    let fake = Fake::new(vec![
        Play::Calls(vec![("nothing", json!({})), slow(1, 0)]),
        Play::Says("done"),
    ]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let observed = agent(&fake).observer(Arc::new(move |event: AgentEvent<'_>| {
        if let AgentEvent::ToolFinished { call, result, .. } = event {
            log.lock().unwrap().push((call.name.to_string(), result.is_error));
        }
    }));
    work(&observed).await;
    assert_eq!(
        *seen.lock().unwrap(),
        [("slow".to_owned(), false), ("nothing".to_owned(), true)]
    );
}
