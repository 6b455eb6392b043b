//! What holds for the pod of every run, whatever run and instance say.

use crate::restricted::violations;
use crate::scene::{Scene, containers, host_port, rule, scene, skill_with};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use sympozium_core::run::{ForeignAgent, MemoryPlan, SandboxPlan};
use sympozium_core::skill::Skill;
use sympozium_k8s::crd::v1alpha1::{
    ImagePullSecret, PodTemplate, ResourceAmounts, Toleration, TolerationOperator,
};
use sympozium_k8s::objects::{BuildError, names};

/// Keys as instances may and may not write them.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "example[.]org/[a-zA-Z0-9._-]{0,12}",
        Just("sympozium.ai/component".to_owned()),
        Just("sympozium.ai/agent-run".to_owned()),
        Just("x.sympozium.ai/y".to_owned()),
        Just("sidecar.istio.io/inject".to_owned()),
        Just("container.apparmor.security.beta.kubernetes.io/agent".to_owned()),
        Just("seccomp.security.alpha.kubernetes.io/pod".to_owned()),
        Just("job-name".to_owned()),
        "\\PC{0,12}",
    ]
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop_oneof!["[a-zA-Z0-9]{0,8}", "\\PC{0,12}", Just("unconfined".to_owned())];
    proptest::collection::btree_map(key(), value, 0..3)
}

prop_compose! {
    fn template()(
        labels in texts(),
        annotations in texts(),
        node_selector in texts(),
        priority in proptest::option::of("[a-z-]{1,12}"),
        runtime in proptest::option::of("[a-z-]{1,12}"),
        secret in proptest::option::of("[a-z]{1,8}"),
        memory in proptest::option::of(1u32..4096),
        tolerates in any::<bool>(),
    ) -> PodTemplate {
        PodTemplate {
            image_pull_secrets: secret.into_iter().map(|name| ImagePullSecret { name }).collect(),
            node_selector,
            tolerations: tolerates
                .then(|| Toleration { operator: Some(TolerationOperator::Exists), ..Toleration::default() })
                .into_iter()
                .collect(),
            priority_class_name: priority,
            runtime_class_name: runtime,
            resources: memory.map(|mebibytes| ResourceAmounts {
                limits: BTreeMap::from([("memory".to_owned(), format!("{mebibytes}Mi").parse().unwrap())]),
                ..ResourceAmounts::default()
            }),
            labels,
            annotations,
        }
    }
}

prop_compose! {
    /// A pack: with its own command, workspace, egress, rights, documents, each or not.
    fn a_skill(name: &'static str)(
        own in any::<bool>(),
        workspace in any::<bool>(),
        egress in any::<bool>(),
        rights in any::<bool>(),
        env in texts(),
        documents in any::<bool>(),
    ) -> Skill {
        let mut skill = skill_with(name, |sidecar| {
            sidecar.command = own.then(|| "/own".to_owned()).into_iter().collect();
            sidecar.mount_workspace = workspace;
            sidecar.env = env;
            sidecar.egress = egress.then(|| host_port("a.example", 443)).into_iter().collect();
            sidecar.rbac = rights.then(|| rule(&[""], &["pods"], &["get"])).into_iter().collect();
        });
        if !documents {
            skill.documents.clear();
        }
        skill
    }
}

prop_compose! {
    fn any_scene()(
        template in template(),
        env in texts(),
        skills in (
            proptest::option::of(a_skill("one")),
            proptest::option::of(a_skill("two")),
        ),
        sandbox in any::<bool>(),
        foreign in any::<bool>(),
        memory in any::<bool>(),
        agent_id in proptest::option::of("\\PC{0,20}"),
        task in "\\PC{1,40}",
    ) -> Scene {
        let mut scene = scene();
        scene.instance.pod_template = template;
        scene.plan.env = env;
        scene.plan.skills = skills.0.into_iter().chain(skills.1).collect();
        scene.plan.sandbox = sandbox.then(SandboxPlan::default);
        scene.plan.memory = memory.then_some(MemoryPlan { max_bytes: 65_536 });
        scene.plan.agent_id = agent_id;
        scene.plan.task = task;
        scene.plan.agent = foreign.then(|| ForeignAgent {
            image: "registry.example/crew:2".to_owned(),
            command: vec!["crew".to_owned()],
            args: Vec::new(),
        });
        scene
    }
}

