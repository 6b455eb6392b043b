//! That any order of sights leads to one end.

use super::super::*;
use super::scene::{Scene, at, found, pod, run, terminated, working};
use proptest::prelude::*;
use sympozium_core::run::{ResultStatus, RunPhase};

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
