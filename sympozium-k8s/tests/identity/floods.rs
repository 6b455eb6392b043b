//! Whoever sends junk does not reach the API server, and holds up nobody else.

use crate::scene::{AGENT, POD, Scene, forged};
use std::net::IpAddr;
use sympozium_core::auth::Purpose;
use sympozium_core::error::Classify;

#[tokio::test]
async fn what_is_no_token_is_never_reviewed() {
    let scene = Scene::new().await;
    let mut junk = vec![
        String::new(),
        "Bearer".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(100_000),
    ];
    junk.extend((0..2_000).map(|i| format!("{i}.{i}.{i}")));
    let expired = forged(AGENT, Some(POD), scene.now());
    scene.pass(7_200);
    junk.push(expired);
    for token in &junk {
        assert_eq!(scene.refused(token).await, "unauthenticated");
    }
    assert_eq!(scene.reviews(), 0);
}

#[tokio::test]
async fn forged_tokens_are_reviewed_a_few_times_and_others_are_served() {
    let scene = Scene::new().await;
    let (attacker, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let mut refused = [0, 0];
    for _ in 0..1_000 {
        // They claim to be of the run's pod, which anybody can read.
        let token = forged(AGENT, Some(POD), scene.now());
        let error = scene
            .ask_as(&token, Purpose::Agent, Some(attacker))
            .await
            .unwrap_err();
        refused[usize::from(error.kind() == "too-many")] += 1;
    }
    assert_eq!((refused, scene.reviews()), ([20, 980], 20));
    let token = scene.token(AGENT, POD, "r-abcde");
    assert!(scene.ask_as(&token, Purpose::Agent, Some(other)).await.is_ok());
    // One forged token, again and again, is one review.
    scene.pass(60);
    let before = scene.reviews();
    let token = forged(AGENT, Some(POD), scene.now());
    for _ in 0..100 {
        let error = scene
            .ask_as(&token, Purpose::Agent, Some(attacker))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "unauthenticated");
    }
    assert_eq!(scene.reviews(), before + 1);
}
