//! Who is let in, and as what.

use crate::scene::{AGENT, BUS, DEADLINE, OPS, POD, Scene, forged, review, run};
use secrecy::SecretString;
use serde_json::json;
use sympozium_core::auth::{Principal, Purpose};
use sympozium_core::error::Classify;
use sympozium_core::ids::RunUid;
use sympozium_core::testing::{KnownCaller, authenticate};
use uuid::Uuid;

#[tokio::test]
async fn a_token_of_a_runs_pod_is_the_run_with_all_that_holds_for_it() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    for _ in 0..5 {
        let caller = scene.ask(&token).await.unwrap();
        assert_eq!(caller.plan.run.uid, RunUid(Uuid::from_u128(1)));
        assert_eq!(caller.principal, Principal::Agent);
        assert_eq!(caller.plan.policies[0].name.0, "sympozium-system/default");
        assert_eq!(caller.plan.skills[0].pack.as_str(), "ops");
    }
    assert_eq!(scene.reviews(), 1);
}

#[tokio::test]
async fn tokens_keep_the_contract_of_authentication() {
    let scene = Scene::new().await;
    let known = KnownCaller {
        run: RunUid(Uuid::from_u128(1)),
        token: Some(SecretString::from(scene.token(AGENT, POD, "r-abcde"))),
        listener: None,
    };
    authenticate(&scene.auth, &known).await;
}

#[tokio::test]
async fn a_token_that_was_minted_without_a_pod_is_nobodys() {
    let scene = Scene::new().await;
    let unbound = forged(AGENT, None, scene.now());
    assert_eq!(scene.refused(&unbound).await, "unauthenticated");
    assert_eq!(scene.reviews(), 0);
    // It claims a pod, and the API server knows of none.
    let claims = forged(AGENT, Some(POD), scene.now());
    let mut status = review(AGENT, POD, "r-abcde");
    status["user"]["extra"] = json!({});
    scene.genuine(&claims, AGENT, &status);
    assert_eq!(scene.refused(&claims).await, "unauthenticated");
    assert_eq!(scene.reviews(), 1);
}

#[tokio::test]
async fn a_token_for_another_audience_is_not_even_reviewed() {
    let scene = Scene::new().await;
    for audience in [BUS, OPS, "https://kubernetes.default.svc"] {
        let token = scene.token(audience, POD, "r-abcde");
        assert_eq!(scene.refused(&token).await, "unauthenticated", "{audience}");
    }
    let agents = scene.token(AGENT, POD, "r-abcde");
    let egress = scene.ask_as(&agents, Purpose::Egress, None).await.unwrap_err();
    assert_eq!((egress.kind(), scene.reviews()), ("unauthenticated", 0));
}

#[tokio::test]
async fn a_skill_is_the_one_that_its_token_was_made_for() {
    let scene = Scene::new().await;
    let token = scene.token(OPS, POD, "r-abcde");
    let caller = scene.ask_as(&token, Purpose::Egress, None).await.unwrap();
    assert_eq!(caller.principal, Principal::Skill("ops".parse().unwrap()));
    // It claims to be of another pack; the API server reviews it for that one, and says no.
    let other = forged("sympozium-egress/other", Some(POD), scene.now());
    scene.genuine(&other, OPS, &review(OPS, POD, "r-abcde"));
    let refused = scene.ask_as(&other, Purpose::Egress, None).await.unwrap_err();
    assert_eq!(refused.kind(), "unauthenticated");
    for audience in [
        "sympozium-egress/",
        "sympozium-egress/Not Fine",
        "sympozium-egress",
    ] {
        let token = scene.token(audience, POD, "r-abcde");
        let refused = scene.ask_as(&token, Purpose::Egress, None).await.unwrap_err();
        assert_eq!(refused.kind(), "unauthenticated", "{audience}");
    }
}

#[tokio::test]
async fn a_run_that_ended_is_refused_by_the_watch_though_its_token_is_known() {
    let mut scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(scene.refused(&token).await, "let in");
    scene.api.put("agentruns", run("r", 1, Some(POD), "Succeeded"));
    let ended = tokio::time::timeout(DEADLINE, scene.ended.recv()).await.unwrap();
    assert_eq!(ended, Some(RunUid(Uuid::from_u128(1))));
    assert_eq!(scene.refused(&token).await, "run-ended");
    assert_eq!(
        (scene.reviews(), scene.api.with(|state| state.reads.len())),
        (1, 0)
    );
}

#[tokio::test]
async fn a_run_that_was_deleted_or_cancelled_is_refused() {
    let mut scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    let mut cancelled = run("r", 1, Some(POD), "Running");
    cancelled["spec"]["cancel"] = json!(true);
    scene.api.put("agentruns", cancelled);
    tokio::time::timeout(DEADLINE, scene.ended.recv()).await.unwrap();
    assert_eq!(scene.refused(&token).await, "run-ended");
    scene.api.delete("agentruns", "team", "r");
    tokio::time::timeout(DEADLINE, scene.ended.recv()).await.unwrap();
    assert_eq!(scene.refused(&token).await, "run-ended");
}

#[tokio::test]
async fn another_pod_is_not_the_runs() {
    let scene = Scene::new().await;
    // Whoever may make pods there can name one as the run's, and have a token bound to it.
    let forger = scene.token(AGENT, Uuid::from_u128(0xbad), "r-zzzzz");
    assert_eq!(scene.refused(&forger).await, "unauthenticated");
    let strange = scene.token(AGENT, Uuid::from_u128(0xbad2), "whatever");
    assert_eq!(scene.refused(&strange).await, "unauthenticated");
    // The run got another pod: the first one's token is void.
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(scene.refused(&token).await, "let in");
    scene
        .api
        .put("agentruns", run("r", 1, Some(Uuid::from_u128(0xb0d2)), "Running"));
    scene.until(&token, "run-ended").await;
}

#[tokio::test]
async fn a_run_that_does_not_name_its_pod_yet_is_not_ready_and_then_is() {
    let scene = Scene::new().await;
    let pod = Uuid::from_u128(0xb0d2);
    scene.api.put("agentruns", run("new", 2, None, "Pending"));
    let token = scene.token(AGENT, pod, "new-abcde");
    scene.until(&token, "run-not-ready").await;
    scene.api.put("agentruns", run("new", 2, Some(pod), "Running"));
    scene.until(&token, "let in").await;
}

#[tokio::test]
async fn a_name_that_is_used_again_gets_nothing_of_the_run_before() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    scene.api.delete("agentruns", "team", "r");
    scene.api.put("agentruns", run("r", 9, None, "Pending"));
    scene.until(&token, "run-ended").await;
}

#[tokio::test]
async fn a_run_whose_policy_is_gone_may_do_nothing() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(scene.refused(&token).await, "let in");
    scene
        .api
        .delete("sympoziumpolicies", "sympozium-system", "default");
    scene.until(&token, "policy-refused").await;
    let error = scene.ask(&token).await.unwrap_err().to_string();
    assert!(error.contains("sympozium-system/default"), "{error}");
}

#[tokio::test]
async fn a_review_counts_for_half_a_minute() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(scene.refused(&token).await, "let in");
    scene.pass(29);
    assert_eq!((scene.refused(&token).await, scene.reviews()), ("let in", 1));
    // Its ServiceAccount is gone: the API server says no from now on.
    scene.api.with(|state| state.tokens.clear());
    scene.pass(2);
    assert_eq!(
        (scene.refused(&token).await, scene.reviews()),
        ("unauthenticated", 2)
    );
}
