//! What the gateway keeps of a conversation, what it decides about models, and what it records.

use crate::providers::fake;
use crate::scene::{Raw, Scene, body, call, client, gateway, kind, plan, turn};
use crate::stores::ReadSessions;
use serde_json::json;
use std::sync::Arc;
use sympozium_core::chat::{Message, ToolResult, Usage};
use sympozium_core::llm::{Capabilities, LlmError};
use sympozium_core::policy::Pattern;
use sympozium_core::store::{
    Account, AuditKind, AuditLog, InMemoryStore, Ledger, Scope, SessionFilter, SessionStore, Window,
};
use sympozium_core::testing::{FakeAnswer, FakeProvider};
use sympozium_llm::gateway::Stores;

#[tokio::test]
async fn only_new_messages_travel_and_the_whole_conversation_goes_upstream() {
    let store = Arc::new(InMemoryStore::new());
    let provider = fake([FakeAnswer::text("one", 3, 1), FakeAnswer::text("two", 4, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (plan, client, raw) = scene.run();
    turn(&client, &call("a", "hi")).await;
    let mut second = call("b", "and?");
    second.base = 2;
    turn(&client, &second).await;
    let said = [
        Message::user("hi"),
        Message::assistant("one"),
        Message::user("and?"),
    ];
    assert_eq!(provider.requests()[1].messages, said);
    // A conversation that does not go on from what is stored.
    let gap = raw
        .chat("c", &json!({"base": 7, "messages": [Message::user("x")]}))
        .await;
    assert_eq!((gap.0, kind(&gap)), (409, "step-conflict"));
    // Without a name, a turn that was taken is not taken again, and not answered from the record.
    let unnamed = raw.post("/v1/chat", &body("hi")).await;
    assert_eq!((unnamed.0, kind(&unnamed)), (409, "step-conflict"));
    let sessions = store
        .list(&SessionFilter::default(), None, 10)
        .await
        .unwrap()
        .items;
    let turns = store.transcript(sessions[0].id, None, 10).await.unwrap().items;
    let stored: Vec<_> = turns
        .iter()
        .map(|turn| (turn.message.text(), turn.usage.map(|u| u.total())))
        .collect();
    let expected = [("hi", None), ("one", Some(4)), ("and?", None), ("two", Some(5))];
    assert_eq!(stored, expected.map(|(text, usage)| (text.to_owned(), usage)));
    let account = Account {
        scope: Scope::Run(plan.run.uid),
        window: Window::Total,
    };
    assert_eq!(store.held(&account).await.unwrap().tokens, 9);
}

/// The step of that number, whose answer will be "answer <number>".
fn nth(number: u32) -> (sympozium_llm::agent::ModelCall, FakeAnswer) {
    let mut call = call(&format!("turn-{number}"), &format!("words {number}"));
    call.base = number * 2;
    (call, FakeAnswer::text(format!("answer {number}"), 1, 1))
}

#[tokio::test]
async fn a_turn_does_not_read_the_turns_before_it() {
    let sessions = ReadSessions::new(Arc::new(InMemoryStore::new()));
    let provider = fake((0..20).map(|number| nth(number).1));
    let mut scene = Scene::new(gateway(provider.clone()).stores(sessions.with_the_rest()));
    let (_, client, _) = scene.run();
    for number in 0..20 {
        turn(&client, &nth(number).0).await;
    }
    assert_eq!(sessions.reads(), 0);
    assert_eq!(provider.requests()[19].messages.len(), 39);
}

#[tokio::test]
async fn gateways_that_serve_a_run_in_turns_agree_about_its_conversation() {
    let sessions = ReadSessions::new(Arc::new(InMemoryStore::new()));
    let provider = fake((0..9).map(|number| nth(number).1));
    let plan = plan();
    let mut scenes: Vec<_> = (0..2)
        .map(|_| Scene::new(gateway(provider.clone()).stores(sessions.with_the_rest())))
        .collect();
    let clients: Vec<_> = scenes
        .iter_mut()
        .map(|scene| client(&scene.open(&plan)))
        .collect();
    let mut said = Vec::new();
    for (number, gateway) in (0..).zip([0, 0, 1, 0, 1, 1, 1, 0, 1]) {
        turn(&clients[gateway], &nth(number).0).await;
        said.push(Message::user(format!("words {number}")));
        assert_eq!(
            provider.requests()[number as usize].messages,
            said,
            "turn {number}"
        );
        said.push(Message::assistant(format!("answer {number}")));
    }
    // Only where the other one was the last to speak.
    assert_eq!(sessions.reads(), 5);
}

#[tokio::test]
async fn a_session_that_is_deleted_is_not_remembered() {
    let store = Arc::new(InMemoryStore::new());
    let provider = fake([FakeAnswer::text("one", 1, 1), FakeAnswer::text("two", 1, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (_, client, raw) = scene.run();
    turn(&client, &call("a", "hi")).await;
    let all = SessionFilter::default();
    let session = store.list(&all, None, 1).await.unwrap().items.remove(0);
    store.delete(session.id).await.unwrap();
    let gone = raw
        .chat("b", &json!({"base": 2, "messages": [Message::user("and?")]}))
        .await;
    assert_eq!((gone.0, kind(&gone)), (409, "step-conflict"));
    turn(&client, &call("c", "anew")).await;
    assert_eq!(provider.requests()[1].messages, [Message::user("anew")]);
}

#[tokio::test]
async fn a_later_run_of_a_session_goes_on_from_the_earlier_one() {
    let answers = [FakeAnswer::text("one", 3, 1), FakeAnswer::text("two", 4, 1)];
    let fake = FakeProvider::new("fake".parse().unwrap(), answers);
    let provider = Arc::new(fake.capabilities(Capabilities {
        context_window: Some(9_000),
        ..Capabilities::default()
    }));
    let mut scene = Scene::new(gateway(provider.clone()));
    let (mut first, mut second) = (plan(), plan());
    first.session = Some("chat 1".parse().unwrap());
    second.session.clone_from(&first.session);
    let (one, two) = (client(&scene.open(&first)), client(&scene.open(&second)));
    assert_eq!(one.run_input().await.unwrap().history.messages, 0);
    turn(&one, &call("a", "hi")).await;
    let input = two.run_input().await.unwrap();
    assert_eq!((input.history.messages, input.context_window), (2, Some(9_000)));
    assert_eq!((input.task, input.run), (second.task, second.run));
    turn(&two, &call("a", "again")).await;
    let said = [
        Message::user("hi"),
        Message::assistant("one"),
        Message::user("again"),
    ];
    assert_eq!(provider.requests()[1].messages, said);
    // The later run's own numbers begin at 0, and the earlier one's stay as they were.
    assert_eq!(one.run_input().await.unwrap().history.messages, 0);
}

#[tokio::test]
async fn old_tool_output_is_cut_upstream_and_not_in_the_record() {
    let provider = fake([FakeAnswer::text("one", 3, 1)]);
    let store = Arc::new(InMemoryStore::new());
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (_, _, raw) = scene.run();
    let long = ToolResult {
        id: "c".parse().unwrap(),
        content: "x".repeat(1_000),
        is_error: false,
    };
    let messages = [Message::tool_results(vec![long])];
    let body = json!({"base": 0, "messages": messages, "shorten": {"before": 1, "keep": 10}});
    assert_eq!(raw.chat("s", &body).await.0, 200);
    let sent = provider.requests()[0].messages[0]
        .results()
        .next()
        .unwrap()
        .content
        .clone();
    assert!(sent.len() < 100, "{sent}");
    let sessions = store
        .list(&SessionFilter::default(), None, 10)
        .await
        .unwrap()
        .items;
    let kept = store.transcript(sessions[0].id, None, 10).await.unwrap().items;
    assert_eq!(kept[0].message, messages[0]);
}

#[tokio::test]
async fn a_model_that_a_policy_forbids_is_not_called_and_the_record_says_so() {
    let store = Arc::new(InMemoryStore::new());
    let provider = fake([]);
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let mut plan = plan();
    plan.policies[0].models.deny = vec![Pattern::new("m*").unwrap()];
    let refused = Raw::new(&scene.open(&plan)).chat("s", &body("hi")).await;
    assert_eq!((refused.0, kind(&refused)), (403, "model-not-allowed"));
    assert_eq!(
        (&refused.1["policy"], &refused.1["rule"]),
        (&json!("local-default"), &json!("models.deny[0]"))
    );
    assert!(provider.requests().is_empty());
    let records = store.read(plan.run.uid, None, 10).await.unwrap().items;
    assert_eq!((records.len(), records[0].kind), (1, AuditKind::Verdict));
    assert_eq!(
        (&records[0].detail["outcome"], &records[0].detail["rule"]),
        (&json!("deny"), &json!("models.deny[0]"))
    );
}

#[tokio::test]
async fn every_model_call_is_on_record_with_what_it_used() {
    let store = Arc::new(InMemoryStore::new());
    let mut scene =
        Scene::new(gateway(fake([FakeAnswer::text("one", 3, 1)])).stores(Stores::all(store.clone())));
    let (plan, client, _) = scene.run();
    turn(&client, &call("a", "hi")).await;
    let records = store.read(plan.run.uid, None, 10).await.unwrap().items;
    let usage = Usage {
        input_tokens: 3,
        output_tokens: 1,
        ..Usage::default()
    };
    let expected = json!({
        "step": "a", "provider": "fake", "model": "m", "attempts": 1, "usage": usage, "error": null,
    });
    assert_eq!(
        (records.len(), records[0].kind, &records[0].detail),
        (1, AuditKind::ModelCall, &expected)
    );
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_said_before_the_run_begins() {
    let mut scene = Scene::new(gateway(fake([])));
    let mut plan = plan();
    plan.model.provider = "other".parse().unwrap();
    let refused = Raw::new(&scene.open(&plan)).get("/v1/run").await;
    assert_eq!((refused.0, kind(&refused)), (502, "provider-refused"));
    assert_eq!(refused.1["detail"], "There is no provider other in this gateway.");
}

/// What a run's session holds, as text.
async fn kept(store: &InMemoryStore) -> Vec<(String, Option<u64>)> {
    let sessions = store.list(&SessionFilter::default(), None, 10).await.unwrap();
    let turns = store.transcript(sessions.items[0].id, None, 100).await.unwrap();
    let turns = turns.items.iter();
    turns
        .map(|turn| (turn.message.text(), turn.usage.map(|usage| usage.total())))
        .collect()
}

#[tokio::test]
async fn a_conversation_that_its_sender_keeps_is_in_the_transcript_too_and_each_word_once() {
    let store = Arc::new(InMemoryStore::new());
    let provider = fake([FakeAnswer::text("one", 3, 1), FakeAnswer::text("two", 4, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (_, _, raw) = scene.run();
    let path = "/v1/chat/completions";
    let first = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(raw.post(path, &first).await.0, 200);
    let second = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "and?"},
    ]});
    assert_eq!(raw.post(path, &second).await.0, 200);
    let expected = [("hi", None), ("one", Some(4)), ("and?", None), ("two", Some(5))];
    assert_eq!(
        kept(&store).await,
        expected.map(|(text, usage)| (text.to_owned(), usage))
    );
}

#[tokio::test]
async fn calls_of_one_run_at_the_same_time_are_all_in_its_transcript() {
    const CALLS: usize = 8;
    let store = Arc::new(InMemoryStore::new());
    let provider = fake((0..CALLS).map(|n| FakeAnswer::text(format!("answer {n}"), 3, 1)));
    let mut scene = Scene::new(gateway(provider).stores(Stores::all(store.clone())));
    let (_, _, raw) = scene.run();
    let asked = (0..CALLS).map(|n| {
        let raw = &raw;
        async move {
            let body =
                json!({"model": "m", "messages": [{"role": "user", "content": format!("question {n}")}]});
            raw.post("/v1/chat/completions", &body).await.0
        }
    });
    assert_eq!(futures::future::join_all(asked).await, [200; CALLS]);
    let mut texts: Vec<_> = kept(&store).await.into_iter().map(|(text, _)| text).collect();
    texts.sort();
    let expected = |word: &str| (0..CALLS).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
    assert_eq!(texts, [expected("answer"), expected("question")].concat());
}

#[tokio::test]
async fn a_run_that_got_no_answer_leaves_no_empty_session() {
    let store = Arc::new(InMemoryStore::new());
    let refused = FakeAnswer::Error(LlmError::Authentication {
        detail: "no".to_owned(),
    });
    let provider = fake([refused, FakeAnswer::text("one", 3, 1)]);
    let mut scene = Scene::new(gateway(provider).stores(Stores::all(store.clone())));
    let (_, client, raw) = scene.run();
    assert_eq!(client.run_input().await.unwrap().history.messages, 0);
    assert_eq!(raw.chat("a", &body("hi")).await.0, 502);
    let all = SessionFilter::default();
    assert_eq!(store.list(&all, None, 10).await.unwrap().items, []);
    turn(&client, &call("a", "hi")).await;
    assert_eq!(store.list(&all, None, 10).await.unwrap().items[0].turns, 2);
}

#[tokio::test]
async fn a_run_is_told_the_window_of_its_model_when_the_provider_does_not_know() {
    let mut scene = Scene::new(gateway(fake([])));
    let mut plan = plan();
    plan.model.model = "gpt-4o-mini".parse().unwrap();
    let known = client(&scene.open(&plan)).run_input().await.unwrap();
    assert_eq!(known.context_window, Some(128_000));
    let (_, unknown, _) = scene.run();
    assert_eq!(unknown.run_input().await.unwrap().context_window, None);
}
