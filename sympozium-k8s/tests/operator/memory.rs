//! What instances remember, in ConfigMaps.

use crate::cluster::Agent;
use crate::scene::Scene;
use crate::server::Faults;
use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::ids::InstanceRef;
use sympozium_core::memory::{InMemoryMemories, Memory, MemoryStore};
use sympozium_core::store::StoreError;
use sympozium_core::testing::memory_store;
use sympozium_k8s::operator::ConfigMapMemories;

#[tokio::test(start_paused = true)]
async fn config_maps_are_a_memory_store() {
    let scene = Scene::new(Faults::none());
    memory_store(&ConfigMapMemories::new(scene.server.client())).await;
}

#[tokio::test(start_paused = true)]
async fn two_runs_that_end_at_once_lose_nothing_of_each_other() {
    let scene = Scene::new(Faults::none());
    let spec = json!({"agents": {"default": {"model": "gpt-4o"}}, "memory": {"enabled": true}});
    scene.put(
        "sympoziuminstances",
        "team",
        json!({"metadata": {"name": "sre"}, "spec": spec}),
    );
    let says = |says| Agent {
        says,
        ..Agent::good()
    };
    let ana = "Done.\n__SYMPOZIUM_MEMORY__\n## Team\nAsk Ana.\n__SYMPOZIUM_MEMORY_END__";
    let bob = "Done.\n__SYMPOZIUM_MEMORY__\n## Team\nAsk Bob.\n__SYMPOZIUM_MEMORY_END__";
    scene.cluster.agent("one", says(ana));
    scene.cluster.agent("two", says(bob));
    let operator = scene.start();
    scene.run("one", &json!({}));
    scene.run("two", &json!({}));
    for run in ["one", "two"] {
        assert_eq!(scene.until_ended(run).await, "Succeeded");
        assert_eq!(scene.get("agentruns", run)["status"]["result"], "Done.");
    }
    let memory = scene.get("configmaps", "sre-memory")["data"]["MEMORY.md"].clone();
    let memory = memory.as_str().unwrap();
    assert!(
        memory.contains("Ask Ana.") && memory.contains("Ask Bob."),
        "{memory}"
    );
    // A later run that knows both may rewrite the section.
    let eve = "Done.\n__SYMPOZIUM_MEMORY__\n## Team\nAsk Eve.\n__SYMPOZIUM_MEMORY_END__";
    scene.cluster.agent("three", says(eve));
    scene.pass(Duration::from_secs(5)).await;
    scene.run("three", &json!({}));
    scene.until_ended("three").await;
    assert_eq!(
        scene.get("configmaps", "sre-memory")["data"]["MEMORY.md"],
        "## Team\nAsk Eve.\n"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_can_not_be_saved_does_not_keep_a_run_from_its_end() {
    let scene = Scene::new(Faults::none());
    let spec = json!({"agents": {"default": {"model": "gpt-4o"}}, "memory": {"enabled": true}});
    scene.put(
        "sympoziuminstances",
        "team",
        json!({"metadata": {"name": "sre"}, "spec": spec}),
    );
    let says = "Done.\n__SYMPOZIUM_MEMORY__\n## A\nx\n__SYMPOZIUM_MEMORY_END__";
    scene.cluster.agent(
        "look",
        Agent {
            says,
            ..Agent::good()
        },
    );
    let broken = Arc::new(FailingSaves(InMemoryMemories::default()));
    let operator = Scene::begin(scene.builder().memories(broken).build());
    scene.run("look", &json!({}));
    assert_eq!(scene.until_ended("look").await, "Succeeded");
    operator.stop().await;
}

struct FailingSaves(InMemoryMemories);

#[async_trait]
impl MemoryStore for FailingSaves {
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        self.0.load(instance).await
    }

    async fn save(&self, _: &InstanceRef, _: Memory) -> Result<Memory, StoreError> {
        Err(StoreError::Unavailable {
            step: "save a memory",
            source: "down".into(),
        })
    }

    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
        self.0.clear(instance).await
    }
}
