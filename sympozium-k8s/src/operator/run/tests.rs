//! One table of runs, sights and what comes next; and that any order of them ends once.

use super::*;
use crate::crd::v1alpha1::{AgentRun, AgentRunSpec};
use crate::operator::conditions::{ConditionType, find};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use sympozium_core::run::{AgentResult, ResultMetrics, ResultStatus, RunPhase};

const START: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn run() -> AgentRun {
    let spec: AgentRunSpec =
        serde_json::from_value(serde_json::json!({"instanceRef": "sre", "task": "look", "timeout": "10m"}))
            .unwrap();
    let mut run = AgentRun::new("look", spec);
    run.metadata.namespace = Some("team".into());
    run.metadata.uid = Some("7d1b3ad4-6e0f-4a53-9f0e-0d3f6c0f6a01".into());
    run.metadata.generation = Some(1);
    run.metadata.creation_timestamp = Some(Time(at(0)));
    run
}

fn pod(agent: ContainerSeen) -> PodSeen {
    PodSeen {
        name: "look-x".into(),
        uid: "pod-1".into(),
        run_uid: "7d1b3ad4-6e0f-4a53-9f0e-0d3f6c0f6a01".into(),
        deleting: false,
        ended: false,
        agent,
        bridge: ContainerSeen::Running { since: at(1) },
        trouble: None,
        created: Some(at(1)),
        active_deadline: Some(SignedDuration::from_secs(600 + 300)),
        service_account: "sympozium-run-instance-sre".into(),
    }
}

fn working() -> ContainerSeen {
    ContainerSeen::Running { since: at(2) }
}

fn terminated(exit_code: i32) -> ContainerSeen {
    ContainerSeen::Terminated {
        exit_code,
        reason: "OOMKilled".into(),
        message: String::new(),
        since: Some(at(2)),
        at: Some(at(50)),
    }
}

fn found(status: ResultStatus) -> Found {
    Found {
        result: AgentResult {
            status,
            response: "Done.\n__SYMPOZIUM_MEMORY__\n## A\nx\n__SYMPOZIUM_MEMORY_END__".into(),
            error: (status == ResultStatus::Error).then(|| "no key".into()),
            metrics: ResultMetrics {
                duration_ms: 12,
                input_tokens: 3,
                output_tokens: 4,
                tool_calls: 1,
            },
            limit: None,
        },
        origin: Origin::Event,
        usage: None,
        at: Some(at(49)),
    }
}

#[derive(Debug)]
struct Scene {
    run: AgentRun,
    pod: Option<PodSeen>,
    job: Option<bool>,
    gate: Option<Gate>,
    found: Option<Found>,
    asking: Option<bool>,
    made_at: Option<Timestamp>,
    now: i64,
}

impl Scene {
    fn new() -> Self {
        Self {
            run: run(),
            pod: None,
            job: None,
            gate: None,
            found: None,
            asking: None,
            made_at: None,
            now: 60,
        }
    }

    fn gate(gate: Gate) -> Self {
        Self {
            gate: Some(gate),
            now: 0,
            ..Self::new()
        }
    }

    /// A run whose status says what `before` decided.
    fn after(before: &Self) -> Self {
        let mut run = before.run.clone();
        run.status = Some(before.decide().status);
        Self { run, ..Self::new() }
    }

    fn running() -> Self {
        let before = Self {
            pod: Some(pod(working())),
            now: 3,
            ..Self::new()
        };
        Self {
            pod: Some(pod(working())),
            ..Self::after(&before)
        }
    }

    fn decide(&self) -> RunDecision {
        let presence = match (&self.pod, self.job) {
            (Some(pod), _) => Presence::Pod(pod),
            (None, Some(failed)) => Presence::Job { failed },
            (None, None) => Presence::Nothing,
        };
        decide(&RunView {
            run: &self.run,
            presence,
            gate: self.gate.as_ref(),
            found: self.found.as_ref(),
            asking: self.asking,
            job_name: "look",
            made_at: self.made_at,
            grants: &[],
            note: None,
            now: at(self.now),
            timing: RunTiming::default(),
        })
    }
}

fn short(decision: &RunDecision) -> (RunPhase, Vec<&'static str>) {
    let effects = decision.effects.iter().map(|effect| match effect {
        RunEffect::Create => "create",
        RunEffect::Stop(Stop::Pod { .. }) => "stop pod",
        RunEffect::Stop(Stop::Job) => "stop job",
        RunEffect::Revoke => "revoke",
        RunEffect::Remember(_) => "remember",
    });
    (decision.status.phase.unwrap(), effects.collect())
}

