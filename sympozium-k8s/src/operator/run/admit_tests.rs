//! What a run needs in order to be made.

use super::*;
use crate::crd::v1alpha1::{SkillPack, SympoziumInstance};
use serde_json::{Value, json};

struct Scene {
    run: AgentRun,
    instance: Option<SympoziumInstance>,
    policies: Vec<(PolicyOrigin, &'static str, Option<SympoziumPolicy>)>,
    packs: Vec<SkillPack>,
    config_maps: Vec<ConfigMapSkills>,
    siblings: Option<u32>,
    network_enforced: Option<bool>,
}

fn policy(spec: &Value) -> SympoziumPolicy {
    SympoziumPolicy::new("p", serde_json::from_value(spec.clone()).unwrap())
}

impl Scene {
    fn new(run: &Value) -> Self {
        let mut spec = json!({"instanceRef": "sre", "task": "look"});
        spec.as_object_mut()
            .unwrap()
            .extend(run.as_object().unwrap().clone());
        let mut instance = SympoziumInstance::new(
            "sre",
            serde_json::from_value(json!({"agents": {"default": {"model": "gpt-4o"}}})).unwrap(),
        );
        instance.metadata.namespace = Some("team".into());
        let mut run = AgentRun::new("look", serde_json::from_value(spec).unwrap());
        run.metadata.namespace = Some("team".into());
        Self {
            run,
            instance: Some(instance),
            policies: vec![(PolicyOrigin::InstallWide, "default", Some(policy(&json!({}))))],
            packs: Vec::new(),
            config_maps: Vec::new(),
            siblings: None,
            network_enforced: None,
        }
    }

    fn policy(mut self, spec: &Value) -> Self {
        self.policies
            .push((PolicyOrigin::Instance, "own", Some(policy(spec))));
        self
    }

    fn admit(&self) -> Admission {
        let policies: Vec<_> = self
            .policies
            .iter()
            .map(|(origin, name, policy)| HoldingPolicy {
                origin: *origin,
                name: ("team", name),
                policy: policy.as_ref(),
            })
            .collect();
        let packs: Vec<_> = self
            .packs
            .iter()
            .map(|pack| PackEntry { pack, builtin: false })
            .collect();
        admit(&AdmitInputs {
            run: &self.run,
            uid: "7d1b3ad4-6e0f-4a53-9f0e-0d3f6c0f6a01".parse().unwrap(),
            namespace: &Namespace::new("team").unwrap(),
            instance: self.instance.as_ref(),
            policies: &policies,
            packs: &packs,
            config_maps: &self.config_maps,
            siblings: self.siblings,
            network_enforced: self.network_enforced,
        })
    }
}

fn refused(admission: Admission) -> (&'static str, String) {
    match admission {
        Admission::Refused { reason, message } => (reason, message),
        Admission::Missing(what) => ("missing", what),
        Admission::Admitted { .. } => ("admitted", String::new()),
    }
}

#[test]
fn what_is_allowed_is_admitted_with_the_lowest_limit() {
    let Admission::Admitted { plan, limit } = Scene::new(&json!({})).admit() else {
        panic!("not admitted");
    };
    assert_eq!((plan.run.name.as_str(), limit), ("look", 5));
    let strict = Scene::new(&json!({})).policy(&json!({"subagentPolicy": {"maxConcurrent": 2}}));
    assert!(matches!(strict.admit(), Admission::Admitted { limit: 2, .. }));
}

#[test]
fn what_is_named_and_not_there_is_missing() {
    for (scene, part) in [
        (
            Scene {
                instance: None,
                ..Scene::new(&json!({}))
            },
            "SympoziumInstance sre",
        ),
        (
            Scene::new(&json!({"skills": [{"skillPackRef": "ops"}]})),
            "SkillPack ops",
        ),
        (
            Scene::new(&json!({"skills": [{"skillPackRef": "system/ops"}]})),
            "SkillPack system/ops",
        ),
        (
            Scene::new(&json!({"skills": [{"configMapRef": "notes"}]})),
            "ConfigMap notes",
        ),
        (
            Scene {
                policies: vec![(PolicyOrigin::Instance, "own", None)],
                ..Scene::new(&json!({}))
            },
            "SympoziumPolicy own",
        ),
    ] {
        let (reason, message) = refused(scene.admit());
        assert_eq!(reason, "missing", "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_refusal_names_the_policy_and_its_rule() {
    for (scene, reason, parts) in [
        (
            Scene::new(&json!({})).policy(&json!({"models": {"deny": ["gpt-*"]}})),
            "PolicyDenied",
            ["team/own", "models.deny[0]"],
        ),
        (
            Scene {
                siblings: Some(3),
                ..Scene::new(&json!({"parent": {"runName": "a", "spawnDepth": 1}}))
            },
            "PolicyDenied",
            ["instance", "maxChildrenPerAgent"],
        ),
        (
            Scene {
                network_enforced: Some(false),
                ..Scene::new(&json!({})).policy(&json!({"networkPolicy": {"requireEnforced": true}}))
            },
            "PolicyDenied",
            ["team/own", "requireEnforced"],
        ),
        (
            Scene {
                policies: Vec::new(),
                ..Scene::new(&json!({}))
            },
            "PolicyDenied",
            ["none", "No policy could be read"],
        ),
        (
            Scene::new(&json!({"env": [{"name": "LD_PRELOAD", "value": "x"}]})),
            "Invalid",
            ["spec.env", "LD_PRELOAD"],
        ),
        (
            Scene::new(&json!({})).policy(&json!({"egress": {"hosts": [{"host": "db", "private": true}]}})),
            "InvalidPolicy",
            ["spec.egress.hosts[0].private", "install-wide"],
        ),
    ] {
        let (given, message) = refused(scene.admit());
        assert_eq!(given, reason, "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