fn mounts(container: &Value) -> Vec<(&str, &str, &str, bool)> {
    let mounts = container["volumeMounts"].as_array().unwrap().iter();
    mounts
        .map(|mount| {
            (
                mount["mountPath"].as_str().unwrap(),
                mount["name"].as_str().unwrap(),
                mount["subPath"].as_str().unwrap_or_default(),
                mount["readOnly"] == true,
            )
        })
        .collect()
}

/// The audiences of the tokens that a container sees.
fn audiences(pod: &Value, container: &Value) -> BTreeSet<String> {
    let mounted: BTreeSet<_> = mounts(container).into_iter().map(|(_, name, ..)| name).collect();
    let volumes = pod["spec"]["volumes"].as_array().unwrap().iter();
    volumes
        .filter(|volume| mounted.contains(volume["name"].as_str().unwrap()))
        .flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten())
        .filter_map(|source| source["serviceAccountToken"]["audience"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The contract's table: who sees which tokens.
fn expected_audiences(scene: &Scene, container: &str) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    match container {
        "agent" => drop(expected.insert("sympozium-gateway".to_owned())),
        "ipc-bridge" => drop(expected.insert("sympozium-bus".to_owned())),
        "sandbox" => {}
        skill => {
            let pack = skill.strip_prefix("skill-").unwrap();
            let skills = scene.plan.skills.iter();
            let mut of_pack = skills.filter(|skill| skill.pack.as_str() == pack);
            let sidecar = of_pack.next().unwrap().sidecar.as_ref().unwrap();
            if sidecar.wants_rbac() {
                expected.insert(scene.installation.api_audience.clone());
            }
            if sidecar.wants_rbac() || !sidecar.egress.is_empty() {
                expected.insert(format!("sympozium-egress/{pack}"));
            }
        }
    }
    expected
}

/// The contract's table: who sees what of `/ipc`, as (path, sub-path, read-only).
fn expected_mailbox(container: &str, executors: &[&str], foreign: bool) -> BTreeSet<(String, String, bool)> {
    let row = |path: &str, part: &str, read_only| (path.to_owned(), part.to_owned(), read_only);
    match container {
        "ipc-bridge" => BTreeSet::from([row("/ipc", "", false)]),
        "agent" => {
            let mut rows: BTreeSet<_> = ["output", "messages", "spawn", "schedules", "approvals-out"]
                .into_iter()
                .map(|name| row(&format!("/ipc/{name}"), name, false))
                .collect();
            for name in ["input", "receipts", "approvals"] {
                rows.insert(row(&format!("/ipc/{name}"), name, true));
            }
            for name in executors {
                let part = format!("tools/{name}");
                let path = if foreign && executors.len() == 1 {
                    "/ipc/tools".to_owned()
                } else {
                    format!("/ipc/{part}")
                };
                rows.insert(row(&path, &part, false));
            }
            rows
        }
        executor => {
            let name = executor.strip_prefix("skill-").unwrap_or(executor);
            BTreeSet::from([
                row("/ipc/tools", &format!("tools/{name}"), false),
                row("/ipc/approvals", &format!("approvals/{name}"), true),
            ])
        }
    }
}

fn check_tokens_and_mailbox(scene: &Scene, pod: &Value) {
    let all = containers(pod);
    let executors: Vec<_> = all
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .filter(|name| !matches!(*name, "agent" | "ipc-bridge"))
        .map(|name| name.strip_prefix("skill-").unwrap_or(name))
        .collect();
    for container in &all {
        let name = container["name"].as_str().unwrap();
        assert_eq!(
            audiences(pod, container),
            expected_audiences(scene, name),
            "{name}"
        );
        let mailbox: BTreeSet<_> = mounts(container)
            .into_iter()
            .filter(|(_, volume, ..)| *volume == "ipc")
            .map(|(path, _, part, read_only)| (path.to_owned(), part.to_owned(), read_only))
            .collect();
        let expected = expected_mailbox(name, &executors, scene.plan.agent.is_some());
        assert_eq!(mailbox, expected, "{name}");
    }
}

fn check_volumes(pod: &Value) {
    let volumes: BTreeSet<_> = pod["spec"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|volume| volume["name"].as_str().unwrap())
        .collect();
    let mut used = BTreeSet::new();
    let mut own = BTreeSet::new();
    for container in containers(pod) {
        let name = container["name"].as_str().unwrap();
        let mut paths = BTreeSet::new();
        for (path, volume, part, read_only) in mounts(container) {
            assert!(paths.insert(path), "{name} has two mounts at {path}");
            used.insert(volume);
            match volume {
                "scratch" => assert!(own.insert(part), "{part} is shared"),
                "memory" | "gateway-token" => assert_eq!(name, "agent"),
                "programs" => assert_eq!(read_only, name != "ipc-bridge", "{name}"),
                "ipc" | "workspace" => {}
                other => assert!(read_only, "{name} can write to {other}"),
            }
        }
    }
    assert_eq!(volumes, used);
}

fn check_pod(scene: &Scene, pod: &Value) {
    let spec = &pod["spec"];
    assert_eq!(violations(spec), [""; 0]);
    for (name, value) in names::run_labels(&scene.plan) {
        assert_eq!(pod["metadata"]["labels"][&name], value, "{name}");
    }
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(spec["enableServiceLinks"], false);
    assert_eq!(spec["shareProcessNamespace"], false);
    assert_eq!(spec["restartPolicy"], "Never");
    assert_eq!(spec["dnsPolicy"], "None");
    for container in containers(pod) {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        for field in ["envFrom", "ports", "startupProbe", "livenessProbe"] {
            assert!(container[field].is_null(), "{field}");
        }
        let by_reference = container["env"].as_array().into_iter().flatten();
        for variable in by_reference.filter(|one| !one["valueFrom"].is_null()) {
            assert_eq!(variable["valueFrom"]["fieldRef"]["fieldPath"], "metadata.uid");
        }
    }
    check_volumes(pod);
    check_tokens_and_mailbox(scene, pod);
}

/// Whether an instance's template is one that its schema lets through, by the schema's own words.
fn is_reserved(key: &str) -> bool {
    let reserved = regex::Regex::new(
        "(^|[.])(kubernetes[.]io|k8s[.]io|sympozium[.]ai|istio[.]io|linkerd[.]io|hashicorp[.]com|dapr[.]io)/",
    );
    reserved.unwrap().is_match(key)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_pod_is_restricted_and_keeps_labels_tokens_and_mounts(scene in any_scene()) {
        let template = scene.instance.pod_template.clone();
        match scene.build() {
            Ok(first) => {
                check_pod(&scene, &scene.pod());
                let keys = template.labels.keys().chain(template.annotations.keys());
                prop_assert!(keys.clone().all(|key| !is_reserved(key)), "{:?}", keys.collect::<Vec<_>>());
                // What is applied again must not be a change.
                prop_assert_eq!(first, scene.built());
            }
            Err(BuildError::PodTemplate { path, .. }) => {
                prop_assert!(path.starts_with("labels[") || path.starts_with("annotations["));
                let mut scene = scene;
                scene.instance.pod_template.labels.clear();
                scene.instance.pod_template.annotations.clear();
                check_pod(&scene, &scene.pod());
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
