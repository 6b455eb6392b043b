//! Behaviour of the loop, without any IO.

use super::{AgentLoop, Failure, FailureClass, LoopConfig, ModelCall, Outcome, Step};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use sympozium_core::chat::{
    ChatResponse, FinishReason, Message, Part, Role, Shorten, ToolCall, ToolChoice, ToolResult, Usage,
};
use sympozium_core::ids::{CallId, ToolName};
use sympozium_core::llm::LlmError;
use sympozium_core::run::LimitHit;

fn name(text: &str) -> ToolName {
    ToolName::new(text).unwrap()
}

fn config(max_turns: u32) -> LoopConfig {
    LoopConfig {
        max_turns,
        offered: [name("look"), name("touch")].into(),
        refused: [name("forbidden")].into(),
        ..LoopConfig::default()
    }
}

fn start(max_turns: u32) -> AgentLoop {
    AgentLoop::new(config(max_turns), vec![Message::user("task")])
}

fn call(id: &str, tool: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: CallId::new(id).unwrap(),
        name: name(tool),
        arguments,
    }
}

fn answer(text: &str, calls: Vec<ToolCall>, finish: FinishReason) -> ChatResponse {
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::Text {
            text: text.to_owned(),
        });
    }
    parts.extend(calls.into_iter().map(Part::ToolCall));
    ChatResponse {
        message: Message {
            role: Role::Assistant,
            parts,
        },
        finish,
        usage: None,
        model: None,
    }
}

fn says(text: &str) -> ChatResponse {
    answer(text, vec![], FinishReason::Stop)
}

fn calls(text: &str, calls: Vec<ToolCall>) -> ChatResponse {
    answer(text, calls, FinishReason::ToolCalls)
}

fn ok(id: &CallId, content: &str) -> ToolResult {
    ToolResult {
        id: id.clone(),
        content: content.to_owned(),
        is_error: false,
    }
}

#[track_caller]
fn asked(agent: &mut AgentLoop) -> ModelCall {
    match agent.next_step() {
        Step::CallModel(call) => call,
        other => panic!("expected a model call, got {other:?}"),
    }
}

#[track_caller]
fn round(agent: &mut AgentLoop) -> Vec<ToolCall> {
    match agent.next_step() {
        Step::CallTools(round) => round.calls.into_iter().map(|(_, call)| call).collect(),
        other => panic!("expected tool calls, got {other:?}"),
    }
}

#[track_caller]
fn done(agent: &mut AgentLoop) -> Outcome {
    match agent.next_step() {
        Step::Done(outcome) => outcome,
        other => panic!("expected the end, got {other:?}"),
    }
}

/// Answers one model call and then every tool call with its own number.
fn turn(agent: &mut AgentLoop, response: ChatResponse, result: &str) {
    asked(agent);
    agent.model_answered(response);
    if let Step::CallTools(round) = agent.next_step() {
        agent.tools_answered(round.calls.iter().map(|(_, c)| ok(&c.id, result)).collect());
    }
}

fn success(answer: &str, limit: Option<LimitHit>) -> Outcome {
    Outcome {
        answer: answer.to_owned(),
        limit,
        failure: None,
    }
}

fn last_results(agent: &AgentLoop) -> Vec<String> {
    let message = agent
        .messages()
        .iter()
        .rev()
        .find(|m| m.results().next().is_some());
    message.map_or_else(Vec::new, |m| m.results().map(|r| r.content.clone()).collect())
}

