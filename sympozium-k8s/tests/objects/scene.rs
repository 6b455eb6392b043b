//! An installation, an instance, a run; cases change what they are about.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use sympozium_core::chat::ThinkingEffort;
use sympozium_core::ids::{
    InstanceName, InstanceRef, ModelName, Namespace, PackName, ProviderName, RunName, ToolName,
};
use sympozium_core::policy::{Policy, RunToolPolicy};
use sympozium_core::run::{Cleanup, Limits, ModelPlan, RunPlan, RunRef, SubagentLimits};
use sympozium_core::skill::{HostPort, RbacRule, Sidecar, Skill, SkillDocument, TypedTool};
use sympozium_k8s::crd::v1alpha1::PodTemplate;
use sympozium_k8s::objects::{
    BuildError, Endpoint, Images, Installation, InstanceFacts, PodBuilder, PullPolicy, RunObjects,
    RunSurroundings, StandardPodBuilder, names,
};

/// The UID of the scene's run.
pub(crate) const UID: &str = "0b7e6f0a-8f4e-4c57-9a52-5b1f0c9d1a11";

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) plan: RunPlan,
    pub(crate) installation: Installation,
    pub(crate) instance: InstanceFacts,
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

pub(crate) fn pack(name: &str) -> PackName {
    PackName::new(name).unwrap()
}

pub(crate) fn scene() -> Scene {
    let endpoint = |host: &str, ip: &str, port| Endpoint {
        host: host.to_owned(),
        ip: ip.parse().unwrap(),
        port,
    };
    Scene {
        plan: plan(),
        installation: Installation {
            namespace: namespace("sympozium-system"),
            images: Images {
                runner: "registry.example/runner:1".to_owned(),
                bridge: "registry.example/bridge:1".to_owned(),
                sandbox: "registry.example/sandbox:1".to_owned(),
            },
            pull_policy: PullPolicy::IfNotPresent,
            gateway: endpoint("sympozium-gateway.sympozium-system.svc", "10.96.0.20", 8443),
            bus: endpoint("sympozium-nats.sympozium-system.svc", "10.96.0.21", 4222),
            api_audience: "https://kubernetes.default.svc.cluster.local".to_owned(),
        },
        instance: InstanceFacts {
            ca_config_map: names::ca_config_map("helper"),
            target_namespaces: Vec::new(),
            pod_template: PodTemplate::default(),
            config_map_skills: BTreeSet::new(),
            approval_wait: Duration::ZERO,
            termination_grace: InstanceFacts::TERMINATION_GRACE,
        },
    }
}

fn plan() -> RunPlan {
    let team = namespace("team");
    RunPlan {
        run: RunRef {
            namespace: team.clone(),
            name: RunName::new("hello").unwrap(),
            uid: UID.parse().unwrap(),
        },
        instance: InstanceRef {
            namespace: team,
            name: InstanceName::new("helper").unwrap(),
        },
        agent_id: None,
        session: None,
        task: "Say hello.".to_owned(),
        system_prompt: None,
        model: ModelPlan {
            provider: ProviderName::new("anthropic").unwrap(),
            model: ModelName::new("m-1").unwrap(),
            base_url: None,
            thinking: ThinkingEffort::Off,
            secret: Some("key".to_owned()),
        },
        skills: Vec::new(),
        sandbox: None,
        tool_policy: RunToolPolicy::default(),
        limits: Limits::default(),
        subagents: SubagentLimits::default(),
        parent: None,
        memory: None,
        policies: vec![Policy::local_default()],
        agent: None,
        env: BTreeMap::new(),
        reply_to: None,
        cleanup: Cleanup::Delete,
    }
}

impl Scene {
    pub(crate) fn build(&self) -> Result<RunObjects, BuildError> {
        let surroundings = RunSurroundings {
            installation: &self.installation,
            instance: &self.instance,
        };
        StandardPodBuilder.build(&self.plan, &surroundings)
    }

    pub(crate) fn built(&self) -> RunObjects {
        self.build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The pod template as JSON.
    pub(crate) fn pod(&self) -> Value {
        let job = serde_json::to_value(self.built().job).unwrap();
        job["spec"]["template"].clone()
    }
}

/// All containers of a pod, those that start first in front.
pub(crate) fn containers(pod: &Value) -> Vec<&Value> {
    let of = |list: &str| pod["spec"][list].as_array().unwrap().iter();
    of("initContainers").chain(of("containers")).collect()
}

/// The container of that name.
pub(crate) fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let found = containers(pod).into_iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("there is no container {name}"))
}

/// The value of a variable.
pub(crate) fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let all = container["env"].as_array()?.iter();
    all.filter(|one| one["name"] == name)
        .find_map(|one| one["value"].as_str())
}

pub(crate) fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> RbacRule {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    RbacRule {
        api_groups: owned(groups),
        resources: owned(resources),
        verbs: owned(verbs),
    }
}

/// A pack with a document and a sidecar that may do nothing.
pub(crate) fn skill(name: &str) -> Skill {
    Skill {
        pack: pack(name),
        builtin: false,
        category: None,
        documents: vec![SkillDocument {
            name: "how-to".to_owned(),
            description: None,
            content: "# How to\n".to_owned(),
            requires_bins: Vec::new(),
            requires_tools: Vec::new(),
        }],
        sidecar: Some(Sidecar {
            image: format!("registry.example/{name}:1"),
            command: Vec::new(),
            env: BTreeMap::new(),
            mount_workspace: true,
            resources: BTreeMap::new(),
            tools: Vec::new(),
            egress: Vec::new(),
            rbac: Vec::new(),
            cluster_rbac: Vec::new(),
        }),
    }
}

/// The pack of that name with its sidecar changed.
pub(crate) fn skill_with(name: &str, change: impl FnOnce(&mut Sidecar)) -> Skill {
    let mut skill = skill(name);
    change(skill.sidecar.as_mut().unwrap());
    skill
}

pub(crate) fn host_port(host: &str, port: u16) -> HostPort {
    HostPort {
        host: host.to_owned(),
        port,
    }
}

/// A pack as the built-in one for clusters is.
pub(crate) fn k8s_ops() -> Skill {
    let mut skill = skill_with("k8s-ops", |sidecar| {
        sidecar.resources = [("cpu", "100m"), ("memory", "128Mi")]
            .map(|(name, amount)| (name.to_owned(), amount.to_owned()))
            .into();
        sidecar.rbac = vec![
            rule(&[""], &["pods", "pods/log", "events"], &["get", "list", "watch"]),
            rule(&["apps"], &["deployments"], &["get", "list", "patch"]),
        ];
        sidecar.cluster_rbac = vec![rule(&[""], &["nodes"], &["get", "list"])];
        sidecar.tools = vec![TypedTool {
            name: ToolName::new("pod_logs").unwrap(),
            description: "Shows the log of a pod; costs $0.".to_owned(),
            parameters: json!({"type": "object", "properties": {"pod": {"type": "string"}}}),
            argv: ["kubectl", "logs", "{{pod}}"].map(str::to_owned).to_vec(),
            timeout_seconds: 30,
        }];
    });
    skill.builtin = true;
    skill
}
