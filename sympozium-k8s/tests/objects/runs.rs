//! Whole runs, as snapshots, and single promises about them.

use crate::scene::{
    Scene, container, containers, host_port, k8s_ops, namespace, pack, rule, scene, skill, skill_with,
    variable,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use sympozium_core::ids::{PackName, RunName};
use sympozium_core::run::{Cleanup, ForeignAgent, MemoryPlan, Parent, SandboxPlan, ToolboxConfig};
use sympozium_k8s::crd::v1alpha1::{
    ImagePullSecret, PodTemplate, ResourceAmounts, Toleration, TolerationEffect, TolerationOperator,
};

/// Everything that is made, under the names of its parts.
fn shown(scene: &Scene) -> Value {
    let made = scene.built();
    let dropped: Vec<_> = made.dropped.iter().map(ToString::to_string).collect();
    let all = json!({
        "job": made.job,
        "serviceAccount": made.service_account,
        "roles": made.roles,
        "roleBindings": made.role_bindings,
        "clusterRoles": made.cluster_roles,
        "clusterRoleBindings": made.cluster_role_bindings,
        "grants": made.grants,
        "dropped": dropped,
    });
    assert!(made.config_maps.is_empty());
    let Value::Object(mut all) = all else { panic!() };
    all.retain(|_, value| *value != Value::Null && *value != json!([]));
    Value::Object(all)
}

#[test]
fn a_plain_run_is_a_job_and_nothing_else() {
    insta::assert_yaml_snapshot!(shown(&scene()));
}

#[test]
fn a_pack_with_rights_in_two_namespaces_has_roles_there_and_an_identity_of_the_run() {
    let mut scene = scene();
    scene.plan.skills = vec![k8s_ops()];
    scene.plan.memory = Some(MemoryPlan { max_bytes: 65_536 });
    scene.instance.target_namespaces = vec![namespace("shop"), namespace("team")];
    insta::assert_yaml_snapshot!(shown(&scene));
}

#[test]
fn two_packs_with_rights_share_an_identity_and_nothing_else() {
    let mut scene = scene();
    let other = skill_with("releases", |sidecar| {
        sidecar.rbac = vec![rule(&[""], &["configmaps"], &["get"])];
        sidecar.egress = vec![host_port("api.example.org", 443)];
        sidecar.mount_workspace = false;
    });
    scene.plan.skills = vec![k8s_ops(), other];
    scene.instance.target_namespaces = vec![namespace("shop")];
    insta::assert_yaml_snapshot!(shown(&scene));
}

#[test]
fn a_foreign_agent_is_started_by_the_toolbox_and_knows_its_folders() {
    let mut scene = scene();
    scene.plan.agent = Some(ForeignAgent {
        image: "registry.example/crew:2".to_owned(),
        command: vec!["python".to_owned(), "-m".to_owned(), "crew".to_owned()],
        args: vec!["--price=$(TASK)".to_owned()],
    });
    scene.plan.env = BTreeMap::from([("CREW_MODE".to_owned(), "a$b $(HOME)".to_owned())]);
    scene.plan.skills = vec![skill("notes")];
    insta::assert_yaml_snapshot!(shown(&scene));
}

#[test]
fn a_sandbox_is_a_sidecar_without_token() {
    let mut scene = scene();
    scene.plan.sandbox = Some(SandboxPlan {
        image: Some("registry.example/python:3".to_owned()),
        requests: BTreeMap::new(),
        limits: BTreeMap::from([("cpu".to_owned(), "2".to_owned())]),
    });
    insta::assert_yaml_snapshot!(shown(&scene));
}

fn overlay() -> PodTemplate {
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    PodTemplate {
        image_pull_secrets: vec![ImagePullSecret {
            name: "registry".to_owned(),
        }],
        node_selector: map("kubernetes.io/arch", "arm64"),
        tolerations: vec![Toleration {
            key: Some("agents".to_owned()),
            operator: Some(TolerationOperator::Exists),
            effect: Some(TolerationEffect::NoSchedule),
            ..Toleration::default()
        }],
        priority_class_name: Some("low".to_owned()),
        runtime_class_name: Some("gvisor".to_owned()),
        resources: Some(ResourceAmounts {
            requests: BTreeMap::from([("memory".to_owned(), "1Gi".parse().unwrap())]),
            limits: BTreeMap::from([("memory".to_owned(), "2Gi".parse().unwrap())]),
        }),
        labels: map("example.org/team", "shop"),
        annotations: map("example.org/why", "because"),
    }
}

#[test]
fn an_instance_says_where_its_pods_run_and_how_large_its_agents_are() {
    let mut scene = scene();
    scene.instance.pod_template = overlay();
    insta::assert_yaml_snapshot!(shown(&scene));
}

#[test]
fn a_job_that_is_to_be_kept_has_no_time_to_live() {
    let mut scene = scene();
    let time_to_live = |scene: &Scene| scene.built().job.spec.unwrap().ttl_seconds_after_finished;
    assert_eq!(time_to_live(&scene), Some(300));
    scene.plan.cleanup = Cleanup::Keep;
    assert_eq!(time_to_live(&scene), None);
    insta::assert_yaml_snapshot!(shown(&scene));
}

#[test]
fn the_deadline_covers_waiting_for_people_and_the_jobs_is_later_than_all() {
    let mut scene = scene();
    scene.plan.limits.timeout = Duration::from_millis(90_500);
    scene.instance.approval_wait = Duration::from_hours(1);
    scene.instance.termination_grace = Duration::from_secs(1);
    let job = scene.built().job.spec.unwrap();
    let pod = job.template.spec.unwrap();
    assert_eq!(pod.active_deadline_seconds, Some(91 + 3600 + 300));
    // A bridge has to have time to drain, whatever a policy says.
    assert_eq!(pod.termination_grace_period_seconds, Some(30));
    assert_eq!(job.active_deadline_seconds, Some(91 + 3600 + 300 + 30 + 600));
}

#[test]
fn a_termination_message_may_be_as_long_as_arrives() {
    let mut scene = scene();
    let bytes = |scene: &Scene, container: &str| {
        let pod = scene.pod();
        let text = variable(
            crate::scene::container(&pod, container),
            "SYMPOZIUM_TERMINATION_MESSAGE_BYTES",
        );
        text.unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(bytes(&scene, "agent"), 4096);
    scene.plan.skills = ["a", "b"].map(skill).to_vec();
    for container in ["agent", "ipc-bridge"] {
        assert_eq!(bytes(&scene, container), 12_288 / 4);
    }
}

#[test]
fn an_executor_is_told_its_rules_by_arguments_that_it_reads() {
    let mut scene = scene();
    scene.plan.skills = vec![k8s_ops()];
    let pod = scene.pod();
    let arguments = container(&pod, "skill-k8s-ops")["args"].clone();
    let arguments: Vec<String> = serde_json::from_value(arguments).unwrap();
    assert_eq!(arguments[..2], ["serve", "--config-json"]);
    assert!(!arguments[2].contains('$'));
    let config: ToolboxConfig = serde_json::from_str(&arguments[2]).unwrap();
    assert_eq!(config.gate, scene.plan.tool_gate());
    let sidecar = scene.plan.skills[0].sidecar.clone().unwrap();
    assert_eq!(config.typed_tools, sidecar.tools);
    let proxy = config.proxy.unwrap();
    assert_eq!(
        proxy.url.as_str(),
        "https://sympozium-gateway.sympozium-system.svc:8443/"
    );
    assert_eq!(config.env["KUBERNETES_SERVICE_HOST"], "kubernetes.default.svc");
}

#[test]
fn a_pack_with_a_command_of_its_own_keeps_the_toolbox_as_its_parent() {
    let mut scene = scene();
    scene.plan.skills = vec![skill_with("own", |sidecar| {
        sidecar.command = vec!["/executor".to_owned(), "$(HOME)".to_owned()];
        sidecar.env = BTreeMap::from([("MODE".to_owned(), "x".to_owned())]);
    })];
    let pod = scene.pod();
    let own = container(&pod, "skill-own");
    assert_eq!(own["command"], json!(["/opt/sympozium/bin/toolbox"]));
    assert_eq!(own["args"], json!(["with-token", "--", "/executor", "$$(HOME)"]));
    assert_eq!(variable(own, "MODE"), Some("x"));
}

#[test]
fn documents_come_from_mirrors_or_from_the_config_map_that_was_named() {
    let mut scene = scene();
    let mut named = skill("handbook");
    named.sidecar = None;
    scene.plan.skills = vec![k8s_ops(), named];
    scene.instance.config_map_skills = [pack("handbook")].into();
    let pod = scene.pod();
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let sources = |name: &str| {
        let volume = volumes.iter().find(|volume| volume["name"] == name).unwrap();
        volume["projected"]["sources"].clone()
    };
    let mirror = json!([{"configMap": {"name": "sympozium-skills.system.k8s-ops.0"}}]);
    assert_eq!(sources("skills-k8s-ops"), mirror);
    let items = json!([{"key": "how-to.md", "path": "how-to.md"}]);
    assert_eq!(
        sources("skills-handbook"),
        json!([{"configMap": {"name": "handbook", "items": items}}])
    );
    // A pack that only instructs has no container.
    let found: Vec<_> = containers(&pod).iter().map(|one| one["name"].clone()).collect();
    assert_eq!(found, ["ipc-bridge", "skill-k8s-ops", "agent"]);
}

#[test]
fn parents_and_agent_ids_are_labels_where_they_can_be() {
    let mut scene = scene();
    scene.plan.agent_id = Some("primary".to_owned());
    scene.plan.parent = Some(Parent {
        run: RunName::new("above").unwrap(),
        session: None,
        depth: 1,
    });
    let labels = scene.pod()["metadata"]["labels"].clone();
    assert_eq!(labels["sympozium.ai/agent-id"], "primary");
    assert_eq!(labels["sympozium.ai/parent-run"], "above");
    scene.plan.agent_id = Some("the first one!".to_owned());
    let metadata = scene.pod()["metadata"].clone();
    assert_eq!(metadata["annotations"]["sympozium.ai/agent-id"], "the first one!");
    assert_eq!(metadata["labels"]["sympozium.ai/agent-id"], Value::Null);
}

#[test]
fn one_address_for_gateway_and_bus_is_one_entry_of_the_hosts_file() {
    let mut scene = scene();
    scene.installation.bus.ip = scene.installation.gateway.ip;
    let aliases = scene.pod()["spec"]["hostAliases"].clone();
    assert_eq!(aliases.as_array().unwrap().len(), 1);
    assert_eq!(aliases[0]["hostnames"].as_array().unwrap().len(), 2);
}

#[test]
fn a_sandbox_and_a_pack_of_that_name_can_not_be_told_apart() {
    let mut scene = scene();
    scene.plan.skills = vec![skill("sandbox")];
    assert!(scene.build().is_ok());
    scene.plan.sandbox = Some(SandboxPlan::default());
    let error = scene.build().unwrap_err().to_string();
    assert!(error.contains("rename the pack"), "{error}");
    assert!(PackName::new("sandbox").is_ok());
}
