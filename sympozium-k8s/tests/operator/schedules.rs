//! Runs by the clock.

use crate::cluster::Agent;
use crate::scene::Scene;
use crate::server::Faults;
use serde_json::{Value, json};
use std::time::Duration;

fn schedule(scene: &Scene, more: &Value) {
    let mut spec = json!({"instanceRef": "sre", "schedule": "*/5 * * * *", "task": "look"});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    scene.put(
        "sympoziumschedules",
        "team",
        json!({"metadata": {"name": "watch"}, "spec": spec}),
    );
}

fn runs(scene: &Scene) -> Vec<Value> {
    scene.server.store().list("agentruns", "team").cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn each_tick_has_one_run_over_all_restarts() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    schedule(&scene, &json!({}));
    let mut operator = scene.start();
    for _ in 0..12 {
        scene.pass(Duration::from_mins(5)).await;
        operator.kill();
        operator = scene.start();
    }
    scene.pass(Duration::from_mins(1)).await;
    let status = &scene.get("sympoziumschedules", "watch")["status"];
    let count = runs(&scene).len();
    assert!((12..=13).contains(&count), "{count}");
    assert_eq!(status["totalRuns"], count);
    assert_eq!(
        scene.condition("sympoziumschedules", "watch", "Ready")["status"],
        "True"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_still_under_way_holds_the_next_one_back_or_is_replaced() {
    for (policy, expected) in [("Forbid", "StillRunning"), ("Replace", "Started")] {
        let scene = Scene::new(Faults::none());
        scene.instance("sre", 5);
        schedule(&scene, &json!({"concurrencyPolicy": policy}));
        let operator = scene.start();
        scene.until("the first run", |scene| runs(scene).len() == 1).await;
        let first = runs(&scene)[0]["metadata"]["name"].as_str().unwrap().to_owned();
        operator.kill();
        // Its agent takes long: it is named only now, because its name follows from the tick.
        scene.cluster.agent(
            &first,
            Agent {
                work: Duration::from_hours(1),
                ..Agent::good()
            },
        );
        let operator = scene.start();
        scene
            .until("the second tick", |scene| {
                scene.get("sympoziumschedules", "watch")["status"]["nextRunTime"] == "2026-11-30T09:10:00Z"
            })
            .await;
        scene.pass(Duration::from_secs(30)).await;
        if scene.phase(&first) == "Running" {
            assert_eq!(policy, "Forbid");
            assert_eq!(
                scene.condition("sympoziumschedules", "watch", "Missed")["reason"],
                expected
            );
        }
        operator.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_run_is_cancelled() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    schedule(&scene, &json!({"concurrencyPolicy": "Replace"}));
    let old = json!({"metadata": {"name": "old", "labels": {"sympozium.ai/schedule": "watch"}},
        "spec": {"instanceRef": "sre", "task": "look", "timeout": "2h"}});
    scene.cluster.agent(
        "old",
        Agent {
            work: Duration::from_hours(1),
            ..Agent::good()
        },
    );
    scene.put("agentruns", "team", old);
    let operator = scene.start();
    assert_eq!(scene.until_ended("old").await, "Cancelled");
    scene.until("the new run", |scene| runs(scene).len() == 2).await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_schedule_has_its_own_limit() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    schedule(&scene, &json!({"historyLimit": 1}));
    let operator = scene.start();
    scene.pass(Duration::from_mins(32)).await;
    assert!(runs(&scene).len() <= 2, "{}", runs(&scene).len());
    operator.stop().await;
}
