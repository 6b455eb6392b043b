//! Tokens for the bus.

use crate::scene::{AGENT, BUS, DEADLINE, POD, Scene, forged, review, run};
use secrecy::SecretString;
use serde_json::json;
use sympozium_core::error::Classify;
use sympozium_core::ids::RunUid;
use sympozium_k8s::identity::{BusCaller, BusPart};
use uuid::Uuid;

async fn ask(scene: &Scene, token: &str) -> Result<BusCaller, &'static str> {
    let token = SecretString::from(token);
    scene.auth.bus_caller(&token).await.map_err(|error| error.kind())
}

#[tokio::test]
async fn a_bridge_is_let_in_while_its_run_goes_on_and_while_it_drains() {
    let mut scene = Scene::new().await;
    let token = scene.token(BUS, POD, "r-abcde");
    let bridge = ask(&scene, &token).await.unwrap();
    assert_eq!(bridge.pod, POD);
    let BusPart::Bridge { instance, run: uid } = bridge.part else {
        panic!("it is a bridge");
    };
    assert_eq!(
        (instance.to_string().as_str(), uid),
        ("team/sre", RunUid(Uuid::from_u128(1)))
    );
    let mut ended = run("r", 1, Some(POD), "Succeeded");
    ended["status"]["completedAt"] = json!(scene.now().to_string());
    scene.api.put("agentruns", ended);
    tokio::time::timeout(DEADLINE, scene.ended.recv()).await.unwrap();
    scene.pass(600);
    assert!(ask(&scene, &token).await.is_ok());
    // The agent of the same pod is not let in any more.
    assert_eq!(
        scene.refused(&scene.token(AGENT, POD, "r-abcde")).await,
        "run-ended"
    );
    scene.pass(61);
    assert_eq!(ask(&scene, &token).await, Err("run-ended"));
    scene.api.delete("agentruns", "team", "r");
    assert_eq!(ask(&scene, &token).await, Err("unauthenticated"));
}

#[tokio::test]
async fn a_token_for_the_gateway_is_nothing_on_the_bus() {
    let scene = Scene::new().await;
    let token = scene.token(AGENT, POD, "r-abcde");
    assert_eq!(ask(&scene, &token).await, Err("unauthenticated"));
    assert_eq!(scene.reviews(), 0);
}

#[tokio::test]
async fn the_operator_is_known_by_its_own_account_in_the_installations_namespace() {
    let scene = Scene::new().await;
    let pod = Uuid::from_u128(0x0f);
    for (account, expected) in [
        ("sympozium-system:sympozium-operator", Ok(BusPart::Operator)),
        ("sympozium-system:sympozium-apiserver", Ok(BusPart::ApiServer)),
        ("team:sympozium-operator", Err("unauthenticated")),
        ("sympozium-system:default", Err("unauthenticated")),
    ] {
        let token = forged(BUS, Some(pod), scene.now());
        let mut status = review(BUS, pod, "operator-0-abcde");
        status["user"]["username"] = json!(format!("system:serviceaccount:{account}"));
        scene.genuine(&token, BUS, &status);
        let part = ask(&scene, &token).await.map(|caller| caller.part);
        assert_eq!(part, expected, "{account}");
    }
}
