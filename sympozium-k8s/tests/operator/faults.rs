//! Thousands of unlucky days: refused, lost and unanswered requests, watches that break off and lag, operators that die.
//! Whatever happens, each run ends once, no slot is given twice, no tick fires twice, and nothing is left.

use crate::cluster::Agent;
use crate::scene::Scene;
use crate::server::{Event, EventKind, Faults};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many runs of the instance may be under way.
const LIMIT: usize = 2;

/// One day: what is created, when operators die.
async fn day(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::new(Faults::of_seed(seed));
    scene.label = format!("seed {seed}");
    scene.instance("sre", u32::try_from(LIMIT).unwrap());
    let pack = json!({
        "skills": [{"name": "ops", "content": "Look at pods."}],
        "sidecar": {"image": "ops:1", "rbac": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    });
    scene.put(
        "skillpacks",
        "team",
        json!({"metadata": {"name": "ops"}, "spec": pack}),
    );
    if random.bool() {
        let policy = ["Forbid", "Allow", "Replace"][random.usize(0..3)];
        let spec = json!({"instanceRef": "sre", "schedule": "* * * * *", "task": "look", "concurrencyPolicy": policy});
        scene.put(
            "sympoziumschedules",
            "team",
            json!({"metadata": {"name": "watch"}, "spec": spec}),
        );
    }
    let mut operator = scene.start();
    let mut killed = false;
    let names: Vec<String> = (0..random.usize(2..7))
        .map(|number| format!("run-{number}"))
        .collect();
    for name in &names {
        scene.cluster.agent(name, Agent::any(&mut random));
        let skills = if random.bool() {
            json!([{"skillPackRef": "ops"}])
        } else {
            json!([])
        };
        scene.run(name, &json!({"timeout": "1m", "skills": skills}));
        scene.pass(Duration::from_millis(random.u64(0..4000))).await;
        if random.u32(0..4) == 0 {
            killed = true;
            operator.kill();
            scene.pass(Duration::from_millis(random.u64(0..20_000))).await;
            operator = scene.start();
        }
        if random.u32(0..6) == 0 {
            scene.cancel(name);
        }
    }
    for name in &names {
        scene.until_ended(name).await;
    }
    scene.server.faults.end();
    suspend(&scene);
    scene.until("all have ended", |scene| live(scene) == 0).await;
    // Long enough for pods to go and for whatever was pending to be done.
    scene.pass(Duration::from_mins(20)).await;
    check(&scene, seed);
    if !killed {
        check_events(&scene, seed);
    }
    operator.stop().await;
}

fn suspend(scene: &Scene) {
    let mut store = scene.server.store();
    if let Some(mut schedule) = store.get("sympoziumschedules", "team", "watch").cloned() {
        schedule["spec"]["suspend"] = json!(true);
        schedule["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        store
            .update("sympoziumschedules", "team", "watch", schedule)
            .unwrap();
    }
}

fn is_terminal(run: &Value) -> bool {
    ["Succeeded", "Failed", "Cancelled"].contains(&run["status"]["phase"].as_str().unwrap_or_default())
}

fn live(scene: &Scene) -> usize {
    scene
        .server
        .store()
        .list("agentruns", "team")
        .filter(|run| !is_terminal(run))
        .count()
}

fn check(scene: &Scene, seed: u64) {
    let store = scene.server.store();
    check_ends(&store.log, seed);
    check_slots(&store.log, seed);
    check_ticks(&store.log, seed);
    for resource in ["roles", "rolebindings", "jobs", "pods"] {
        let left: Vec<_> = store
            .list(resource, "team")
            .filter(|object| object["metadata"]["labels"]["sympozium.ai/run-uid"].is_string())
            .map(|object| object["metadata"]["name"].clone())
            .collect();
        assert!(left.is_empty(), "seed {seed}: {resource} {left:?}");
    }
    let accounts: Vec<_> = store
        .list("serviceaccounts", "team")
        .map(|account| account["metadata"]["name"].clone())
        .collect();
    assert!(
        accounts.iter().all(|name| name == "sympozium-run-instance-sre"),
        "seed {seed}: {accounts:?}"
    );
}

/// Each run has its one Event, where no operator died before it could publish it.
fn check_events(scene: &Scene, seed: u64) {
    let store = scene.server.store();
    let told: BTreeSet<_> = store
        .list("events", "team")
        .map(|event| event["regarding"]["uid"].to_string())
        .collect();
    for run in store.list("agentruns", "team") {
        assert!(
            told.contains(&run["metadata"]["uid"].to_string()),
            "seed {seed}: no Event of {}",
            run["metadata"]["name"]
        );
    }
}

/// Each run ends once, and its Job is made at most once.
fn check_ends(log: &[Event], seed: u64) {
    let (mut ended, mut jobs) = (BTreeMap::<String, String>::new(), BTreeSet::new());
    for event in log {
        let uid = event.object["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match (event.resource.as_str(), event.kind) {
            ("agentruns", EventKind::Modified) if is_terminal(&event.object) => {
                let phase = event.object["status"]["phase"].as_str().unwrap().to_owned();
                let before = ended.entry(uid.clone()).or_insert_with(|| phase.clone());
                assert_eq!(*before, phase, "seed {seed}: {uid} ended twice");
                let complete = event.object["status"]["conditions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| {
                        one["type"] == "Complete"
                            && one["status"] == "True"
                            && one["reason"] == phase.as_str()
                    });
                assert!(complete, "seed {seed}");
            }
            ("agentruns", EventKind::Modified) => {
                assert!(!ended.contains_key(&uid), "seed {seed}: {uid} came back");
            }
            ("jobs", EventKind::Added) => {
                let run = event.object["metadata"]["labels"]["sympozium.ai/run-uid"].to_string();
                assert!(jobs.insert(run.clone()), "seed {seed}: {run} was made twice");
            }
            _ => {}
        }
    }
}

/// At no time more runs have Jobs and have not ended than there are slots.
fn check_slots(log: &[Event], seed: u64) {
    let (mut with_job, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in log {
        let uid = event.object["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match (event.resource.as_str(), event.kind) {
            ("jobs", EventKind::Added) => {
                let run = event.object["metadata"]["labels"]["sympozium.ai/run-uid"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                if !ended.contains(&run) {
                    with_job.insert(run);
                }
                assert!(with_job.len() <= LIMIT, "seed {seed}: {} at once", with_job.len());
            }
            ("agentruns", EventKind::Modified) if is_terminal(&event.object) => {
                with_job.remove(&uid);
                ended.insert(uid);
            }
            _ => {}
        }
    }
}

/// No tick has two runs.
fn check_ticks(log: &[Event], seed: u64) {
    let (mut names, mut times) = (BTreeSet::new(), BTreeSet::new());
    for event in log {
        match (event.resource.as_str(), event.kind) {
            ("agentruns", EventKind::Added)
                if event.object["metadata"]["labels"]["sympozium.ai/schedule"] == "watch" =>
            {
                let name = event.object["metadata"]["name"].to_string();
                assert!(
                    names.insert(name.clone()),
                    "seed {seed}: {name} was started twice"
                );
            }
            ("sympoziumschedules", EventKind::Modified) => {
                if let Some(time) = event.object["status"]["lastRunTime"].as_str() {
                    times.insert(time.to_owned());
                }
            }
            _ => {}
        }
    }
    assert!(
        names.len() <= times.len() + 1,
        "seed {seed}: {} runs for {} ticks",
        names.len(),
        times.len()
    );
}

fn days(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        // Pauses before repetitions come from this thread's generator.
        fastrand::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(day(seed));
    }
}

/// `SYMPOZIUM_FAULT_SEEDS` says how many seeds each test takes, `SYMPOZIUM_FAULT_FROM` from which on.
fn seeds(part: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let from = number("SYMPOZIUM_FAULT_FROM").unwrap_or(part * 1_000_000);
    from..from + number("SYMPOZIUM_FAULT_SEEDS").unwrap_or(40)
}

#[test]
fn no_unlucky_day_of_the_first_kind_breaks_a_promise() {
    days(seeds(0));
}

#[test]
fn no_unlucky_day_of_the_second_kind_breaks_a_promise() {
    days(seeds(1));
}
