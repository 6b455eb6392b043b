//! Sessions and transcripts for people. Pure.

use crate::cli::output::{columns, one_line, plain};
use std::fmt::Write;
use sympozium_core::chat::{Message, Part, Role};
use sympozium_core::ids::RunUid;
use sympozium_core::store::{Session, Turn};

/// How much of a tool's arguments is shown.
const ARGUMENTS_SHOWN: usize = 200;
/// How many lines of a tool's answer are shown.
const ANSWER_LINES: usize = 10;

/// One row per session.
pub(super) fn list(sessions: &[Session]) -> String {
    let head = ["KEY", "INSTANCE", "TURNS", "LAST USED", "ID"].map(str::to_owned);
    let rows = sessions.iter().map(|session| {
        vec![
            one_line(session.key.as_str(), 60),
            session.instance.to_string(),
            session.turns.to_string(),
            format!("{:.0}", session.updated_at),
            session.id.to_string(),
        ]
    });
    let rows: Vec<_> = [head.to_vec()].into_iter().chain(rows).collect();
    columns(&rows)
}

/// All that was said.
pub(super) fn conversation(session: &Session, turns: &[Turn]) -> String {
    let mut text = format!(
        "session {} of {}, {} turns\n",
        one_line(session.key.as_str(), 200),
        session.instance,
        turns.len()
    );
    let mut run: Option<RunUid> = None;
    for turn in turns {
        if run != Some(turn.run) {
            run = Some(turn.run);
            let _infallible = writeln!(text, "\n── run {} at {:.0}", turn.run, turn.at);
        }
        message(&mut text, &turn.message);
    }
    text
}

fn message(text: &mut String, message: &Message) {
    for part in &message.parts {
        let _infallible = match part {
            Part::Text { text: said } => {
                let who = match message.role {
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                writeln!(text, "{who}: {}", plain(said).trim_end())
            }
            Part::Thinking(thinking) if thinking.text.is_empty() => Ok(()),
            Part::Thinking(thinking) => writeln!(text, "thinking: {}", plain(&thinking.text).trim_end()),
            Part::ToolCall(call) => {
                let arguments = one_line(&call.arguments.to_string(), ARGUMENTS_SHOWN);
                writeln!(text, "  ▶ {} {arguments}", call.name)
            }
            Part::ToolResult(result) => {
                let sign = if result.is_error { '✗' } else { '✓' };
                writeln!(text, "  {sign} {}", indented(&plain(&result.content)))
            }
        };
    }
}

/// The first lines, those after the first below it.
fn indented(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    let mut shown = lines
        .iter()
        .take(ANSWER_LINES)
        .copied()
        .collect::<Vec<_>>()
        .join("\n    ");
    let more = lines.len().saturating_sub(ANSWER_LINES);
    if more > 0 {
        let _infallible = write!(shown, "\n    … {more} more lines");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::{ToolCall, ToolResult};
    use sympozium_core::ids::{CallId, InstanceName, InstanceRef, Namespace, SessionKey, ToolName};
    use sympozium_core::store::SessionId;
    use uuid::Uuid;

    fn session() -> Session {
        let at = "2026-11-24T10:00:00.5Z".parse().unwrap();
        Session {
            id: SessionId(Uuid::from_u128(1)),
            instance: InstanceRef {
                namespace: Namespace::new("local").unwrap(),
                name: InstanceName::new("me").unwrap(),
            },
            key: SessionKey::new("notes").unwrap(),
            created_at: at,
            updated_at: at,
            turns: 3,
        }
    }

    fn turn(index: u32, message: Message) -> Turn {
        Turn {
            run: RunUid(Uuid::from_u128(2)),
            index,
            message,
            usage: None,
            at: "2026-11-24T10:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_list_has_a_head_and_a_row_per_session() {
        insta::assert_snapshot!(list(&[session()]));
    }

    #[test]
    fn a_transcript_shows_calls_and_shortened_answers_and_no_escape_codes() {
        let id = CallId::new("c1").unwrap();
        let call = ToolCall {
            id: id.clone(),
            name: ToolName::new("read_file").unwrap(),
            arguments: serde_json::json!({"path": "a.txt"}),
        };
        let answer = ToolResult {
            id,
            content: "a line\u{1b}[31m\n".repeat(12),
            is_error: false,
        };
        let turns = [
            turn(0, Message::user("Read it.")),
            turn(
                1,
                Message {
                    role: Role::Assistant,
                    parts: vec![
                        Part::Text {
                            text: "I look.".into(),
                        },
                        Part::ToolCall(call),
                    ],
                },
            ),
            turn(2, Message::tool_results(vec![answer])),
        ];
        insta::assert_snapshot!(conversation(&session(), &turns));
    }
}