fn check(name: &str, scene: &Scene, phase: RunPhase, effects: &[&str]) -> RunDecision {
    let decision = scene.decide();
    assert_eq!(short(&decision), (phase, effects.to_vec()), "{name}");
    let complete = find(&decision.status.conditions, ConditionType::Complete);
    assert_eq!(complete.is_some(), phase.is_terminal(), "{name}");
    if let Some(complete) = complete {
        assert_eq!(
            (complete.status.as_str(), complete.reason.as_str()),
            ("True", phase.as_str()),
            "{name}"
        );
    }
    assert_eq!(decision.end.is_some(), phase.is_terminal(), "{name}");
    decision
}

fn cancelled(mut scene: Scene) -> Scene {
    scene.run.spec.cancel = true;
    scene
}

#[test]
fn a_run_with_an_open_gate_is_made_and_its_first_status_waits_for_the_pod() {
    let decision = check("open", &Scene::gate(Gate::Open), RunPhase::Pending, &["create"]);
    assert!(decision.status_can_wait);
    let mut made = Scene {
        made_at: Some(at(0)),
        job: Some(false),
        now: 0,
        ..Scene::new()
    };
    assert!(check("made", &made, RunPhase::Pending, &[]).status_can_wait);
    assert_eq!(made.decide().look_again, Some(at(1)));
    made.now = 1;
    assert!(!check("made a second ago", &made, RunPhase::Pending, &[]).status_can_wait);
    made.pod = Some(pod(ContainerSeen::NotYet));
    made.now = 0;
    let decision = check("pod seen", &made, RunPhase::Pending, &[]);
    assert!(!decision.status_can_wait);
    assert_eq!(decision.status.pod_uid.as_deref(), Some("pod-1"));
    assert_eq!(decision.status.job_name.as_deref(), Some("look"));
}

#[test]
fn a_run_waits_for_its_slot_and_for_what_it_names() {
    let queued = Scene::gate(Gate::Waits {
        position: 4,
        write: true,
    });
    let decision = check("queued", &queued, RunPhase::Queued, &[]);
    assert_eq!(decision.status.queue_position, Some(4));
    assert_eq!(decision.look_again, Some(at(60)));
    let later = Scene {
        gate: Some(Gate::Waits {
            position: 2,
            write: false,
        }),
        ..Scene::after(&queued)
    };
    let unchanged = check("still queued", &later, RunPhase::Queued, &[]);
    assert_eq!(Some(&unchanged.status), later.run.status.as_ref());

    let missing = Scene::gate(Gate::Missing("There is no SympoziumInstance sre".into()));
    check("missing", &missing, RunPhase::Pending, &[]);
    let late = Scene { now: 30, ..missing };
    let decision = check("still missing", &late, RunPhase::Failed, &[]);
    let admitted = find(&decision.status.conditions, ConditionType::Admitted).unwrap();
    assert_eq!(
        (admitted.status.as_str(), admitted.reason.as_str()),
        ("False", "NotFound")
    );
}

#[test]
fn a_refusal_names_policy_and_rule() {
    let message = "sympozium-system/default: models.deny[0]: no".to_owned();
    let refused = Scene::gate(Gate::Refused {
        reason: "PolicyDenied",
        message: message.clone(),
    });
    let decision = check("refused", &refused, RunPhase::Failed, &[]);
    assert_eq!(decision.status.error.as_deref(), Some(message.as_str()));
    assert_eq!(decision.status.job_name, None);
    assert_eq!(decision.status.completed_at, Some(Time(at(0))));
}

#[test]
fn a_run_that_works_is_left_alone_and_says_when_it_asks() {
    let running = Scene::running();
    let decision = check("running", &running, RunPhase::Running, &[]);
    assert_eq!(Some(&decision.status), running.run.status.as_ref());
    // Timeout and longest wait come from the pod's own deadline; the runner gets 30 s to end by itself.
    assert_eq!(decision.look_again, Some(at(2 + 600 + 30)));
    let asking = Scene {
        asking: Some(true),
        ..Scene::running()
    };
    check("asking", &asking, RunPhase::AwaitingApproval, &[]);
    let after_restart = Scene {
        pod: Some(pod(working())),
        ..Scene::after(&asking)
    };
    check(
        "asking, as the status says",
        &after_restart,
        RunPhase::AwaitingApproval,
        &[],
    );
    let answered = Scene {
        asking: Some(false),
        ..after_restart
    };
    check("answered", &answered, RunPhase::Running, &[]);
}

