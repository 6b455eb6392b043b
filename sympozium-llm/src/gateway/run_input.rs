//! What a run is to do, as its runner reads it. Pure.

use std::time::Duration;
use sympozium_core::gateway::{HistorySize, RunInput, TargetedTool};
use sympozium_core::ids::PackName;
use sympozium_core::run::RunPlan;

/// The target of `execute_command` that is no pack.
const SANDBOX: &str = "sandbox";

/// The input of a run whose plan is `plan`, with `history` before it and `remaining` time ahead.
pub(super) fn run_input(
    plan: &RunPlan,
    history: HistorySize,
    context_window: Option<u32>,
    remaining: Duration,
) -> RunInput {
    RunInput {
        run: plan.run.clone(),
        instance: plan.instance.clone(),
        task: plan.task.clone(),
        system_prompt: plan.system_prompt.clone(),
        history,
        gate: plan.tool_gate(),
        provider: plan.model.provider.clone(),
        model: plan.model.model.clone(),
        thinking: plan.model.thinking,
        context_window,
        remaining_ms: u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
        max_turns: plan.limits.max_turns,
        targets: targets(plan),
        typed_tools: typed_tools(plan),
        memory_max_bytes: plan.memory.map(|memory| memory.max_bytes),
        reply_to: plan.reply_to.clone(),
    }
}

fn targets(plan: &RunPlan) -> Vec<PackName> {
    let with_sidecar = plan.skills.iter().filter(|skill| skill.sidecar.is_some());
    let packs = with_sidecar.map(|skill| skill.pack.clone());
    let sandbox = plan.sandbox.as_ref().and_then(|_| PackName::new(SANDBOX).ok());
    packs.chain(sandbox).collect()
}

fn typed_tools(plan: &RunPlan) -> Vec<TargetedTool> {
    let sidecars = plan
        .skills
        .iter()
        .filter_map(|skill| Some((&skill.pack, skill.sidecar.as_ref()?)));
    sidecars
        .flat_map(|(pack, sidecar)| {
            sidecar.tools.iter().map(|tool| TargetedTool {
                target: pack.clone(),
                tool: tool.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use sympozium_core::run::{MemoryPlan, SandboxPlan};
    use sympozium_core::skill::{Sidecar, Skill, TypedTool};
    use sympozium_core::testing::run_plan;

    fn skill(pack: &str, sidecar: Option<Sidecar>) -> Skill {
        Skill {
            pack: PackName::new(pack).unwrap(),
            builtin: false,
            category: None,
            documents: vec![],
            sidecar,
        }
    }

    fn sidecar(tool: &str) -> Sidecar {
        let tool = TypedTool {
            name: tool.parse().unwrap(),
            description: String::new(),
            parameters: serde_json::json!({"type": "object"}),
            argv: vec!["true".to_owned()],
            timeout_seconds: 1,
        };
        Sidecar {
            image: String::new(),
            command: vec![],
            env: BTreeMap::new(),
            mount_workspace: true,
            resources: BTreeMap::new(),
            tools: vec![tool],
            egress: vec![],
            rbac: vec![],
            cluster_rbac: vec![],
        }
    }

    #[test]
    fn a_run_learns_where_its_commands_can_run_and_which_tools_its_packs_bring() {
        let mut plan = run_plan("the task");
        plan.skills = vec![skill("words", None), skill("ops", Some(sidecar("restart")))];
        plan.sandbox = Some(SandboxPlan::default());
        plan.memory = Some(MemoryPlan { max_bytes: 7 });
        let history = HistorySize {
            messages: 3,
            bytes: 99,
        };
        let input = run_input(&plan, history, Some(1_000), Duration::from_secs(2));
        let targets: Vec<_> = input.targets.iter().map(PackName::as_str).collect();
        let tools: Vec<_> = input
            .typed_tools
            .iter()
            .map(|t| (t.target.as_str(), t.tool.name.as_str()))
            .collect();
        assert_eq!(targets, ["ops", "sandbox"]);
        assert_eq!(tools, [("ops", "restart")]);
        assert_eq!((input.task, input.gate), (plan.task.clone(), plan.tool_gate()));
        assert_eq!((input.history, input.context_window), (history, Some(1_000)));
        assert_eq!((input.remaining_ms, input.memory_max_bytes), (2_000, Some(7)));
    }
}
