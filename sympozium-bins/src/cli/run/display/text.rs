//! `-o text`: what is written where for each event. Pure.

use super::markers::MarkerFilter;
use crate::cli::output::{one_line, plain};
use crate::cli::run::event::{Approval, Beginning, Ended, Event, Remembered, ToolAnswered, ToolCalled};
use serde_json::Value;
use std::collections::HashMap;
use sympozium_core::ipc::{ApprovalAnswer, ToolVerdict};
use sympozium_core::policy::Outcome;
use sympozium_core::run::LimitHit;

/// How much of a tool's arguments is shown.
const ARGUMENTS_SHOWN: usize = 200;
/// How much of each text in them.
const ARGUMENT_SHOWN: usize = 60;
/// How much is shown of why a run did not succeed.
const ERROR_LINE: usize = 4000;
/// How much of a failed tool's answer is shown.
const ERROR_SHOWN: usize = 200;

/// A piece of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// To standard output, as it is.
    Answer(String),
    /// A line to standard error.
    Line(String),
    /// What is waited for now; nothing = somebody else writes.
    Waiting(Option<String>),
}

/// What there is to know about the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Streams {
    /// Text is shown as it comes: standard output is a terminal. Otherwise only the answer is printed, at the end.
    pub(super) stream_text: bool,
    /// Lines may be coloured.
    pub(super) colour: bool,
}

/// Turns events into writing.
#[derive(Debug)]
pub(super) struct TextView {
    streams: Streams,
    filter: MarkerFilter,
    /// What was streamed since the last tool call.
    streamed: String,
    /// Calls that wait for their answer: arguments by id.
    calls: HashMap<String, String>,
}

impl TextView {
    pub(super) fn new(streams: Streams) -> Self {
        Self {
            streams,
            filter: MarkerFilter::default(),
            streamed: String::new(),
            calls: HashMap::new(),
        }
    }

    /// What to write, in order.
    pub(super) fn show(&mut self, event: &Event) -> Vec<Piece> {
        match event {
            Event::Run(beginning) => self.begin(beginning),
            Event::Text { text } => self.text(text),
            Event::Thinking { .. } => vec![Piece::Waiting(Some("thinking".to_owned()))],
            Event::Retry { detail } => {
                let mut pieces = self.end_text();
                self.streamed.clear();
                pieces.push(self.line(Paint::Warn, &format!("↻ asked again: {}", one_line(detail, 300))));
                pieces.push(Piece::Waiting(Some("thinking".to_owned())));
                pieces
            }
            Event::ToolCall(call) => self.call(call),
            Event::ToolResult(answer) => self.answer(answer),
            Event::Approval(approval) => vec![self.approval(approval)],
            Event::Refused { what, detail } => {
                vec![self.line(
                    Paint::Warn,
                    &format!("! {what} refused: {}", one_line(detail, 300)),
                )]
            }
            Event::Fault { detail } => vec![self.line(Paint::Warn, &format!("! {}", one_line(detail, 500)))],
            Event::Memory(remembered) => vec![self.memory(remembered)],
            Event::Result(ended) => self.end(ended),
        }
    }

    fn begin(&mut self, beginning: &Beginning) -> Vec<Piece> {
        self.streamed.clear();
        self.calls.clear();
        let walls = beginning.isolation_detail.iter();
        let mut pieces: Vec<_> = walls
            .map(|detail| self.line(Paint::Dim, &one_line(detail, 500)))
            .collect();
        let notes = beginning.notes.iter();
        pieces.extend(notes.map(|note| self.line(Paint::Warn, &format!("! {}", one_line(note, 500)))));
        let policies = if beginning.default_policy {
            format!(
                "{} (built in; it allows everything)",
                beginning.policies.join(", ")
            )
        } else {
            beginning.policies.join(", ")
        };
        pieces.push(self.line(
            Paint::Dim,
            &format!(
                "run {} · instance {} · model {}/{} · policy {policies}",
                beginning.run.name, beginning.instance, beginning.provider, beginning.model
            ),
        ));
        pieces.push(Piece::Waiting(Some("thinking".to_owned())));
        pieces
    }

    fn text(&mut self, text: &str) -> Vec<Piece> {
        if !self.streams.stream_text {
            return Vec::new();
        }
        let shown = plain(&self.filter.pass(text));
        if shown.is_empty() {
            return Vec::new();
        }
        self.streamed.push_str(&shown);
        vec![Piece::Waiting(None), Piece::Answer(shown)]
    }

    /// Ends the line of a streamed text.
    fn end_text(&mut self) -> Vec<Piece> {
        let rest = plain(&self.filter.rest());
        self.streamed.push_str(&rest);
        let mut end = rest;
        if !self.streamed.is_empty() && !self.streamed.ends_with('\n') {
            end.push('\n');
            self.streamed.push('\n');
        }
        if end.is_empty() {
            Vec::new()
        } else {
            vec![Piece::Waiting(None), Piece::Answer(end)]
        }
    }

    fn call(&mut self, call: &ToolCalled) -> Vec<Piece> {
        let mut pieces = self.end_text();
        self.streamed.clear();
        let arguments = one_line(&shortened(&call.arguments).to_string(), ARGUMENTS_SHOWN);
        let waiting = format!("{} {arguments}", one_line(&call.tool, 64));
        self.calls.insert(call.id.clone(), arguments);
        pieces.push(Piece::Waiting(Some(waiting)));
        pieces
    }

