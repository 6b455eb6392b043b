//! What instances, packs and policies say of themselves, and keep.

use crate::scene::Scene;
use crate::server::Faults;
use serde_json::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_instance_keeps_what_its_runs_rely_on() {
    let scene = Scene::new(Faults::none());
    let spec = json!({
        "agents": {"default": {"model": "gpt-4o"}},
        "authRefs": [{"secret": "openai-key"}],
        "memory": {"enabled": true},
        "policyRef": "own",
    });
    scene.put(
        "sympoziuminstances",
        "team",
        json!({"metadata": {"name": "sre"}, "spec": spec}),
    );
    let operator = scene.start();
    scene
        .until("it misses its policy", |scene| {
            scene.condition("sympoziuminstances", "sre", "Ready")["reason"] == "PolicyNotFound"
        })
        .await;
    let store = |resource: &str, name: &str| scene.get(resource, name);
    assert!(store("serviceaccounts", "sympozium-run-instance-sre").is_object());
    assert_eq!(store("configmaps", "sre-memory")["data"]["MEMORY.md"], "");
    let role = store("roles", "sympozium-gateway-sre");
    assert_eq!(role["rules"][0]["resourceNames"], json!(["openai-key"]));
    scene.put(
        "sympoziumpolicies",
        "team",
        json!({"metadata": {"name": "own"}, "spec": {"featureGates": {"x": true}}}),
    );
    scene
        .until("it is ready", |scene| {
            scene.condition("sympoziuminstances", "sre", "Ready")["status"] == "True"
        })
        .await;
    scene
        .until("the policy counts it", |scene| {
            scene.get("sympoziumpolicies", "own")["status"]["boundInstances"] == 1
        })
        .await;
    assert_eq!(
        scene.condition("sympoziumpolicies", "own", "Ready")["reason"],
        "PartlyHonoured"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_when_nothing_changes() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let pack = json!({"skills": [{"name": "ops", "content": "Look."}]});
    scene.put(
        "skillpacks",
        "team",
        json!({"metadata": {"name": "ops"}, "spec": pack}),
    );
    let spec = json!({"instanceRef": "sre", "schedule": "0 0 1 1 *", "task": "look"});
    scene.put(
        "sympoziumschedules",
        "team",
        json!({"metadata": {"name": "yearly"}, "spec": spec}),
    );
    let operator = scene.start();
    scene
        .until("the pack is ready", |scene| {
            scene.condition("skillpacks", "ops", "Ready")["status"] == "True"
        })
        .await;
    scene.pass(Duration::from_mins(5)).await;
    let version = scene.server.store().version();
    scene.server.reset_counts();
    scene.pass(Duration::from_hours(10)).await;
    assert_eq!(scene.server.store().version(), version);
    assert!(scene.server.counts().is_empty(), "{:?}", scene.server.counts());
    operator.stop().await;
}
