//! The run of a tick. Pure.

use crate::convert::MEMORY_ANNOTATION;
use crate::crd::v1alpha1::{AgentRun, AgentRunSpec, SympoziumInstance, SympoziumSchedule};
use jiff::Timestamp;
use kube::Resource;
use std::collections::BTreeMap;
use sympozium_core::schedule::tick_id;
use uuid::Uuid;

/// Label of runs: the schedule that started them.
pub const SCHEDULE_LABEL: &str = "sympozium.ai/schedule";

/// The name of a tick's run: the schedule's, and ten characters that follow from its UID and the tick. At most 51
/// characters, because a schedule has at most 40.
pub fn run_name(schedule: &str, uid: Uuid, tick: Timestamp) -> String {
    let digits = tick_id(uid, tick).simple().to_string();
    format!("{schedule}-{}", digits.get(..10).unwrap_or(&digits))
}

/// The run of a tick. The instance says where answers go when the schedule leaves it open.
pub fn scheduled_run(
    schedule: &SympoziumSchedule,
    instance: Option<&SympoziumInstance>,
    name: &str,
) -> AgentRun {
    let spec = &schedule.spec;
    let own = schedule.metadata.name.clone().unwrap_or_default();
    let mut run = AgentRun::new(
        name,
        AgentRunSpec {
            instance_ref: spec.instance_ref.clone(),
            agent_id: Some(format!("schedule-{own}")),
            session_key: None,
            task: spec.task.clone(),
            parent: None,
            system_prompt: None,
            model: None,
            sandbox: None,
            skills: None,
            tool_policy: None,
            timeout: None,
            cleanup: sympozium_core::run::Cleanup::default(),
            agent: None,
            env: Vec::new(),
            cancel: false,
        },
    );
    run.metadata.namespace.clone_from(&schedule.metadata.namespace);
    run.metadata.owner_references = schedule.controller_owner_ref(&()).map(|owner| vec![owner]);
    run.metadata.labels = Some(labels(schedule, &own));
    run.metadata.annotations = Some(annotations(schedule, instance)).filter(|all| !all.is_empty());
    run
}

fn labels(schedule: &SympoziumSchedule, name: &str) -> BTreeMap<String, String> {
    use crate::crd::v1alpha1::ScheduleType::{Heartbeat, Scheduled, Sweep};
    let kind = match schedule.spec.kind {
        Heartbeat => "heartbeat",
        Scheduled => "scheduled",
        Sweep => "sweep",
    };
    [
        ("sympozium.ai/instance", schedule.spec.instance_ref.as_str()),
        ("sympozium.ai/component", "agent-run"),
        ("sympozium.ai/source", "schedule"),
        (SCHEDULE_LABEL, name),
        ("sympozium.ai/type", kind),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

fn annotations(
    schedule: &SympoziumSchedule,
    instance: Option<&SympoziumInstance>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if !schedule.spec.include_memory {
        all.insert(MEMORY_ANNOTATION.to_owned(), "off".to_owned());
    }
    let Some(to) = &schedule.spec.deliver_to else {
        return all;
    };
    let default = instance.and_then(|instance| {
        let channel = instance
            .spec
            .channels
            .iter()
            .find(|channel| channel.kind == to.channel)?;
        channel.default_chat.clone()
    });
    if let Some(chat) = to.chat_id.clone().or(default) {
        all.insert(
            "sympozium.ai/reply-channel".to_owned(),
            to.channel.as_str().to_owned(),
        );
        all.insert("sympozium.ai/reply-chat-id".to_owned(), chat);
    }
    all
}