    fn answer(&mut self, answer: &ToolAnswered) -> Vec<Piece> {
        let arguments = self.calls.remove(&answer.id).unwrap_or_default();
        let (sign, paint) = if answer.is_error {
            ("✗", Paint::Bad)
        } else {
            ("✓", Paint::Good)
        };
        let tool = one_line(&answer.tool, 64);
        let verdict = answer.verdict.as_ref().map(verdict).unwrap_or_default();
        let time = duration(answer.duration_ms);
        let mut text = format!("{sign} {tool} {arguments}  {verdict}{time}");
        if answer.is_error {
            text.push_str("\n  ");
            text.push_str(&one_line(answer.output.trim(), ERROR_SHOWN));
        }
        let waiting = if self.calls.is_empty() {
            "thinking"
        } else {
            "working"
        };
        vec![self.line(paint, &text), Piece::Waiting(Some(waiting.to_owned()))]
    }

    fn approval(&self, approval: &Approval) -> Piece {
        let answer = match approval.answer {
            ApprovalAnswer::Approved => "approved",
            ApprovalAnswer::Denied => "denied",
        };
        let reason = match approval.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", one_line(reason, 300)),
        };
        let text = format!(
            "? {} had to be asked for by {} {}: {answer}{reason}",
            one_line(&approval.tool, 64),
            approval.policy,
            approval.rule
        );
        self.line(Paint::Warn, &text)
    }

    fn memory(&self, remembered: &Remembered) -> Piece {
        let mut text = format!("memory saved, {} bytes", remembered.bytes);
        if !remembered.dropped.is_empty() {
            let dropped = one_line(&remembered.dropped.join(", "), 200);
            text = format!("{text}; left out to keep its cap: {dropped}");
        }
        if remembered.cut_bytes > 0 {
            text = format!("{text}; {} bytes cut off", remembered.cut_bytes);
        }
        self.line(Paint::Dim, &text)
    }

    fn end(&mut self, ended: &Ended) -> Vec<Piece> {
        let mut pieces = vec![Piece::Waiting(None)];
        pieces.extend(self.end_text());
        if let Some(result) = &ended.result {
            let answer = plain(&result.response);
            let is_shown = self.streamed.trim() == answer.trim();
            if !is_shown && !answer.trim().is_empty() {
                pieces.push(Piece::Answer(format!("{}\n", answer.trim_end())));
            }
            if let Some(limit) = result.limit {
                pieces.push(self.line(Paint::Warn, &format!("! ended early: {}", limit_reached(limit))));
            }
            pieces.push(self.usage(ended));
        }
        if let Some(error) = &ended.error {
            pieces.push(self.line(Paint::Bad, &format!("✗ {}", one_line(error, ERROR_LINE))));
        }
        self.streamed.clear();
        pieces
    }

    fn usage(&self, ended: &Ended) -> Piece {
        let metrics = ended
            .result
            .as_ref()
            .map(|result| result.metrics)
            .unwrap_or_default();
        let cost = ended
            .cost_micro_usd
            .map(|micro| format!(" · {}.{:06} USD", micro / 1_000_000, micro % 1_000_000))
            .unwrap_or_default();
        let text = format!(
            "{} tokens in, {} out · {} tool calls{cost} · {}",
            metrics.input_tokens,
            metrics.output_tokens,
            metrics.tool_calls,
            duration(metrics.duration_ms)
        );
        self.line(Paint::Dim, &text)
    }

    fn line(&self, paint: Paint, text: &str) -> Piece {
        Piece::Line(if self.streams.colour {
            paint.over(text)
        } else {
            text.to_owned()
        })
    }
}

/// The arguments with their texts cut, so that each of them shows.
fn shortened(arguments: &Value) -> Value {
    match arguments {
        Value::String(text) => Value::String(one_line(text, ARGUMENT_SHOWN)),
        Value::Array(items) => Value::Array(items.iter().map(shortened).collect()),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), shortened(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => arguments.clone(),
    }
}

fn verdict(verdict: &ToolVerdict) -> String {
    let word = match verdict.outcome {
        Outcome::Allow => "allow",
        Outcome::Ask => "ASK",
        Outcome::Deny => "DENY",
    };
    format!("{word} by {} {}  ", verdict.policy, verdict.rule)
}

fn duration(ms: u64) -> String {
    if ms < 1000 {
        format!("{ms} ms")
    } else {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    }
}

const fn limit_reached(limit: LimitHit) -> &'static str {
    match limit {
        LimitHit::Turns => "the most model turns were taken",
        LimitHit::Loop => "the same calls were made again and again",
        LimitHit::Deadline => "the time was up",
        LimitHit::Budget => "the budget was used up",
        LimitHit::Output => "the model's output limit cut the answer",
    }
}

/// What a line is about, as colour.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Good,
    Bad,
    Warn,
    Dim,
}

impl Paint {
    fn over(self, text: &str) -> String {
        use owo_colors::OwoColorize;
        match self {
            Self::Good => text.green().to_string(),
            Self::Bad => text.red().to_string(),
            Self::Warn => text.yellow().to_string(),
            Self::Dim => text.dimmed().to_string(),
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
