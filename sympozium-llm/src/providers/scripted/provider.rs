//! The provider.

use super::play::{Step, play};
use super::scenario::Scenario;
use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use sympozium_core::chat::ChatRequest;
use sympozium_core::error::{Classify, Retry};
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};

/// The largest script, in bytes.
const MAX_SCRIPT: usize = 1 << 20;

/// What is wrong with a script. One sentence, with the place where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It is too large.
    #[error("the script has {bytes} bytes; at most {max} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It is not YAML, or not a script.
    #[error("line {line}, column {column} of the script: {detail}")]
    Invalid {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong.
        detail: String,
    },
}

impl Classify for ScriptError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "script-too-large",
            Self::Invalid { .. } => "invalid-script",
        }
    }
}

/// Plays a script.
///
/// ```
/// # use sympozium_core::{chat::*, ids::*, llm::LlmProvider};
/// # use sympozium_llm::providers::scripted::ScriptedProvider;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let script = "
/// turns:
///   - text: Hello.
/// ";
/// let provider = ScriptedProvider::from_yaml(ProviderName::new("scripted").unwrap(), script).unwrap();
/// let request = ChatRequest::new(ModelName::new("any").unwrap()).messages(vec![Message::user("Hi.")]);
/// assert_eq!(provider.chat(request).await.unwrap().message.text(), "Hello.");
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct ScriptedProvider {
    name: ProviderName,
    scenario: Scenario,
}

impl ScriptedProvider {
    /// Reads a script.
    pub fn from_yaml(name: ProviderName, yaml: &str) -> Result<Self, ScriptError> {
        if yaml.len() > MAX_SCRIPT {
            return Err(ScriptError::TooLarge {
                bytes: yaml.len(),
                max: MAX_SCRIPT,
            });
        }
        // `no` and `on` are words in a script, as in any text.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
        };
        let scenario = serde_saphyr::from_str_with_options(yaml, options).map_err(|error| explain(&error))?;
        Ok(Self { name, scenario })
    }
}

fn explain(error: &serde_saphyr::Error) -> ScriptError {
    let place = error.location();
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    // The place is told apart.
    let plain = first.split(" at line ").next().unwrap_or(first);
    ScriptError::Invalid {
        line: place.map_or(1, |place| place.line()),
        column: place.map_or(1, |place| place.column()),
        detail: plain.trim_start_matches("error: ").chars().take(400).collect(),
    }
}

#[async_trait]
impl LlmProvider for ScriptedProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            thinking: true,
            ..Capabilities::default()
        }
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        let played = play(&self.scenario, &request)?;
        wait(played.delay).await;
        match played.refusal {
            Some(error) => Err(error),
            None => Ok(stream::iter(played.steps).then(step).boxed()),
        }
    }
}

async fn step(step: Step) -> Result<sympozium_core::chat::ChatEvent, LlmError> {
    wait(step.pause).await;
    step.event
}

