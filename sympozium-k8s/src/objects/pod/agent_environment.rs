//! The environment of the agent.
//!
//! Ours is told nothing by it but how long its last words may be. Foreign images get what the user's other agents read.

use super::environment;
use super::shape::Shape;
use crate::objects::BuildError;
use k8s_openapi::api::core::v1::EnvVar;
use std::collections::BTreeMap;
use sympozium_core::chat::ThinkingEffort;
use sympozium_core::run::RunPlan;
use sympozium_core::run::pod_contract as at;

/// The longest task or prompt that travels as a variable. Longer ones can't be given to a program; it asks the gateway.
const MAX_TEXT: usize = 100 * 1024;

pub(super) fn environment(shape: &Shape<'_>) -> Result<Vec<EnvVar>, BuildError> {
    let mut env = shape.plan.env.clone();
    if shape.plan.agent.is_some() {
        env.extend(foreign(shape));
    }
    env.insert(
        at::TERMINATION_MESSAGE_BYTES.to_owned(),
        shape.termination_message_bytes().to_string(),
    );
    environment::variables(at::AGENT_CONTAINER, &env)
}

/// What a foreign agent finds. It speaks to our gateway as to OpenAI, whoever the provider behind it is.
fn foreign(shape: &Shape<'_>) -> BTreeMap<String, String> {
    let plan = shape.plan;
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            env.insert(name.to_owned(), value.to_owned());
        }
    };
    let base_url = format!("{}v1", shape.gateway_url());
    let tools = if shape.executors.is_empty() {
        "false"
    } else {
        "true"
    };
    let memory = if plan.memory.is_some() { "true" } else { "false" };
    set("TASK", Some(plan.task.as_str()).filter(|text| travels(text)));
    set(
        "SYSTEM_PROMPT",
        plan.system_prompt.as_deref().filter(|text| travels(text)),
    );
    set("MODEL_PROVIDER", Some("openai"));
    set("MODEL_NAME", Some(plan.model.model.as_str()));
    set("MODEL_BASE_URL", Some(&base_url));
    set("THINKING_MODE", Some(thinking(plan)));
    set("TOOLS_ENABLED", Some(tools));
    set("MEMORY_ENABLED", Some(memory));
    set("AGENT_RUN_ID", Some(plan.run.name.as_str()));
    set("AGENT_ID", plan.agent_id.as_deref());
    set("SESSION_KEY", plan.session.as_ref().map(AsRef::as_ref));
    set("INSTANCE_NAME", Some(plan.instance.name.as_str()));
    if let Some(reply_to) = &plan.reply_to {
        set("SOURCE_CHANNEL", Some(reply_to.channel.as_str()));
        set("SOURCE_CHAT_ID", Some(&reply_to.chat_id));
    }
    // The root file system is read-only.
    set("HOME", Some(at::TMP));
    set("TMPDIR", Some(at::TMP));
    env
}

/// Whether a text can be a variable.
fn travels(text: &str) -> bool {
    text.len() < MAX_TEXT && !text.contains('\0')
}

fn thinking(plan: &RunPlan) -> &'static str {
    match plan.model.thinking {
        ThinkingEffort::Off => "off",
        ThinkingEffort::Low => "low",
        ThinkingEffort::Medium => "medium",
        ThinkingEffort::High => "high",
    }
}