#[test]
fn words_end_the_loop_and_tools_prolong_it() {
    let mut agent = start(5);
    let first = asked(&mut agent);
    assert_eq!((first.step.as_str(), first.base), ("turn-1", 0));
    assert_eq!(first.messages, [Message::user("task")]);
    assert_eq!(first, asked(&mut agent), "asking again gives the same step");
    agent.model_answered(calls(
        "",
        vec![call("a", "look", json!({})), call("b", "touch", json!({}))],
    ));
    assert_eq!(round(&mut agent).len(), 2);
    let id = |text| CallId::new(text).unwrap();
    agent.tools_answered(vec![ok(&id("a"), "1"), ok(&id("b"), "2")]);
    let second = asked(&mut agent);
    assert_eq!((second.step.as_str(), second.base), ("turn-2", 2));
    let results = Message::tool_results(vec![ok(&id("a"), "1"), ok(&id("b"), "2")]);
    assert_eq!(second.messages, [results]);
    agent.model_answered(says("done"));
    assert_eq!(done(&mut agent), success("done", None));
    assert_eq!(agent.tool_calls(), 2);
}

#[test]
fn calls_that_cannot_be_made_are_answered_in_their_place() {
    let mut agent = start(5);
    asked(&mut agent);
    agent.model_answered(calls(
        "",
        vec![
            call("a", "nothing", json!({})),
            call("b", "look", json!({"path": "x"})),
            call("c", "look", json!("{\"path\": ")),
            call("d", "forbidden", json!({})),
            call("e", "look", json!([1])),
        ],
    ));
    let runnable: Vec<String> = round(&mut agent).iter().map(|c| c.id.to_string()).collect();
    assert_eq!(
        runnable,
        ["b", "d"],
        "refused tools reach the driver, which says why"
    );
    agent.tools_answered(vec![ok(&CallId::new("wrong").unwrap(), "seen")]);
    assert_eq!(
        last_results(&agent),
        [
            "There is no tool nothing. The tools are: look, touch.",
            "seen",
            "Not run: the arguments are not a JSON object. They begin with: {\"path\": ",
            "The tool was not run.",
            "Not run: the arguments are not a JSON object. They begin with: [1]",
        ]
    );
    let ids: Vec<_> = agent.messages()[2].results().map(|r| r.id.to_string()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
}

#[test]
fn the_turn_limit_asks_once_more_without_tools() {
    let mut agent = start(2);
    for n in 0..2 {
        turn(
            &mut agent,
            calls("working", vec![call("a", "look", json!({"n": n}))]),
            "x",
        );
    }
    let last = asked(&mut agent);
    assert_eq!(
        (last.step.as_str(), &last.tool_choice, last.is_last),
        ("turn-3-last", &ToolChoice::None, true)
    );
    assert!(last.messages[0].text().starts_with("No tool calls are left"));
    // Even a model that calls a tool nevertheless does not prolong it.
    agent.model_answered(calls("my answer", vec![call("z", "look", json!({}))]));
    assert_eq!(done(&mut agent), success("my answer", Some(LimitHit::Turns)));
}

#[test]
fn when_the_last_question_fails_the_last_words_are_the_answer() {
    let mut agent = start(1);
    turn(
        &mut agent,
        calls("half of it", vec![call("a", "look", json!({}))]),
        "x",
    );
    asked(&mut agent);
    agent.model_failed(&LlmError::Interrupted {
        detail: "gone".into(),
    });
    assert_eq!(done(&mut agent), success("half of it", Some(LimitHit::Turns)));
}

#[test]
fn equal_rounds_are_warned_about_and_then_ended() {
    let mut agent = start(50);
    for n in 1..=5 {
        turn(&mut agent, calls("", vec![call("a", "look", json!({}))]), "same");
        let warned = last_results(&agent)[0].contains("exactly these calls");
        assert_eq!(warned, n == 3 || n == 4, "round {n}");
    }
    let last = asked(&mut agent);
    assert!(last.is_last);
    agent.model_answered(says("enough"));
    assert_eq!(done(&mut agent), success("enough", Some(LimitHit::Loop)));
}

#[test]
fn equal_calls_with_new_results_are_no_loop() {
    let mut agent = start(50);
    for n in 0..20 {
        turn(
            &mut agent,
            calls("", vec![call("a", "look", json!({}))]),
            &n.to_string(),
        );
    }
    assert!(!asked(&mut agent).is_last);
}

#[test]
fn near_the_deadline_open_calls_are_not_run_and_the_model_is_asked_for_an_answer() {
    let mut agent = start(50);
    asked(&mut agent);
    agent.deadline_near();
    agent.model_answered(calls("", vec![call("a", "look", json!({}))]));
    let last = asked(&mut agent);
    assert!(last.is_last);
    assert_eq!(
        last_results(&agent),
        ["Not run: the time for this task is nearly up."]
    );
    agent.model_answered(says("so far"));
    assert_eq!(done(&mut agent), success("so far", Some(LimitHit::Deadline)));
}

#[test]
fn past_the_deadline_the_words_of_a_broken_answer_are_kept() {
    let mut agent = start(50);
    asked(&mut agent);
    agent.partial_answer("I found that");
    agent.deadline_passed();
    assert_eq!(
        done(&mut agent),
        success("I found that", Some(LimitHit::Deadline))
    );

    let mut agent = start(50);
    asked(&mut agent);
    agent.deadline_passed();
    let class = done(&mut agent).failure.map(|f| f.class);
    assert_eq!(class, Some(FailureClass::Deadline));
}

#[test]
fn an_empty_answer_is_nudged_once() {
    let mut agent = start(50);
    asked(&mut agent);
    agent.model_answered(says(" "));
    assert!(asked(&mut agent).messages[0].text().contains("empty"));
    agent.model_answered(says("well"));
    assert_eq!(done(&mut agent), success("well", None));

    let mut agent = start(50);
    for _ in 0..2 {
        asked(&mut agent);
        agent.model_answered(says(""));
    }
    let failure = Failure::new(FailureClass::Agent, "the model gave no answer");
    assert_eq!(done(&mut agent).failure, Some(failure));
}

#[test]
fn an_answer_cut_by_the_output_limit_is_kept_and_its_cut_call_is_not_run() {
    let mut agent = start(50);
    asked(&mut agent);
    agent.model_answered(answer("a long st", vec![], FinishReason::Length));
    assert_eq!(done(&mut agent), success("a long st", Some(LimitHit::Output)));

    for cut in [json!("{\"content\": \"aaa"), json!({})] {
        let mut agent = start(50);
        asked(&mut agent);
        let made = vec![call("a", "look", json!({"n": 1})), call("b", "touch", cut)];
        agent.model_answered(answer("", made, FinishReason::Length));
        assert_eq!(round(&mut agent).len(), 1);
        agent.tools_answered(vec![ok(&CallId::new("a").unwrap(), "fine")]);
        assert!(last_results(&agent)[1].contains("output limit"));
    }
}

#[test]
fn a_conversation_that_is_too_long_is_cut_and_asked_once_again() {
    let too_long = || LlmError::ContextLength {
        detail: "long".into(),
    };
    let mut agent = start(50);
    turn(
        &mut agent,
        calls("", vec![call("a", "look", json!({}))]),
        &"x".repeat(40_000),
    );
    assert_eq!(asked(&mut agent).shorten, None);
    agent.model_failed(&too_long());
    let again = asked(&mut agent);
    assert_eq!(
        again.shorten,
        Some(Shorten {
            before: 3,
            keep: 8192
        })
    );
    assert_eq!((again.step.as_str(), again.base), ("turn-3", 2));
    agent.model_failed(&too_long());
    assert_eq!(
        done(&mut agent).failure.map(|f| f.class),
        Some(FailureClass::Agent)
    );
}

#[test]
fn failures_end_the_loop_in_their_class_and_keep_the_last_words() {
    let refused = |kind| LlmError::Refused {
        kind,
        detail: "no".into(),
    };
    for (error, class, limit) in [
        (
            refused("budget-exhausted"),
            FailureClass::Refused,
            Some(LimitHit::Budget),
        ),
        (refused("model-not-allowed"), FailureClass::Refused, None),
        (LlmError::Cancelled, FailureClass::Cancelled, None),
        (
            LlmError::Authentication { detail: "no".into() },
            FailureClass::Agent,
            None,
        ),
    ] {
        let mut agent = start(50);
        turn(
            &mut agent,
            calls("words", vec![call("a", "look", json!({}))]),
            "x",
        );
        asked(&mut agent);
        agent.model_failed(&error);
        let outcome = done(&mut agent);
        assert_eq!(
            (
                outcome.failure.map(|f| f.class),
                outcome.limit,
                outcome.answer.as_str()
            ),
            (Some(class), limit, "words")
        );
    }
}

#[test]
fn what_travels_is_only_what_is_new() {
    let mut agent = start(100);
    let mut sent = 0;
    for n in 0..50 {
        let step = asked(&mut agent);
        sent += serde_json::to_string(&step.messages).unwrap().len();
        agent.model_answered(calls("", vec![call("a", "look", json!({"n": n}))]));
        agent.tools_answered(vec![ok(&CallId::new("a").unwrap(), &"y".repeat(1000))]);
    }
    assert!(sent < 50 * 1200, "{sent} bytes");
}

#[derive(Debug, Clone)]
enum Event {
    Answer {
        text: bool,
        calls: Vec<(u8, u8)>,
        finish: FinishReason,
    },
    Fail(u8),
    Near,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let finish = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::Length)
    ];
    let answer = (
        any::<bool>(),
        prop::collection::vec((0_u8..4, 0_u8..4), 0..5),
        finish,
    )
        .prop_map(|(text, calls, finish)| Event::Answer { text, calls, finish });
    prop::collection::vec(
        prop_oneof![12 => answer, 1 => (0_u8..3).prop_map(Event::Fail), 1 => Just(Event::Near)],
        1..80,
    )
}

