//! An API server that fails, and watches that break.

use crate::scene::{AGENT, POD, Scene, run};
use uuid::Uuid;

#[tokio::test]
async fn a_review_that_fails_lets_nobody_in_and_is_asked_for_again() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    scene.api.with(|state| state.fail_reviews = 1);
    assert_eq!(scene.refused(&token).await, "auth-unavailable");
    assert_eq!(scene.refused(&token).await, "let in");
    assert_eq!(scene.reviews(), 2);
}

#[tokio::test]
async fn what_happened_while_the_watch_was_down_is_seen_when_it_is_back() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(scene.refused(&token).await, "let in");
    scene
        .api
        .put_silently("agentruns", run("r", 1, Some(POD), "Failed"));
    let pod = Uuid::from_u128(0xb0d2);
    scene
        .api
        .put_silently("agentruns", run("s", 2, Some(pod), "Running"));
    assert_eq!(scene.refused(&token).await, "let in");
    scene.api.cut("agentruns");
    scene.until(&token, "run-ended").await;
    let other = scene.token(AGENT, pod, "s-abcde");
    scene.until(&other, "let in").await;
}

#[tokio::test]
async fn absence_from_the_cache_is_confirmed_by_one_read() {
    let scene = Scene::new().await;
    let pod = Uuid::from_u128(0xb0d2);
    let token = scene.token(AGENT, pod, "s-abcde");
    scene
        .api
        .put_silently("agentruns", run("s", 2, Some(pod), "Succeeded"));
    assert_eq!(scene.refused(&token).await, "run-ended");
    let reads = scene.api.with(|state| state.reads.clone());
    assert_eq!(
        reads,
        [("agentruns".to_owned(), "team".to_owned(), "s".to_owned())]
    );
    // The watch is late: the run is there, and goes on.
    scene
        .api
        .put_silently("agentruns", run("s", 2, Some(pod), "Running"));
    assert_eq!(scene.refused(&token).await, "let in");
}
