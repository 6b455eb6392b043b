//! One table of runs, sights and what comes next.

mod orders;
mod scene;

use super::*;
use crate::operator::conditions::{ConditionType, find};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use scene::{Scene, at, cancelled, check, found, pod, terminated, working};
use sympozium_core::run::{ResultStatus, RunPhase};

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
