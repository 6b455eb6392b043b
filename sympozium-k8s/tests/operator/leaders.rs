//! Several operators, and operators that end.

use crate::cluster::Agent;
use crate::scene::Scene;
use crate::server::Faults;
use serde_json::json;
use std::time::Duration;

fn holder(scene: &Scene) -> String {
    let store = scene.server.store();
    let lease = store.get("leases", "sympozium-system", "sympozium-operator");
    lease
        .map(|lease| {
            lease["spec"]["holderIdentity"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn of_two_operators_one_leads_and_the_other_takes_over() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 1);
    scene.cluster.agent(
        "first",
        Agent {
            work: Duration::from_mins(2),
            ..Agent::good()
        },
    );
    let one = scene.start_as("one");
    scene.until("one leads", |scene| holder(scene) == "one").await;
    let two = scene.start_as("two");
    scene.run("first", &json!({}));
    scene.run("second", &json!({}));
    scene
        .until("first works", |scene| scene.phase("first") == "Running")
        .await;
    one.kill();
    scene.until("two leads", |scene| holder(scene) == "two").await;
    // The slot is still taken: the new leader found the Job.
    scene.pass(Duration::from_secs(20)).await;
    assert_eq!(scene.phase("second"), "Queued");
    assert_eq!(scene.until_ended("first").await, "Succeeded");
    assert_eq!(scene.until_ended("second").await, "Succeeded");
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_stops_gives_the_lease_back_so_that_nobody_waits() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 1);
    let one = scene.start_as("one");
    scene.until("one leads", |scene| holder(scene) == "one").await;
    let two = scene.start_as("two");
    scene.pass(Duration::from_secs(10)).await;
    one.stop().await;
    assert_eq!(holder(&scene), "");
    let begin = tokio::time::Instant::now();
    scene.until("two leads", |scene| holder(scene) == "two").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    scene.run("look", &json!({}));
    assert_eq!(scene.until_ended("look").await, "Succeeded");
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_ready_once_its_caches_are_filled_and_ends_all_that_it_began() {
    let scene = Scene::new(Faults::none());
    let operator = scene.builder().build();
    let mut health = operator.health();
    assert!(!health.borrow().ready);
    let operator = Scene::begin(operator);
    let leads = tokio::time::timeout(
        Duration::from_mins(1),
        health.wait_for(|health| health.ready && health.leads),
    );
    drop(leads.await.unwrap().unwrap());
    operator.stop().await;
    assert!(!health.borrow().ready);
}

#[tokio::test(start_paused = true)]
async fn what_dead_runs_left_is_swept_by_the_next_operator() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let pack = json!({
        "skills": [{"name": "ops", "content": "Look at pods."}],
        "sidecar": {"image": "ops:1", "rbac": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    });
    scene.put(
        "skillpacks",
        "team",
        json!({"metadata": {"name": "ops"}, "spec": pack}),
    );
    scene.cluster.agent(
        "look",
        Agent {
            work: Duration::from_mins(1),
            ..Agent::good()
        },
    );
    let operator = scene.start();
    scene.run("look", &json!({"skills": [{"skillPackRef": "ops"}]}));
    scene
        .until("look works", |scene| scene.phase("look") == "Running")
        .await;
    operator.kill();
    // Somebody ends the run without taking its rights away, as an operator that dies in between would.
    {
        let mut store = scene.server.store();
        let mut run = store.get("agentruns", "team", "look").cloned().unwrap();
        run["status"]["phase"] = json!("Failed");
        store.update("agentruns", "team", "look", run).unwrap();
    }
    assert_eq!(scene.server.store().list("roles", "team").count(), 1);
    let operator = scene.start();
    scene
        .until("the roles are gone", |scene| {
            let store = scene.server.store();
            store.list("roles", "team").count() + store.list("rolebindings", "team").count() == 0
        })
        .await;
    scene
        .until("the pod and its identity are gone", |scene| {
            let store = scene.server.store();
            store.list("pods", "team").count() == 0 && store.list("serviceaccounts", "team").count() == 1
        })
        .await;
    operator.stop().await;
}
