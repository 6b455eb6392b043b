//! The client against a fake gateway.

use super::{GatewayClient, GatewayEndpoint};
use crate::agent::{ModelCall, ModelClient, Turn, TurnEvent};
use crate::runner::fake_gateway::{FakeGateway, Play};
use std::time::Duration;
use sympozium_core::chat::{Message, ToolChoice};
use sympozium_core::gateway::{FetchRequest, Problem, ProblemKind};
use sympozium_core::ids::StepId;
use sympozium_core::llm::LlmError;

fn call() -> ModelCall {
    ModelCall {
        step: StepId::new("turn-1").unwrap(),
        base: 0,
        messages: vec![Message::user("t")],
        tool_choice: ToolChoice::Auto,
        shorten: None,
        is_last: false,
    }
}

fn start(plays: Vec<Play>) -> (tempfile::TempDir, FakeGateway, GatewayClient) {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeGateway::start(folder.path(), plays);
    let client =
        GatewayClient::new(GatewayEndpoint::Unix(fake.socket.clone())).patience(Duration::from_secs(20));
    (folder, fake, client)
}

async fn ask(client: &GatewayClient) -> (Result<String, LlmError>, Vec<String>) {
    ask_for(client, &call()).await
}

async fn ask_for(client: &GatewayClient, call: &ModelCall) -> (Result<String, LlmError>, Vec<String>) {
    let turn = Turn {
        call,
        messages: &call.messages,
        system: Some("s"),
        tools: &[],
    };
    let mut heard = Vec::new();
    let mut hear = |event: TurnEvent| match event {
        TurnEvent::Chat(event) => heard.push(format!("{:?}", serde_json::to_value(event).unwrap()["type"])),
        TurnEvent::Retry(_) => heard.push("retry".to_owned()),
    };
    let answer = client
        .turn(turn, &mut hear)
        .await
        .map(|answer| answer.message.text());
    (answer, heard)
}

#[tokio::test]
async fn a_run_that_is_not_known_yet_is_asked_for_again() {
    let (_folder, fake, client) = start(vec![]);
    fake.with(|state| state.not_ready = 3);
    assert_eq!(client.run_input().await.unwrap().task, "the task");
    assert_eq!(fake.with(|state| state.seen.run_requests), 4);
}

#[tokio::test]
async fn patience_ends() {
    let (_folder, fake, client) = start(vec![]);
    fake.with(|state| state.not_ready = usize::MAX);
    let error = client
        .patience(Duration::from_millis(30))
        .run_input()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "not yet");
}

#[tokio::test]
async fn a_dropped_connection_asks_for_the_same_step_and_the_model_only_once() {
    let (_folder, fake, client) = start(vec![Play::DropsThenSays("the whole answer".to_owned())]);
    let (answer, heard) = ask(&client).await;
    assert_eq!(answer.unwrap(), "the whole answer");
    assert!(heard.contains(&"retry".to_owned()));
    let (steps, calls) = fake.with(|s| {
        let steps: Vec<_> = s.seen.turns.iter().map(|(step, _)| step.clone()).collect();
        (steps, s.seen.model_calls)
    });
    assert_eq!((steps, calls), (vec!["turn-1".to_owned(); 2], 1));
}

#[tokio::test]
async fn a_problem_in_the_middle_of_a_stream_is_final_and_typed() {
    let problem = Problem::new(ProblemKind::BudgetExhausted, "The budget of the day is used up.");
    let (_folder, fake, client) = start(vec![Play::Problem(problem)]);
    let (answer, _) = ask(&client).await;
    match answer.unwrap_err() {
        LlmError::Refused { kind, detail } => {
            assert_eq!(
                (kind, detail.as_str()),
                ("budget-exhausted", "The budget of the day is used up.")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.with(|state| state.seen.model_calls), 1);
}

#[tokio::test]
async fn pages_come_through_the_gateway_and_refusals_say_why() {
    let (_folder, _fake, client) = start(vec![]);
    let page = |url: &str| FetchRequest {
        url: url.to_owned(),
        headers: std::collections::BTreeMap::new(),
        max_chars: None,
    };
    assert_eq!(
        client.fetch(&page("http://example.org")).await.unwrap().text,
        "page"
    );
    let error = client.fetch(&page("http://127.0.0.1")).await.unwrap_err();
    assert!(error.is_refusal());
    assert_eq!(error.to_string(), "The address 127.0.0.1 is not public.");
}

/// Asks for input, a page and three turns; how many connections that took, and how often it was asked again.
async fn connections(closes: bool) -> (usize, usize) {
    let answers = ["one", "two", "three"];
    let (_folder, fake, client) = start(answers.map(|text| Play::Says(text.to_owned())).into());
    fake.with(|state| state.closes = closes);
    let page = FetchRequest {
        url: "http://example.org".to_owned(),
        headers: std::collections::BTreeMap::new(),
        max_chars: None,
    };
    client.run_input().await.unwrap();
    client.fetch(&page).await.unwrap();
    let mut retries = 0;
    for (turn, expected) in (0_u32..).zip(answers) {
        let call = ModelCall {
            step: StepId::new(format!("turn-{turn}")).unwrap(),
            base: turn * 2,
            ..call()
        };
        let (answer, heard) = ask_for(&client, &call).await;
        assert_eq!(answer.unwrap(), expected);
        retries += heard.iter().filter(|what| *what == "retry").count();
    }
    (fake.with(|state| state.seen.connections), retries)
}

#[tokio::test]
async fn all_requests_of_a_run_go_over_one_connection() {
    assert_eq!(connections(false).await, (1, 0));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced_without_a_word() {
    assert_eq!(connections(true).await, (5, 0));
}