fn made((tool, arguments): (u8, u8), number: usize) -> ToolCall {
    let tools = ["look", "touch", "forbidden", "unknown"];
    let arguments = [json!({}), json!({"a": 1}), json!("{"), json!(null)][usize::from(arguments)].clone();
    call(&format!("c{number}"), tools[usize::from(tool)], arguments)
}

proptest! {
    #[test]
    fn any_model_ends_within_the_limit_and_every_call_has_one_result(
        max_turns in 0_u32..12, window in prop::option::of(100_u32..5000), events in events(),
    ) {
        let config = LoopConfig { context_window: window, ..config(max_turns) };
        let mut agent = AgentLoop::new(config, vec![Message::user("task")]);
        let mut script = events.into_iter().cycle();
        let (mut asked, mut number) = (0, 0);
        let mut steps = BTreeSet::new();
        loop {
            match agent.next_step() {
                Step::Done(_) => break,
                Step::CallModel(step) => {
                    asked += 1;
                    prop_assert!(asked <= max_turns + 1);
                    prop_assert!(steps.insert(step.step), "step ids are unique");
                    match script.next().unwrap() {
                        Event::Answer { text, calls, finish } => {
                            let calls = calls.into_iter().map(|c| { number += 1; made(c, number) }).collect();
                            let mut response = answer(if text { "words" } else { "" }, calls, finish);
                            response.usage = Some(Usage { input_tokens: 300, ..Usage::default() });
                            agent.model_answered(response);
                        }
                        Event::Fail(0) => agent.model_failed(&LlmError::ContextLength { detail: "l".into() }),
                        Event::Fail(1) => agent.model_failed(&LlmError::Cancelled),
                        Event::Fail(_) => agent.deadline_passed(),
                        Event::Near => { agent.deadline_near(); agent.model_answered(says("")); }
                    }
                }
                Step::CallTools(round) => {
                    prop_assert!(!round.calls.is_empty());
                    agent.tools_answered(round.calls.iter().map(|(_, c)| ok(&c.id, &"r".repeat(500))).collect());
                }
            }
        }
        let mut messages = agent.messages().iter().peekable();
        while let Some(message) = messages.next() {
            let ids: Vec<_> = message.tool_calls().map(|c| c.id.clone()).collect();
            if !ids.is_empty() && let Some(next) = messages.peek() {
                let answered: Vec<_> = next.results().map(|r| r.id.clone()).collect();
                prop_assert_eq!(ids, answered);
            }
        }
    }
}
