//! Who answers what policies ask.

use super::args::Approve;
use super::display::Display;
use super::terminal::Terminal;
use crate::cli::output::{escaped, note};
use async_trait::async_trait;
use std::fmt::Write;
use std::sync::Arc;
use sympozium_core::ids::RunUid;
use sympozium_core::ipc::ApprovalRequest;
use sympozium_core::local::{LocalAnswer, LocalApprover};

/// Answers by the flag, or by asking.
pub(super) struct Approver {
    mode: Approve,
    terminal: Option<Terminal>,
    display: Arc<Display>,
}

impl Approver {
    pub(super) fn new(mode: Approve, display: Arc<Display>) -> Self {
        let terminal = match mode {
            Approve::Ask => Terminal::find(),
            Approve::Never | Approve::Always => None,
        };
        Self {
            mode,
            terminal,
            display,
        }
    }

    async fn ask(&self, terminal: &Terminal, request: &ApprovalRequest) -> LocalAnswer {
        let pause = Pause::begin(&self.display);
        let answer = loop {
            let typed = terminal.answer(|| note(&question(request))).await;
            match typed.as_deref().map(understood) {
                None => break LocalAnswer::denied("The terminal is gone."),
                Some(Some(answer)) => break answer,
                Some(None) => note("Please answer y or n."),
            }
        };
        drop(pause);
        answer
    }
}

#[async_trait]
impl LocalApprover for Approver {
    async fn decide(&self, _: RunUid, request: &ApprovalRequest) -> LocalAnswer {
        match (self.mode, &self.terminal) {
            (Approve::Always, _) => LocalAnswer {
                reason: "Everything is agreed to (--approve always).".to_owned(),
                ..LocalAnswer::approved()
            },
            (Approve::Never, _) => LocalAnswer::denied("Nothing is agreed to (--approve never)."),
            (Approve::Ask, Some(terminal)) => self.ask(terminal, request).await,
            (Approve::Ask, None) => LocalAnswer::denied("There is no terminal to ask a person on."),
        }
    }
}

/// Holds other output back; also when the question is given up.
struct Pause<'a>(&'a Display);

impl<'a> Pause<'a> {
    fn begin(display: &'a Display) -> Self {
        display.pause();
        Self(display)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// The whole of what would be executed, so that nothing is agreed to unseen.
fn question(request: &ApprovalRequest) -> String {
    let arguments = serde_json::to_string_pretty(&request.arguments).unwrap_or_default();
    let mut text = format!("? {}", request.tool);
    if let Some(target) = &request.target {
        let _infallible = write!(text, " in {}", escaped(target));
    }
    let _infallible = write!(
        text,
        " needs your agreement ({} {}):\n{}\nAgree? [y/n, or n and why]",
        escaped(&request.policy),
        escaped(&request.rule),
        escaped(&arguments)
    );
    text
}

/// What a typed line means: yes, no, or nothing.
fn understood(line: &str) -> Option<LocalAnswer> {
    let line = line.trim();
    let (word, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word.to_lowercase().as_str() {
        "y" | "yes" => Some(LocalAnswer {
            reason: reason.trim().to_owned(),
            ..LocalAnswer::approved()
        }),
        "n" | "no" => {
            let reason = reason.trim();
            let reason = if reason.is_empty() {
                "The person said no."
            } else {
                reason
            };
            Some(LocalAnswer::denied(reason))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::ids::ToolName;
    use sympozium_core::ipc::{ApprovalAnswer, FileId};

    #[test]
    fn only_a_clear_word_is_an_answer() {
        for (line, expected) in [
            ("y", Some((ApprovalAnswer::Approved, ""))),
            (" YES ", Some((ApprovalAnswer::Approved, ""))),
            ("n", Some((ApprovalAnswer::Denied, "The person said no."))),
            (
                "no not that file",
                Some((ApprovalAnswer::Denied, "not that file")),
            ),
            ("", None),
            ("maybe", None),
            ("yessir", None),
        ] {
            let answer = understood(line).map(|answer| (answer.answer, answer.reason));
            assert_eq!(
                answer,
                expected.map(|(answer, reason)| (answer, reason.to_owned())),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_question_shows_all_arguments_and_steers_no_terminal() {
        let request = ApprovalRequest {
            id: FileId::new("q").unwrap(),
            tool: ToolName::new("execute_command").unwrap(),
            arguments: serde_json::json!({"command": "rm -r x\u{1b}[2J\u{202e}"}),
            sha256: String::new(),
            policy: "careful (p.yaml)".to_owned(),
            rule: "toolGating.rules[1]".to_owned(),
            target: Some("sandbox".to_owned()),
        };
        let text = question(&request);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        insta::assert_snapshot!(text);
    }
}
