//! A run plan for tests.

use crate::chat::ThinkingEffort;
use crate::ids::{InstanceName, InstanceRef, InvalidId, ModelName, Namespace, ProviderName, RunName, RunUid};
use crate::policy::{Policy, RunToolPolicy};
use crate::run::{Cleanup, Limits, ModelPlan, RunPlan, RunRef, SubagentLimits};
use std::collections::BTreeMap;

/// A plan of a new run: that task, provider `fake`, model `m`, instance `local/i`, no skills, and the policy that allows
/// everything. Change what your test is about.
///
/// # Panics
/// Never: the names in it are valid.
#[expect(clippy::panic, reason = "the names are literals which are known to be valid")]
pub fn run_plan(task: &str) -> RunPlan {
    make(task).unwrap_or_else(|error| panic!("the names of a test's plan are valid: {error}"))
}

fn make(task: &str) -> Result<RunPlan, InvalidId> {
    let namespace = Namespace::new("local")?;
    Ok(RunPlan {
        run: RunRef {
            namespace: namespace.clone(),
            name: RunName::new("r")?,
            uid: RunUid::random(),
        },
        instance: InstanceRef {
            namespace,
            name: InstanceName::new("i")?,
        },
        agent_id: None,
        session: None,
        task: task.to_owned(),
        system_prompt: None,
        model: ModelPlan {
            provider: ProviderName::new("fake")?,
            model: ModelName::new("m")?,
            base_url: None,
            thinking: ThinkingEffort::Off,
            secret: None,
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
        cleanup: Cleanup::default(),
    })
}
