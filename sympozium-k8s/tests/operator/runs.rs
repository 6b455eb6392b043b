//! Single runs, from creation to what is left of them.

use crate::cluster::Agent;
use crate::scene::Scene;
use crate::server::Faults;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

fn counts(scene: &Scene) -> BTreeMap<String, usize> {
    let counts = scene.server.counts();
    counts
        .into_iter()
        .map(|((method, resource), count)| (format!("{method} {resource}"), count))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_becomes_a_job_and_its_result_its_status() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let operator = scene.start();
    scene.run("look", &json!({}));
    assert_eq!(scene.until_ended("look").await, "Succeeded");
    let status = &scene.get("agentruns", "look")["status"];
    assert_eq!(
        (&status["result"], &status["exitCode"]),
        (&json!("Done."), &json!(0))
    );
    assert_eq!(status["tokenUsage"]["totalTokens"], 10);
    assert_eq!(
        (&status["jobName"], status["podUID"].is_string()),
        (&json!("look"), true)
    );
    assert_eq!(
        scene.condition("agentruns", "look", "Complete")["reason"],
        "Succeeded"
    );
    assert_eq!(scene.condition("agentruns", "look", "Admitted")["status"], "True");
    scene
        .until("an Event", |scene| {
            scene.server.store().list("events", "team").count() == 1
        })
        .await;
    let event = scene
        .server
        .store()
        .list("events", "team")
        .next()
        .cloned()
        .unwrap();
    assert_eq!(
        (&event["reason"], &event["regarding"]["name"]),
        (&json!("Succeeded"), &json!("look"))
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_at_most_five_writes_and_one_event_and_no_read() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let operator = scene.start();
    scene
        .until("the instance is ready", |scene| {
            scene.condition("sympoziuminstances", "sre", "Ready")["status"] == "True"
        })
        .await;
    scene.pass(Duration::from_secs(30)).await;
    scene.server.reset_counts();
    let runs = ["a", "b", "c", "d", "e"];
    for run in runs {
        scene.run(run, &json!({}));
    }
    for run in runs {
        assert_eq!(scene.until_ended(run).await, "Succeeded");
    }
    scene
        .until("the Events", |scene| {
            scene.server.store().list("events", "team").count() == runs.len()
        })
        .await;
    let counts = counts(&scene);
    let of = |what: &str| counts.get(what).copied().unwrap_or(0);
    assert_eq!(of("POST events"), runs.len(), "{counts:?}");
    assert_eq!(of("PATCH jobs"), runs.len(), "{counts:?}");
    assert!(of("PATCH agentruns") <= 4 * runs.len(), "{counts:?}");
    assert!(!counts.keys().any(|what| what.starts_with("GET")), "{counts:?}");
    // What counts the runs of an instance is written now and then, not for each.
    assert!(of("PATCH sympoziuminstances") <= 2, "{counts:?}");
    let known = [
        "POST events",
        "PATCH jobs",
        "PATCH agentruns",
        "PATCH sympoziuminstances",
    ];
    assert!(
        counts.keys().all(|what| known.contains(&what.as_str())),
        "{counts:?}"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_event_the_pod_tells_the_result() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let silent = Agent {
        tells: false,
        ..Agent::good()
    };
    scene.cluster.agent("left-a-message", silent.clone());
    scene.cluster.agent(
        "left-nothing",
        Agent {
            leaves_message: false,
            exit_code: 137,
            ..silent.clone()
        },
    );
    scene.cluster.agent(
        "failed",
        Agent {
            result: Some(false),
            exit_code: 1,
            ..silent
        },
    );
    let operator = scene.start();
    for (run, phase, part) in [
        ("left-a-message", "Succeeded", ""),
        ("left-nothing", "Failed", "exit code 137"),
        ("failed", "Failed", "It broke."),
    ] {
        scene.run(run, &json!({}));
        assert_eq!(scene.until_ended(run).await, phase, "{run}");
        let error = scene.get("agentruns", run)["status"]["error"].to_string();
        assert!(error.contains(part), "{error}");
    }
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_end_ends_what_there_is_and_a_late_agent_is_stopped() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 1);
    let long = Agent {
        work: Duration::from_hours(2),
        ..Agent::good()
    };
    scene.cluster.agent("long", long.clone());
    scene.cluster.agent("late", long);
    let operator = scene.start();
    scene.run("long", &json!({}));
    scene
        .until("long works", |scene| scene.phase("long") == "Running")
        .await;
    scene.run("queued", &json!({}));
    scene
        .until("queued waits", |scene| scene.phase("queued") == "Queued")
        .await;
    assert_eq!(scene.get("agentruns", "queued")["status"]["queuePosition"], 1);
    scene.cancel("queued");
    assert_eq!(scene.until_ended("queued").await, "Cancelled");
    scene.cancel("long");
    assert_eq!(scene.until_ended("long").await, "Cancelled");
    scene.run("late", &json!({"timeout": "1m"}));
    assert_eq!(scene.until_ended("late").await, "Failed");
    let error = scene.get("agentruns", "late")["status"]["error"].to_string();
    assert!(error.contains("time was up"), "{error}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_goes_on_after_its_result_is_stopped() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    scene.cluster.agent(
        "stubborn",
        Agent {
            hangs: true,
            ..Agent::good()
        },
    );
    let operator = scene.start();
    scene.run("stubborn", &json!({}));
    assert_eq!(scene.until_ended("stubborn").await, "Succeeded");
    assert_eq!(scene.server.store().list("pods", "team").count(), 1);
    scene
        .until("its pod is gone", |scene| {
            scene.server.store().list("pods", "team").count() == 0
        })
        .await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_says_by_what_and_makes_nothing() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 5);
    let spec = json!({"models": {"deny": ["gpt-4o"]}});
    scene.put(
        "sympoziumpolicies",
        "sympozium-system",
        json!({"metadata": {"name": "strict"}, "spec": spec}),
    );
    let labels = json!({"sympozium.ai/policy": "strict"});
    let namespace = scene
        .server
        .store()
        .get("namespaces", "", "team")
        .cloned()
        .unwrap();
    let mut labelled = namespace;
    labelled["metadata"]["labels"] = labels;
    scene
        .server
        .store()
        .update("namespaces", "", "team", labelled)
        .unwrap();
    let operator = scene.start();
    scene.run("denied", &json!({}));
    scene.run("unknown", &json!({"instanceRef": "nobody"}));
    assert_eq!(scene.until_ended("denied").await, "Failed");
    let admitted = scene.condition("agentruns", "denied", "Admitted");
    assert_eq!(admitted["reason"], "PolicyDenied");
    assert!(
        admitted["message"]
            .to_string()
            .contains("sympozium-system/strict (models.deny[0])"),
        "{admitted}"
    );
    assert_eq!(scene.until_ended("unknown").await, "Failed");
    assert_eq!(
        scene.condition("agentruns", "unknown", "Admitted")["reason"],
        "NotFound"
    );
    assert_eq!(scene.server.store().list("jobs", "").count(), 0);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn spawned_runs_live_in_their_parents_slot_and_are_counted() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 1);
    scene.cluster.agent(
        "parent",
        Agent {
            work: Duration::from_mins(5),
            ..Agent::good()
        },
    );
    let operator = scene.start();
    scene.run("parent", &json!({}));
    scene
        .until("the parent works", |scene| scene.phase("parent") == "Running")
        .await;
    for child in ["one", "two", "three"] {
        scene.run(child, &json!({"parent": {"runName": "parent", "spawnDepth": 1}}));
        scene.pass(Duration::from_secs(2)).await;
    }
    assert_eq!(scene.until_ended("one").await, "Succeeded");
    assert_eq!(scene.until_ended("two").await, "Succeeded");
    assert_eq!(scene.until_ended("three").await, "Failed");
    let admitted = scene.condition("agentruns", "three", "Admitted");
    assert!(
        admitted["message"].to_string().contains("maxChildrenPerAgent"),
        "{admitted}"
    );
    scene.run("deep", &json!({"parent": {"runName": "parent", "spawnDepth": 3}}));
    assert_eq!(scene.until_ended("deep").await, "Failed");
    assert_eq!(scene.until_ended("parent").await, "Succeeded");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn rights_of_skills_are_given_and_taken_with_the_run_and_the_identity_after_the_bridge() {
    let scene = Scene::new(Faults::none());
    let pack = json!({
        "skills": [{"name": "ops", "content": "Look at pods."}],
        "sidecar": {"image": "ops:1", "rbac": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]},
    });
    scene.put(
        "skillpacks",
        "team",
        json!({"metadata": {"name": "ops"}, "spec": pack}),
    );
    scene.instance("sre", 5);
    scene.cluster.agent(
        "look",
        Agent {
            work: Duration::from_secs(30),
            drain: Duration::from_mins(1),
            ..Agent::good()
        },
    );
    let operator = scene.start();
    scene.run("look", &json!({"skills": [{"skillPackRef": "ops"}]}));
    scene
        .until("look works", |scene| scene.phase("look") == "Running")
        .await;
    let count = |scene: &Scene, resource: &str| scene.server.store().list(resource, "team").count();
    assert_eq!((count(&scene, "roles"), count(&scene, "rolebindings")), (1, 1));
    let grants = scene.get("agentruns", "look")["status"]["grants"].clone();
    assert_eq!(grants[0]["skill"], "ops");
    assert_eq!(
        count(&scene, "serviceaccounts"),
        2,
        "the instance's and the run's"
    );
    assert_eq!(scene.until_ended("look").await, "Succeeded");
    assert_eq!((count(&scene, "roles"), count(&scene, "rolebindings")), (0, 0));
    assert_eq!(count(&scene, "serviceaccounts"), 2, "its bridge drains");
    scene
        .until("its identity is gone", |scene| {
            count(scene, "serviceaccounts") == 1
        })
        .await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_history_keeps_the_newest() {
    let scene = Scene::new(Faults::none());
    scene.instance("sre", 50);
    let operator = Scene::begin(scene.builder().history_limit(3).build());
    for number in 0..25 {
        scene.run(&format!("run-{number}"), &json!({}));
        scene.pass(Duration::from_secs(1)).await;
    }
    scene.until_ended("run-24").await;
    scene
        .until("old runs are gone", |scene| {
            scene.server.store().list("agentruns", "team").count() <= 13
        })
        .await;
    assert_eq!(scene.phase("run-24"), "Succeeded");
    assert_eq!(scene.phase("run-0"), "");
    operator.stop().await;
}
