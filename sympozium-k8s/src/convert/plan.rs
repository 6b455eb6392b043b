//! From a run and all that it refers to, to its plan.

use super::bounds;
use super::model::model;
use super::problem::{Findings, InvalidObjects};
use super::sandbox::sandbox;
use super::shelf::{ConfigMapSkills, Found, PackEntry, Shelf};
use super::skills::{environment, skill};
use crate::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance};
use std::time::Duration;
use sympozium_core::channel::ChannelKind;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunName, RunUid, SessionKey};
use sympozium_core::policy::{Pattern, Policy, RunToolPolicy};
use sympozium_core::run::{
    ForeignAgent, Limits, MemoryPlan, Parent, ReplyTo, RunPlan, RunRef, SubagentLimits,
};
use sympozium_core::skill::Skill;

/// The annotation that names the platform which gets the answer.
const REPLY_CHANNEL: &str = "sympozium.ai/reply-channel";

/// The annotation that names the chat which gets the answer.
const REPLY_CHAT: &str = "sympozium.ai/reply-chat-id";

/// The annotation by which a run goes without its instance's memory: `off`. It can only narrow.
pub const MEMORY_ANNOTATION: &str = "sympozium.ai/memory";

/// The longest a run may take.
const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// The shortest time that a run may be given.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A Secret with a provider's key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySecret {
    /// Its name.
    pub name: String,
    /// Its annotation `sympozium.ai/base-url`: the one address that the key may be sent to.
    pub base_url: Option<String>,
}

/// All that a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct PlanInputs<'a> {
    /// The run.
    pub run: &'a AgentRun,
    /// The run's identity; the caller makes one up for local runs.
    pub uid: RunUid,
    /// The namespace of objects that name none.
    pub namespace: &'a Namespace,
    /// The run's instance.
    pub instance: &'a SympoziumInstance,
    /// The policies that hold, install-wide first.
    pub policies: &'a [Policy],
    /// The packs that there are.
    pub packs: &'a [PackEntry<'a>],
    /// The ConfigMaps that there are.
    pub config_maps: &'a [ConfigMapSkills],
    /// The Secrets that there are; `None` = not known, and then not checked here.
    pub secrets: Option<&'a [KeySecret]>,
}

/// Makes the plan of a run, or says all that is wrong. Policies are carried along, not asked.
pub fn plan(inputs: &PlanInputs<'_>) -> Result<RunPlan, InvalidObjects> {
    let run = inputs.run;
    let mut findings = Findings::of(
        "AgentRun",
        run.metadata.name.as_deref().unwrap_or("without a name"),
    );
    bounds::check("AgentRun", &run.spec, &mut findings);
    check_instance(inputs, &mut findings);
    let names = names(inputs, &mut findings);
    let (skills, packs) = skills(inputs, &mut findings);
    let plan = assemble(inputs, names, &mut findings).map(|plan| RunPlan {
        sandbox: sandbox(inputs, &packs, &mut findings),
        skills,
        ..plan
    });
    findings.finish(plan)
}

fn check_instance(inputs: &PlanInputs<'_>, findings: &mut Findings) {
    let name = inputs.instance.metadata.name.as_deref().unwrap_or_default();
    if inputs.run.spec.instance_ref != name {
        findings.add(
            "spec.instanceRef",
            format_args!(
                "names {:?}, but the instance is {name:?}",
                inputs.run.spec.instance_ref
            ),
        );
    }
    let mut own = Findings::of("SympoziumInstance", name);
    bounds::check("SympoziumInstance", &inputs.instance.spec, &mut own);
    findings.absorb(own.finish(Some(())));
}

fn names(inputs: &PlanInputs<'_>, findings: &mut Findings) -> Option<(RunRef, InstanceRef)> {
    let namespace = match &inputs.run.metadata.namespace {
        Some(name) => findings.take("metadata.namespace", Namespace::new(name)),
        None => Some(inputs.namespace.clone()),
    };
    let of_instance = inputs.instance.metadata.namespace.as_deref();
    let expected = namespace.as_ref().map(Namespace::as_str);
    if of_instance.is_some() && of_instance != expected {
        findings.add("spec.instanceRef", "the instance is in another namespace");
    }
    let name = inputs.run.metadata.name.as_deref().unwrap_or_default();
    let run = findings.take("metadata.name", RunName::new(name));
    let instance = findings.take(
        "spec.instanceRef",
        InstanceName::new(&inputs.run.spec.instance_ref),
    );
    let namespace = namespace?;
    Some((
        RunRef {
            namespace: namespace.clone(),
            name: run?,
            uid: inputs.uid,
        },
        InstanceRef {
            namespace,
            name: instance?,
        },
    ))
}

