//! A step asked for again is answered, and not repeated.

use crate::providers::{Gated, done, fake, text};
use crate::scene::{DEADLINE, Scene, body, call, client, gateway, kind, limits, plan, turn, until};
use crate::stores::{Shared, Steps, TestClock};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::ChatEvent;
use sympozium_core::llm::LlmError;
use sympozium_core::store::{InMemoryStore, StepLog};
use sympozium_core::testing::{FailingStore, FakeAnswer};
use sympozium_llm::agent::TurnEvent;
use sympozium_llm::gateway::{GatewayLimits, Stores};

#[tokio::test]
async fn a_repeated_step_is_answered_from_its_record() {
    let provider = fake([FakeAnswer::text("hello", 3, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()));
    let (_, client, _) = scene.run();
    let first = turn(&client, &call("turn-1", "hi")).await;
    let second = turn(&client, &call("turn-1", "hi")).await;
    assert_eq!(first, second);
    assert_eq!((first.0.as_str(), provider.requests().len()), ("hello", 1));
    scene.stop().await;
}

#[tokio::test]
async fn another_request_under_a_step_is_refused_while_it_is_under_way_and_afterwards() {
    let provider = Gated::new();
    let mut scene = Scene::new(gateway(provider.clone()));
    let (_, _, raw) = scene.run();
    let mut under_way = raw.streamed("s", &body("one")).await;
    until(&mut under_way, "first").await;
    let refused = raw.chat("s", &body("two")).await;
    assert_eq!((refused.0, kind(&refused)), (409, "step-conflict"));
    provider.let_on();
    until(&mut under_way, "\"done\"").await;
    let refused = raw.chat("s", &body("two")).await;
    assert_eq!((refused.0, kind(&refused)), (409, "step-conflict"));
    assert_eq!(raw.chat("s", &body("one")).await.0, 200);
    assert_eq!(provider.calls(), 1);
}

#[tokio::test]
async fn a_second_request_joins_the_first_and_both_get_everything() {
    let provider = Gated::new();
    let mut scene = Scene::new(gateway(provider.clone()));
    let (_, _, raw) = scene.run();
    let mut one = raw.streamed("s", &body("hi")).await;
    let mut first = until(&mut one, "first").await;
    let mut two = raw.streamed("s", &body("hi")).await;
    // The late one has heard the beginning before the turn goes on.
    let mut second = until(&mut two, "first").await;
    provider.let_on();
    first.push_str(&until(&mut one, "\"done\"").await);
    second.push_str(&until(&mut two, "\"done\"").await);
    assert_eq!(first, second);
    assert!(first.contains(", last"));
    assert_eq!(provider.calls(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_cancel_its_turn() {
    let provider = Gated::new();
    let store = Arc::new(InMemoryStore::new());
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (plan, client, raw) = scene.run();
    let mut gone = raw.streamed("s", &body("hi")).await;
    until(&mut gone, "first").await;
    drop((gone, raw));
    provider.let_on();
    // Nobody listens, and the turn ends all the same.
    scene.gateway.drain().await;
    let recorded = store.steps(plan.run.uid).await.unwrap();
    assert!(recorded[0].answer.is_some());
    let again = turn(&client, &call("s", "hi")).await;
    assert_eq!((again.0.as_str(), provider.calls()), ("first, last", 1));
}

#[tokio::test]
async fn the_last_event_waits_until_the_answer_is_stored() {
    let steps = Steps::waiting(Arc::new(InMemoryStore::new()));
    let provider = fake([FakeAnswer::text("hello", 3, 1)]);
    let mut scene = Scene::new(gateway(provider).stores(steps.with_the_rest()));
    let (plan, _, raw) = scene.run();
    let mut stream = raw.streamed("s", &body("hi")).await;
    until(&mut stream, "hello").await;
    tokio::time::timeout(DEADLINE, steps.entered.acquire())
        .await
        .unwrap()
        .unwrap()
        .forget();
    let early = tokio::time::timeout(Duration::from_millis(300), stream.chunk()).await;
    assert!(early.is_err(), "{early:?} came before the answer was stored");
    steps.let_on();
    until(&mut stream, "\"done\"").await;
    assert!(steps.steps(plan.run.uid).await.unwrap()[0].answer.is_some());
}

/// The gateway that has stored the conversation dies before it can finish the step.
async fn killed_before_it_finished(
    store: &Arc<InMemoryStore>,
    clock: &Arc<TestClock>,
) -> sympozium_core::run::RunPlan {
    let provider = fake([FakeAnswer::text("hello", 3, 1)]);
    let steps = Steps::failing(store.clone(), u32::MAX);
    let builder = gateway(provider)
        .stores(steps.with_the_rest())
        .clock(Arc::new(Shared(clock.clone())));
    let mut scene = Scene::new(builder);
    let (plan, _, raw) = scene.run();
    let (status, stream) = raw.chat("turn-1", &body("hi")).await;
    let stream = stream.as_str().unwrap();
    assert!(
        status == 200 && stream.contains("hello") && stream.contains("store-unavailable"),
        "{stream}"
    );
    assert!(!stream.contains("\"done\""));
    plan
}

#[tokio::test]
async fn what_a_killed_gateway_had_stored_is_answered_by_the_next_one_without_a_model_call() {
    let (store, clock) = (Arc::new(InMemoryStore::new()), TestClock::new());
    let plan = killed_before_it_finished(&store, &clock).await;
    let provider = fake([]);
    let builder = gateway(provider.clone()).stores(Stores::all(store.clone()));
    let mut scene = Scene::new(builder.clock(Arc::new(Shared(clock.clone()))));
    let client = client(&scene.open(&plan));
    // The dead one's lease has to end first.
    clock.advance(16);
    let (text, _) = turn(&client, &call("turn-1", "hi")).await;
    assert_eq!((text.as_str(), provider.requests().len()), ("hello", 0));
    assert!(store.steps(plan.run.uid).await.unwrap()[0].answer.is_some());
}

#[tokio::test]
async fn a_step_of_another_gateway_is_waited_for_until_its_lease_ends() {
    let (store, clock) = (Arc::new(InMemoryStore::new()), TestClock::new());
    let plan = killed_before_it_finished(&store, &clock).await;
    let builder = gateway(fake([])).stores(Stores::all(store));
    let mut scene = Scene::new(builder.clock(Arc::new(Shared(clock.clone()))));
    let client = client(&scene.open(&plan));
    let asked = call("turn-1", "hi");
    let mut waiting = Box::pin(turn(&client, &asked));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut waiting)
            .await
            .is_err()
    );
    clock.advance(16);
    assert_eq!(waiting.await.0, "hello");
}

#[tokio::test]
async fn a_step_that_could_not_be_finished_is_recovered_by_asking_again() {
    let store = Arc::new(InMemoryStore::new());
    let provider = fake([FakeAnswer::text("hello", 3, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()).stores(Steps::failing(store, 1).with_the_rest()));
    let (_, client, _) = scene.run();
    // The client asks again by itself: the store was only away for a moment.
    let (text, _) = turn(&client, &call("turn-1", "hi")).await;
    assert_eq!((text.as_str(), provider.requests().len()), ("hello", 1));
}

#[tokio::test]
async fn a_broken_stream_is_told_as_a_retry_and_asked_for_again() {
    let broken = vec![
        Ok(text("ha")),
        Err(LlmError::Interrupted {
            detail: "gone".to_owned(),
        }),
    ];
    let provider = fake([FakeAnswer::Events(broken), FakeAnswer::text("hello", 3, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()));
    let (_, client, _) = scene.run();
    let (answer, heard) = turn(&client, &call("turn-1", "hi")).await;
    let retries: Vec<_> = heard
        .iter()
        .map(|event| match event {
            TurnEvent::Chat(ChatEvent::TextDelta { text, .. }) => text.clone(),
            TurnEvent::Chat(_) => "done".to_owned(),
            TurnEvent::Retry(notice) => format!("retry {}: {}", notice.attempt, notice.detail),
        })
        .collect();
    let retry = "retry 1: The provider's answer broke off: gone.";
    assert_eq!(
        (answer.as_str(), retries),
        (
            "hello",
            ["ha", retry, "hello", "done"].map(str::to_owned).to_vec()
        )
    );
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_given_up_and_the_step_may_be_asked_for_again() {
    let down = || {
        FakeAnswer::Error(LlmError::Unavailable {
            status: 503,
            after: None,
            detail: "down".to_owned(),
        })
    };
    let provider = fake([down(), down(), down(), down(), FakeAnswer::text("hello", 3, 1)]);
    let mut scene = Scene::new(gateway(provider.clone()));
    let (_, _, raw) = scene.run();
    let (_, stream) = raw.chat("s", &body("hi")).await;
    assert!(
        stream.as_str().unwrap().contains("provider-unavailable"),
        "{stream}"
    );
    assert_eq!(provider.requests().len(), 4);
    let (_, stream) = raw.chat("s", &body("hi")).await;
    assert!(stream.as_str().unwrap().contains("hello"), "{stream}");
}

#[tokio::test]
async fn what_only_the_gateway_may_know_of_a_refused_key_stays_in_it() {
    let detail = "Incorrect API key provided: sk-a***yz".to_owned();
    let provider = fake([FakeAnswer::Error(LlmError::Authentication { detail })]);
    let mut scene = Scene::new(gateway(provider));
    let (_, _, raw) = scene.run();
    let refused = raw.chat("s", &body("hi")).await;
    assert_eq!((refused.0, kind(&refused)), (502, "provider-refused"));
    assert!(!refused.1.to_string().contains("sk-a"));
}

#[tokio::test]
async fn without_any_of_its_stores_the_gateway_refuses() {
    let memory = || Stores::all(Arc::new(InMemoryStore::new()));
    let failing = Arc::new(FailingStore);
    for (name, stores, calls) in [
        (
            "sessions",
            Stores {
                sessions: failing.clone(),
                ..memory()
            },
            0,
        ),
        (
            "steps",
            Stores {
                steps: failing.clone(),
                ..memory()
            },
            0,
        ),
        (
            "ledger",
            Stores {
                ledger: failing.clone(),
                ..memory()
            },
            0,
        ),
        // It records what was done, so it is asked last; what it can't record is not passed on as done.
        (
            "audit",
            Stores {
                audit: failing.clone(),
                ..memory()
            },
            1,
        ),
    ] {
        let provider = fake([FakeAnswer::text("hello", 3, 1)]);
        let mut scene = Scene::new(gateway(provider.clone()).stores(stores));
        let (_, _, raw) = scene.run();
        let (status, said) = raw.chat("s", &body("hi")).await;
        assert!(
            said.to_string().contains("store-unavailable"),
            "{name}: {status} {said}"
        );
        assert!(!said.to_string().contains("\"done\""), "{name}");
        assert_eq!(provider.requests().len(), calls, "{name}");
        let ready = raw.get("/readyz").await;
        assert_eq!((ready.0, kind(&ready)), (503, "store-unavailable"), "{name}");
    }
}

#[tokio::test]
async fn more_turns_than_allowed_are_told_to_wait() {
    let provider = Gated::new();
    let limits = GatewayLimits {
        max_turns_per_run: 1,
        ..limits()
    };
    let mut scene = Scene::new(gateway(provider.clone()).limits(limits));
    let (_, _, raw) = scene.run();
    let mut first = raw.streamed("one", &body("hi")).await;
    until(&mut first, "first").await;
    let refused = raw.chat("two", &body("hi")).await;
    assert_eq!((refused.0, kind(&refused)), (429, "rate-limited"));
    let other = plan();
    let other = crate::scene::Raw::new(&scene.open(&other));
    let mut others = other.streamed("one", &body("hi")).await;
    until(&mut others, "first").await;
    let mut joined = raw.streamed("one", &body("hi")).await;
    until(&mut joined, "first").await;
    provider.let_on();
    provider.let_on();
    until(&mut first, "\"done\"").await;
    until(&mut others, "\"done\"").await;
}

#[tokio::test]
async fn a_hung_provider_ends_with_the_turn_with_the_run_or_with_its_time() {
    let hang = || fake([FakeAnswer::Hang(vec![text("hm")])]);
    // The turn's own time.
    let short = GatewayLimits {
        turn: Duration::from_millis(50),
        ..limits()
    };
    let mut scene = Scene::new(gateway(hang()).limits(short));
    let (_, _, raw) = scene.run();
    let (_, stream) = raw.chat("s", &body("hi")).await;
    assert!(stream.as_str().unwrap().contains("problem:timeout"), "{stream}");
    // The run's time.
    let mut scene = Scene::new(gateway(hang()));
    let mut plan = plan();
    plan.limits.timeout = Duration::from_millis(200);
    let raw = crate::scene::Raw::new(&scene.open(&plan));
    let (_, said) = raw.chat("s", &body("hi")).await;
    assert!(said.to_string().contains("The run's time is up."), "{said}");
    let late = raw.chat("t", &body("hi")).await;
    assert_eq!((late.0, kind(&late)), (504, "timeout"));
    // The run is ended.
    let mut scene = Scene::new(gateway(hang()));
    let (plan, _, raw) = scene.run();
    let mut stream = raw.streamed("s", &body("hi")).await;
    until(&mut stream, "hm").await;
    scene.gateway.end_run(plan.run.uid);
    until(&mut stream, "run-ended").await;
    let late = raw.chat("t", &body("hi")).await;
    assert_eq!((late.0, kind(&late)), (403, "run-ended"));
}

#[tokio::test]
async fn an_unreadable_step_or_body_is_refused() {
    let mut scene = Scene::new(gateway(fake([])));
    let (_, _, raw) = scene.run();
    for said in [
        raw.chat(&"x".repeat(129), &body("hi")).await,
        raw.chat("two words", &body("hi")).await,
        raw.chat("s", &serde_json::json!({"base": -1})).await,
        raw.chat("s", &serde_json::json!("text")).await,
    ] {
        assert_eq!((said.0, kind(&said)), (400, "bad-request"));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endless = (0..10)
        .map(|_| Ok(text(&"x".repeat(100))))
        .chain([Ok(done(None))])
        .collect();
    let limits = GatewayLimits {
        max_answer: 500,
        retry: sympozium_llm::retry::RetryPolicy {
            attempts: 1,
            ..limits().retry
        },
        ..limits()
    };
    let mut scene = Scene::new(gateway(fake([FakeAnswer::Events(endless)])).limits(limits));
    let (_, _, raw) = scene.run();
    let (_, said) = raw.chat("s", &body("hi")).await;
    assert!(said.to_string().contains("larger than 500 bytes"), "{said}");
}
