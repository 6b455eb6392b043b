//! A plan for the tests of this module.

use std::collections::BTreeMap;
use std::time::Duration;
use sympozium_core::chat::ThinkingEffort;
use sympozium_core::ids::{InstanceRef, RunUid};
use sympozium_core::policy::{Policy, RunToolPolicy};
use sympozium_core::run::{Cleanup, Limits, ModelPlan, RunPlan, RunRef, SubagentLimits};

/// A run of provider `fake` and model `m`, under a policy that allows everything.
pub(crate) fn plan() -> RunPlan {
    let namespace: sympozium_core::ids::Namespace = "local".parse().unwrap();
    RunPlan {
        run: RunRef {
            namespace: namespace.clone(),
            name: "r".parse().unwrap(),
            uid: RunUid::random(),
        },
        instance: InstanceRef {
            namespace,
            name: "i".parse().unwrap(),
        },
        agent_id: None,
        session: None,
        task: "the task".to_owned(),
        system_prompt: None,
        model: ModelPlan {
            provider: "fake".parse().unwrap(),
            model: "m".parse().unwrap(),
            base_url: None,
            thinking: ThinkingEffort::Off,
            secret: None,
        },
        skills: vec![],
        sandbox: None,
        tool_policy: RunToolPolicy::default(),
        limits: Limits {
            timeout: Duration::from_mins(10),
            max_turns: 50,
        },
        subagents: SubagentLimits::default(),
        parent: None,
        memory: None,
        policies: vec![Policy::local_default()],
        agent: None,
        env: BTreeMap::new(),
        reply_to: None,
        cleanup: Cleanup::default(),
    }
}