#[test]
fn the_result_decides_as_soon_as_it_is_there() {
    let answered = Scene {
        found: Some(found(ResultStatus::Success)),
        ..Scene::running()
    };
    let decision = check(
        "answered",
        &answered,
        RunPhase::Succeeded,
        &["revoke", "remember"],
    );
    let status = &decision.status;
    assert_eq!(
        (status.result.as_deref(), status.exit_code),
        (Some("Done."), Some(0))
    );
    assert_eq!(
        status.token_usage.as_ref().map(|usage| usage.total_tokens),
        Some(7)
    );
    assert_eq!(status.completed_at, Some(Time(at(49))));
    let failed = Scene {
        found: Some(found(ResultStatus::Error)),
        ..Scene::running()
    };
    let decision = check("failed", &failed, RunPhase::Failed, &["revoke"]);
    assert_eq!(decision.status.error.as_deref(), Some("no key"));
}

#[test]
fn an_agent_without_a_result_is_asked_about_and_then_has_died() {
    let dead = Scene {
        pod: Some(pod(terminated(137))),
        ..Scene::running()
    };
    let decision = check("died", &dead, RunPhase::Failed, &["revoke"]);
    let error = decision.status.error.unwrap();
    assert!(error.contains("137 (OOMKilled)"), "{error}");
    assert_eq!(decision.status.exit_code, Some(137));
    let mut evicted = pod(working());
    evicted.ended = true;
    evicted.trouble = Some(("Evicted".into(), "disk pressure".into()));
    let decision = check(
        "evicted",
        &Scene {
            pod: Some(evicted),
            ..Scene::running()
        },
        RunPhase::Failed,
        &["revoke"],
    );
    assert!(decision.status.error.unwrap().contains("Evicted: disk pressure"));
}

#[test]
fn what_is_gone_is_lost_and_never_made_again() {
    check(
        "lost",
        &Scene {
            pod: None,
            ..Scene::running()
        },
        RunPhase::Failed,
        &["revoke"],
    );
    let mut pending = Scene::after(&Scene {
        pod: Some(pod(ContainerSeen::NotYet)),
        now: 1,
        ..Scene::new()
    });
    pending.gate = Some(Gate::Open);
    check("lost before it worked", &pending, RunPhase::Failed, &["revoke"]);
}

#[test]
fn a_wish_to_end_stops_what_there_is() {
    check(
        "nothing there",
        &cancelled(Scene::gate(Gate::Open)),
        RunPhase::Cancelled,
        &[],
    );
    let queued = cancelled(Scene::gate(Gate::Waits {
        position: 1,
        write: true,
    }));
    check("queued", &queued, RunPhase::Cancelled, &[]);
    check(
        "running",
        &cancelled(Scene::running()),
        RunPhase::Running,
        &["stop pod"],
    );
    let mut told = cancelled(Scene::running());
    told.pod.as_mut().unwrap().deleting = true;
    check("told", &told, RunPhase::Running, &[]);
    let job = Scene {
        job: Some(false),
        made_at: Some(at(0)),
        ..Scene::new()
    };
    check("no pod yet", &cancelled(job), RunPhase::Pending, &["stop job"]);
    let gone = cancelled(Scene {
        pod: None,
        ..Scene::running()
    });
    check("gone", &gone, RunPhase::Cancelled, &["revoke"]);
    let dead = cancelled(Scene {
        pod: Some(pod(terminated(143))),
        ..Scene::running()
    });
    check("ended", &dead, RunPhase::Cancelled, &["revoke"]);
    let answered = cancelled(Scene {
        found: Some(found(ResultStatus::Success)),
        ..Scene::running()
    });
    check(
        "an answer on its way counts",
        &answered,
        RunPhase::Succeeded,
        &["revoke", "remember"],
    );
}

#[test]
fn a_run_past_its_time_is_stopped_and_then_given_up() {
    let late = Scene {
        now: 632,
        ..Scene::running()
    };
    check("late", &late, RunPhase::Running, &["stop pod"]);
    let overdue = Scene {
        now: 662,
        ..Scene::running()
    };
    let decision = check("overdue", &overdue, RunPhase::Failed, &["stop pod", "revoke"]);
    assert!(decision.status.error.unwrap().contains("time was up"));
}

#[test]
fn a_pod_that_never_gets_to_work_gives_its_slot_back() {
    let waiting = ContainerSeen::Waiting {
        reason: "ImagePullBackOff".into(),
        message: "no such image".into(),
    };
    let held_up = Scene {
        pod: Some(pod(waiting)),
        now: 30,
        ..Scene::new()
    };
    let decision = check("held up", &held_up, RunPhase::Pending, &[]);
    let ready = find(&decision.status.conditions, ConditionType::PodReady).unwrap();
    assert_eq!(ready.message, "ImagePullBackOff: no such image");
    let late = Scene {
        now: 1 + 15 * 60,
        ..held_up
    };
    let decision = check("late", &late, RunPhase::Failed, &["stop pod", "revoke"]);
    assert!(
        decision
            .status
            .error
            .unwrap()
            .contains("ImagePullBackOff: no such image")
    );
}

