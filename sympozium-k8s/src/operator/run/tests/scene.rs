//! A run as it is seen at one moment, and what is decided then.

use super::super::*;
use crate::crd::v1alpha1::{AgentRun, AgentRunSpec};
use crate::operator::conditions::{ConditionType, find};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sympozium_core::run::{AgentResult, ResultMetrics, ResultStatus, RunPhase};

const START: i64 = 1_800_000_000;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

pub(super) fn run() -> AgentRun {
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

pub(super) fn pod(agent: ContainerSeen) -> PodSeen {
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

pub(super) fn working() -> ContainerSeen {
    ContainerSeen::Running { since: at(2) }
}

pub(super) fn terminated(exit_code: i32) -> ContainerSeen {
    ContainerSeen::Terminated {
        exit_code,
        reason: "OOMKilled".into(),
        message: String::new(),
        since: Some(at(2)),
        at: Some(at(50)),
    }
}

pub(super) fn found(status: ResultStatus) -> Found {
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
pub(super) struct Scene {
    pub(super) run: AgentRun,
    pub(super) pod: Option<PodSeen>,
    pub(super) job: Option<bool>,
    pub(super) gate: Option<Gate>,
    pub(super) found: Option<Found>,
    pub(super) asking: Option<bool>,
    pub(super) made_at: Option<Timestamp>,
    pub(super) now: i64,
}

impl Scene {
    pub(super) fn new() -> Self {
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

    pub(super) fn gate(gate: Gate) -> Self {
        Self {
            gate: Some(gate),
            now: 0,
            ..Self::new()
        }
    }

    /// A run whose status says what `before` decided.
    pub(super) fn after(before: &Self) -> Self {
        let mut run = before.run.clone();
        run.status = Some(before.decide().status);
        Self { run, ..Self::new() }
    }

    pub(super) fn running() -> Self {
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

    pub(super) fn decide(&self) -> RunDecision {
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

pub(super) fn short(decision: &RunDecision) -> (RunPhase, Vec<&'static str>) {
    let effects = decision.effects.iter().map(|effect| match effect {
        RunEffect::Create => "create",
        RunEffect::Stop(Stop::Pod { .. }) => "stop pod",
        RunEffect::Stop(Stop::Job) => "stop job",
        RunEffect::Revoke => "revoke",
        RunEffect::Remember(_) => "remember",
    });
    (decision.status.phase.unwrap(), effects.collect())
}

pub(super) fn check(name: &str, scene: &Scene, phase: RunPhase, effects: &[&str]) -> RunDecision {
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

pub(super) fn cancelled(mut scene: Scene) -> Scene {
    scene.run.spec.cancel = true;
    scene
}
