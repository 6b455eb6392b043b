//! How much a model is asked to think, in the form that its generation takes. Pure.

use super::wire::{OutputConfig, WireThinking};
use sympozium_core::chat::{ChatRequest, Message, Part, Role, ThinkingEffort, ToolChoice};

/// The least that the API takes.
const LEAST: u32 = 1024;

/// What the request says about thinking; nothing when it is off or not possible in this turn.
pub(super) fn thinking(
    request: &ChatRequest,
    max_tokens: u32,
) -> (Option<WireThinking>, Option<OutputConfig>) {
    let (effort, wanted) = match request.thinking {
        ThinkingEffort::Off => return (None, None),
        ThinkingEffort::Low => ("low", 2_048),
        ThinkingEffort::Medium => ("medium", 8_192),
        ThinkingEffort::High => ("high", 24_576),
    };
    if !is_possible(request) {
        return (None, None);
    }
    if chooses_itself(request.model.as_str()) {
        return (Some(WireThinking::Adaptive), Some(OutputConfig { effort }));
    }
    // Thoughts count as output; a quarter of it is kept for the answer.
    let budget_tokens = wanted.min(max_tokens - max_tokens / 4);
    let enabled = (budget_tokens >= LEAST).then_some(WireThinking::Enabled { budget_tokens });
    (enabled, None)
}

/// Thinking excludes a forced tool, and within a round of tool calls it must have been on from the round's beginning.
fn is_possible(request: &ChatRequest) -> bool {
    match request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => {}
        ToolChoice::Required | ToolChoice::Tool(_) => return false,
    }
    let is_within_round = request
        .messages
        .last()
        .is_some_and(|last| last.results().next().is_some());
    let answer = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::Assistant);
    !is_within_round || answer.is_none_or(has_sealed_thoughts)
}

fn has_sealed_thoughts(message: &Message) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Thinking(thinking) => thinking.signature.is_some() || thinking.redacted.is_some(),
        Part::Text { .. } | Part::ToolCall(_) | Part::ToolResult(_) => false,
    })
}

/// Models from 4.6 on decide themselves how long to think and take an effort; later ones refuse a budget. Names that
/// are none of Anthropic's belong to other servers, which know the older form.
fn chooses_itself(model: &str) -> bool {
    let Some((_, name)) = model.rsplit_once("claude-") else {
        return false;
    };
    let mut numbers = name
        .split(['-', '.', '@', ':'])
        .filter(|word| word.len() <= 2)
        .filter_map(|word| word.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) >= (4, 6),
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::sample;
    use sympozium_core::chat::ToolResult;
    use sympozium_core::ids::{CallId, ModelName, ToolName};

    fn request(model: &str, effort: ThinkingEffort) -> ChatRequest {
        let mut request =
            ChatRequest::new(ModelName::new(model).unwrap()).messages(vec![Message::user("hi")]);
        request.thinking = effort;
        request
    }

    fn enabled(budget_tokens: u32) -> (Option<WireThinking>, Option<OutputConfig>) {
        (Some(WireThinking::Enabled { budget_tokens }), None)
    }

    #[test]
    fn older_models_get_a_budget_that_leaves_room_for_the_answer() {
        let model = "claude-sonnet-4-5-20250929";
        for (effort, max_tokens, expected) in [
            (ThinkingEffort::Off, 8_192, (None, None)),
            (ThinkingEffort::Low, 8_192, enabled(2_048)),
            (ThinkingEffort::Medium, 8_192, enabled(6_144)),
            (ThinkingEffort::High, 64_000, enabled(24_576)),
            (ThinkingEffort::High, 2_000, enabled(1_500)),
            (ThinkingEffort::High, 1_300, (None, None)),
            (ThinkingEffort::Low, 0, (None, None)),
        ] {
            assert_eq!(
                thinking(&request(model, effort), max_tokens),
                expected,
                "{effort:?} {max_tokens}"
            );
        }
    }

    #[test]
    fn newer_models_choose_themselves() {
        let adaptive = (
            Some(WireThinking::Adaptive),
            Some(OutputConfig { effort: "high" }),
        );
        assert_eq!(
            thinking(&request("claude-opus-4-7", ThinkingEffort::High), 100),
            adaptive
        );
        for model in [
            "claude-opus-4-6",
            "claude-sonnet-4.6",
            "claude-opus-5-20270101",
            "claude-next",
            "anthropic/claude-opus-4-8",
            "anthropic.claude-opus-4-6-v1",
        ] {
            assert!(chooses_itself(model), "{model}");
        }
        for model in [
            "claude-3-7-sonnet-20250219",
            "claude-3-5-haiku-latest",
            "claude-sonnet-4-20250514",
            "claude-opus-4-5",
            "claude-opus-4@20250514",
            "deepseek-chat",
            "glm-5",
        ] {
            assert!(!chooses_itself(model), "{model}");
        }
    }

    #[test]
    fn a_forced_tool_and_a_round_begun_without_thoughts_exclude_thinking() {
        let effort = ThinkingEffort::Low;
        let mut forced = request("claude-opus-4-7", effort);
        forced.tool_choice = ToolChoice::Tool(ToolName::new("t").unwrap());
        assert_eq!(thinking(&forced, 8_192), (None, None));

        let mut round = sample::request("claude-opus-4-7");
        round.thinking = effort;
        round.messages.truncate(3);
        assert!(thinking(&round, 8_192).0.is_some());
        round.messages[1]
            .parts
            .retain(|part| !matches!(part, Part::Thinking(_)));
        assert_eq!(thinking(&round, 8_192), (None, None));
        let result = ToolResult {
            id: CallId::new("z").unwrap(),
            content: String::new(),
            is_error: false,
        };
        round.messages.push(Message::tool_results(vec![result]));
        round.messages.push(Message::user("next"));
        assert!(thinking(&round, 8_192).0.is_some());
    }
}