#[test]
fn an_ended_run_stays_as_it_is() {
    let ended = Scene::after(&Scene {
        found: Some(found(ResultStatus::Success)),
        ..Scene::running()
    });
    let decision = Scene {
        pod: Some(pod(terminated(1))),
        ..ended
    }
    .decide();
    assert_eq!(
        (decision.effects.len(), decision.end, decision.look_again),
        (0, None, None)
    );
    assert_eq!(decision.status.phase, Some(RunPhase::Succeeded));
}

#[test]
fn a_long_answer_is_cut_at_a_character() {
    let mut long = found(ResultStatus::Success);
    long.result.response = "ä".repeat(20_000);
    let decision = Scene {
        found: Some(long),
        ..Scene::running()
    }
    .decide();
    assert_eq!(decision.status.result.unwrap().len(), MOST_RESULT);
    assert!(decision.status.result_truncated);
}

fn any_pod() -> impl Strategy<Value = Option<PodSeen>> {
    let agent = prop_oneof![
        Just(ContainerSeen::NotYet),
        Just(ContainerSeen::Waiting {
            reason: "ErrImagePull".into(),
            message: String::new()
        }),
        Just(working()),
        prop::sample::select(vec![0, 1, 4, 130, 137]).prop_map(terminated),
    ];
    prop::option::of(
        (agent, any::<bool>(), any::<bool>()).prop_map(|(agent, deleting, ended)| PodSeen {
            deleting,
            ended,
            ..pod(agent)
        }),
    )
}

fn any_gate() -> impl Strategy<Value = Option<Gate>> {
    prop::option::of(prop_oneof![
        Just(Gate::Open),
        (1u32..9, any::<bool>()).prop_map(|(position, write)| Gate::Waits { position, write }),
        Just(Gate::Missing("nothing".into())),
        Just(Gate::Refused {
            reason: "PolicyDenied",
            message: "no".into()
        }),
    ])
}

prop_compose! {
    fn any_sight()(
        pod in any_pod(),
        job in prop::option::of(any::<bool>()),
        gate in any_gate(),
        found in prop::option::of(prop::sample::select(vec![ResultStatus::Success, ResultStatus::Error]).prop_map(found)),
        asking in prop::option::of(any::<bool>()),
        made in any::<bool>(),
        cancel in any::<bool>(),
        restart in any::<bool>(),
        step in 0i64..400,
    ) -> (Scene, bool, i64) {
        let mut scene = Scene { pod, job, gate, found, asking, ..Scene::new() };
        scene.run.spec.cancel = cancel;
        scene.made_at = made.then(|| at(0));
        (scene, restart, step)
    }
}

proptest! {
    /// Whatever is seen, in whatever order, twice, after restarts: a run ends once, stays ended, and is made only before
    /// anything of it was there.
    #[test]
    fn any_order_of_sights_leads_to_one_end(sights in prop::collection::vec(any_sight(), 1..30)) {
        let mut run = run();
        let (mut now, mut ends, mut was_made) = (0, 0, false);
        for (mut sight, restart, step) in sights {
            now += step;
            sight.now = now;
            sight.run.status = run.status.clone();
            sight.run.spec.cancel |= run.spec.cancel;
            run.spec.cancel = sight.run.spec.cancel;
            if restart {
                sight.made_at = None;
            }
            let decision = sight.decide();
            if run.status.as_ref().and_then(|status| status.phase).is_some_and(RunPhase::is_terminal) {
                prop_assert!(decision.end.is_none() && decision.effects.is_empty());
                prop_assert_eq!(Some(&decision.status), run.status.as_ref());
                continue;
            }
            let created = decision.effects.contains(&RunEffect::Create);
            prop_assert!(!created || !was_made, "made twice");
            was_made |= !decision.status_can_wait && decision.status.job_name.is_some();
            ends += usize::from(decision.end.is_some());
            let phase = decision.status.phase.unwrap();
            prop_assert_eq!(phase.is_terminal(), decision.end.is_some());
            if phase.is_terminal() && decision.status.job_name.is_some() {
                prop_assert!(decision.effects.contains(&RunEffect::Revoke));
            }
            // Deciding again from what was written, with the same sight, finds nothing to write.
            if !decision.status_can_wait {
                run.status = Some(decision.status.clone());
                let mut again = sight;
                again.run.status = run.status.clone();
                if !created {
                    let second = again.decide();
                    if !phase.is_terminal() && second.end.is_none() {
                        prop_assert_eq!(second.status.phase, decision.status.phase);
                    }
                }
            }
        }
        prop_assert!(ends <= 1);
    }
}