async fn wait(time: std::time::Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;
    use sympozium_core::chat::{
        ChatEvent, ChatResponse, FinishReason, Message, Part, Thinking, ToolResult, Usage,
    };
    use sympozium_core::ids::ModelName;

    fn provider(yaml: &str) -> ScriptedProvider {
        ScriptedProvider::from_yaml(ProviderName::new("scripted").unwrap(), yaml).unwrap()
    }

    fn request(messages: Vec<Message>) -> ChatRequest {
        ChatRequest::new(ModelName::new("m").unwrap()).messages(messages)
    }

    /// Plays the whole script; each of its tool calls gets the next result.
    async fn converse(yaml: &str, results: &[&str]) -> Result<Vec<ChatResponse>, LlmError> {
        let provider = provider(yaml);
        let mut messages = vec![Message::user("Which customer spent the most?")];
        let (mut answers, mut results) = (Vec::new(), results.iter());
        loop {
            let answer = provider.chat(request(messages.clone())).await?;
            messages.push(answer.message.clone());
            let calls: Vec<_> = answer.message.tool_calls().cloned().collect();
            answers.push(answer);
            if calls.is_empty() {
                return Ok(answers);
            }
            let result = |call: &sympozium_core::chat::ToolCall| ToolResult {
                id: call.id.clone(),
                content: (*results.next().unwrap()).to_owned(),
                is_error: false,
            };
            messages.push(Message::tool_results(calls.iter().map(result).collect()));
        }
    }

    const ORDERS: &str = r#"
turns:
  - thinking: I have to look.
    text: I look at the files.
    tool_calls:
      - name: list_directory
        arguments: {path: .}
      - name: read_file
        arguments: {path: orders.csv, limit: 2}
    usage: {input: 10, output: 5, cache_read: 3}
  - expect: {tool_result_of: list_directory, contains: orders.csv}
    tool_calls:
      - name: execute_command
        arguments: {command: "sort '{{tool_result.1 | trim}}'"}
  - expect: {tool_result_of: execute_command}
    text: ["The answer is ", "{{last_tool_result | line 1 | before \",\"}}", "."]
"#;

    #[tokio::test]
    async fn an_answer_takes_up_what_tools_said() {
        let results = ["orders.csv\n", "a,1", "Ada,30\nBob,20"];
        let answers = converse(ORDERS, &results).await.unwrap();
        let [first, second, third] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        assert_eq!(
            first.message.parts.first(),
            Some(&Part::Thinking(Thinking {
                text: "I have to look.".into(),
                ..Thinking::default()
            }))
        );
        let calls: Vec<_> = first
            .message
            .tool_calls()
            .map(|call| (call.id.as_str(), &call.arguments))
            .collect();
        assert_eq!(
            calls,
            [
                ("script-1-1", &json!({"path": "."})),
                ("script-1-2", &json!({"path": "orders.csv", "limit": 2})),
            ]
        );
        assert_eq!(first.finish, FinishReason::ToolCalls);
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 5,
            cache_read_tokens: 3,
            ..Usage::default()
        };
        assert_eq!(first.usage, Some(usage));
        let command = second.message.tool_calls().next().unwrap();
        assert_eq!(command.arguments, json!({"command": "sort 'orders.csv'"}));
        assert_eq!(third.message.text(), "The answer is Ada.");
        assert_eq!(third.finish, FinishReason::Stop);
        assert!(third.usage.unwrap().input_tokens > 0);
        let other = converse(ORDERS, &["orders.csv\n", "a,1", "Bob,40\nAda,30"])
            .await
            .unwrap();
        assert_eq!(other[2].message.text(), "The answer is Bob.");
    }

    #[tokio::test]
    async fn the_same_conversation_always_gets_the_same_answer() {
        let provider = provider(ORDERS);
        let asked = request(vec![Message::user("Which customer spent the most?")]);
        let first = provider.chat(asked.clone()).await.unwrap();
        assert_eq!(provider.chat(asked).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_conversation_that_goes_another_way_is_answered_with_what_was_expected() {
        let error = converse(ORDERS, &["nothing here", "a,1"]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the provider refused the request (400): turn 2 of the script expects the result of list_directory to \
             contain \"orders.csv\", but it is \"nothing here\""
        );
        assert_eq!(error.retry(), Retry::Never);
    }

    #[tokio::test]
    async fn a_script_that_is_over_says_so() {
        let messages = vec![Message::user("a"), Message::assistant("b"), Message::user("c")];
        let error = provider("turns: [{text: x}]")
            .chat(request(messages))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the provider refused the request (400): the script has 1 turn, and the conversation asks for turn 2"
        );
    }

    #[tokio::test]
    async fn errors_are_played_before_and_within_an_answer() {
        let play = async |yaml: &str| {
            let mut seen = Vec::new();
            match provider(yaml).stream(request(vec![Message::user("a")])).await {
                Err(error) => Err(error),
                Ok(mut stream) => {
                    while let Some(event) = stream.next().await {
                        seen.push(event);
                    }
                    Ok(seen)
                }
            }
        };
        let error = play("turns: [{error: {kind: rate-limited, after: 1500ms, detail: slow}}]")
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            ("rate-limited", Retry::After(Duration::from_millis(1500)))
        );
        let kinds = [
            "authentication",
            "bad-request",
            "context-length",
            "rate-limited",
            "quota-exhausted",
            "unavailable",
            "interrupted",
            "protocol",
        ];
        for kind in kinds {
            let error = play(&format!("turns: [{{error: {{kind: {kind}}}}}]"))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), kind);
        }
        let seen = play("turns: [{text: half, error: {kind: interrupted}}]")
            .await
            .unwrap();
        assert!(matches!(
            seen.as_slice(),
            [Ok(ChatEvent::TextDelta { .. }), Err(LlmError::Interrupted { .. })]
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn delays_and_pauses_are_kept() {
        let start = tokio::time::Instant::now();
        let answer = provider("turns: [{delay: 2s, pause: 500ms, text: [a, b, c]}]")
            .chat(request(vec![Message::user("a")]))
            .await
            .unwrap();
        assert_eq!(answer.message.text(), "abc");
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[test]
    fn mistakes_are_told_with_line_and_column() {
        for (yaml, place, words) in [
            ("turns:\n  - txt: a\n", (2, 5), "txt"),
            (
                "turns:\n  - text: \"{{last}}\"\n",
                (2, 11),
                "there is no \"last\"",
            ),
            ("turns:\n  - text: a\n    delay: soon\n", (3, 12), "soon"),
            (
                "turns:\n  - tool_calls: [{name: \"a b\"}]\n",
                (2, 25),
                "tool name",
            ),
            ("turns:\n  - error: {kind: odd}\n", (2, 19), "odd"),
            ("turns: [\n", (1, 8), "bracket"),
            ("turns: []\n", (1, 1), "no turn"),
            ("turns:\n  - {}\n", (2, 5), "says nothing"),
            (
                "turns:\n  - error: {kind: protocol, after: 1s}\n",
                (2, 12),
                "after",
            ),
            ("", (1, 1), ""),
        ] {
            let name = ProviderName::new("scripted").unwrap();
            let error = ScriptedProvider::from_yaml(name, yaml).unwrap_err();
            let ScriptError::Invalid { line, column, detail } = &error else {
                panic!("{error}")
            };
            assert_eq!((*line, *column), place, "{yaml}: {error}");
            assert!(detail.contains(words), "{yaml}: {error}");
        }
    }

    #[test]
    fn a_script_of_unreasonable_size_is_refused() {
        let name = ProviderName::new("scripted").unwrap();
        let error = ScriptedProvider::from_yaml(name, &" ".repeat(MAX_SCRIPT + 1)).unwrap_err();
        assert!(matches!(error, ScriptError::TooLarge { .. }));
    }
}