/// Everything but skills and sandbox. All parts are read before the first missing one ends it, so that all is reported.
fn assemble(
    inputs: &PlanInputs<'_>,
    names: Option<(RunRef, InstanceRef)>,
    findings: &mut Findings,
) -> Option<RunPlan> {
    let spec = &inputs.run.spec;
    let settings = &inputs.instance.spec.agents.default;
    let memory = inputs.instance.spec.memory.as_ref();
    let model = model(inputs, findings);
    let session = session("spec.sessionKey", spec.session_key.as_ref(), findings);
    let parent = parent(inputs, findings);
    let limits = limits(inputs, findings);
    let tool_policy = tool_policy(inputs, findings);
    let env = environment("spec.env", &spec.env, findings);
    let reply_to = reply_to(inputs, findings);
    let (run, instance) = names?;
    Some(RunPlan {
        run,
        instance,
        agent_id: spec.agent_id.clone().filter(|id| !id.is_empty()),
        session,
        task: spec.task.clone(),
        system_prompt: spec
            .system_prompt
            .clone()
            .or_else(|| memory?.system_prompt.clone())
            .filter(|text| !text.is_empty()),
        model: model?,
        skills: Vec::new(),
        sandbox: None,
        tool_policy,
        limits,
        subagents: settings
            .subagents
            .as_ref()
            .map_or_else(SubagentLimits::default, |given| SubagentLimits {
                max_depth: given.max_depth,
                max_concurrent: given.max_concurrent,
                max_children: given.max_children_per_agent,
            }),
        parent,
        memory: memory
            .filter(|memory| memory.enabled && !without_memory(inputs))
            .map(|memory| MemoryPlan {
                max_bytes: memory.max_size_kb.saturating_mul(1024),
            }),
        policies: inputs.policies.to_vec(),
        agent: spec.agent.as_ref().map(|agent| ForeignAgent {
            image: agent.image.clone(),
            command: agent.command.clone(),
            args: agent.args.clone(),
        }),
        env,
        reply_to,
        cleanup: spec.cleanup,
    })
}

fn without_memory(inputs: &PlanInputs<'_>) -> bool {
    let annotations = inputs.run.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(MEMORY_ANNOTATION))
        .is_some_and(|value| value == "off")
}

fn session(path: &str, key: Option<&String>, findings: &mut Findings) -> Option<SessionKey> {
    let key = key.filter(|key| !key.is_empty())?;
    findings.take(path, SessionKey::new(key))
}

fn parent(inputs: &PlanInputs<'_>, findings: &mut Findings) -> Option<Parent> {
    let given = inputs.run.spec.parent.as_ref()?;
    let session = session("spec.parent.sessionKey", given.session_key.as_ref(), findings);
    let run = findings.take("spec.parent.runName", RunName::new(&given.run_name))?;
    Some(Parent {
        run,
        session,
        depth: given.spawn_depth,
    })
}

fn limits(inputs: &PlanInputs<'_>, findings: &mut Findings) -> Limits {
    let mut limits = Limits::default();
    if let Some(given) = &inputs.run.spec.timeout {
        limits.timeout = given.value();
        if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&limits.timeout) {
            findings.add("spec.timeout", "must be from 1s to 24h");
        }
    }
    limits
}

fn tool_policy(inputs: &PlanInputs<'_>, findings: &mut Findings) -> RunToolPolicy {
    let Some(given) = &inputs.run.spec.tool_policy else {
        return RunToolPolicy::default();
    };
    RunToolPolicy {
        allow: findings.take_each("spec.toolPolicy.allow", &given.allow, Pattern::new),
        deny: findings.take_each("spec.toolPolicy.deny", &given.deny, Pattern::new),
    }
}

fn reply_to(inputs: &PlanInputs<'_>, findings: &mut Findings) -> Option<ReplyTo> {
    let annotations = inputs.run.metadata.annotations.as_ref()?;
    let path = |name: &str| format!("metadata.annotations[{name}]");
    match (annotations.get(REPLY_CHANNEL), annotations.get(REPLY_CHAT)) {
        (None, None) => None,
        (Some(channel), Some(chat_id)) => {
            let known = ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == channel);
            if known.is_none() {
                findings.add(path(REPLY_CHANNEL), format_args!("{channel:?} is not a channel"));
            }
            known.map(|channel| ReplyTo {
                channel,
                chat_id: chat_id.clone(),
            })
        }
        (Some(_), None) => {
            findings.add(path(REPLY_CHAT), format_args!("is needed beside {REPLY_CHANNEL}"));
            None
        }
        (None, Some(_)) => {
            findings.add(path(REPLY_CHANNEL), format_args!("is needed beside {REPLY_CHAT}"));
            None
        }
    }
}

/// The run's skills, else the instance's, and the packs that they come from.
fn skills<'a>(inputs: &PlanInputs<'a>, findings: &mut Findings) -> (Vec<Skill>, Vec<&'a SkillPack>) {
    let references = inputs
        .run
        .spec
        .skills
        .as_ref()
        .unwrap_or(&inputs.instance.spec.skills);
    let shelf = Shelf {
        packs: inputs.packs,
        config_maps: inputs.config_maps,
    };
    let (mut skills, mut packs): (Vec<Skill>, Vec<&SkillPack>) = (Vec::new(), Vec::new());
    for (index, reference) in references.iter().enumerate() {
        let path = format!("spec.skills[{index}]");
        let read = match shelf.find(&path, reference, findings) {
            Some(Found::Pack(entry)) => {
                packs.push(entry.pack);
                findings.absorb(skill(entry))
            }
            Some(Found::ConfigMap(skill)) => Some(*skill),
            None => None,
        };
        let Some(read) = read else { continue };
        check_clashes(&path, &read, &skills, findings);
        skills.push(read);
    }
    (skills, packs)
}

/// Packs name folders and tools, so neither may be there twice.
fn check_clashes(path: &str, new: &Skill, before: &[Skill], findings: &mut Findings) {
    fn tools(skill: &Skill) -> impl Iterator<Item = &sympozium_core::skill::TypedTool> {
        skill.sidecar.iter().flat_map(|sidecar| &sidecar.tools)
    }
    for other in before {
        if other.pack == new.pack {
            findings.add(path, format_args!("{} is there twice", new.pack));
        }
        for tool in tools(new) {
            if tools(other).any(|theirs| theirs.name == tool.name) {
                findings.add(
                    path,
                    format_args!("tool {} of {} is also one of {}", tool.name, new.pack, other.pack),
                );
            }
        }
    }
}
