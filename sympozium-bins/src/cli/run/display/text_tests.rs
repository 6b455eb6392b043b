//! Events in, writing out.

use super::*;
use crate::cli::run::event::Event;
use serde_json::json;
use sympozium_core::ids::{Namespace, RunName, RunUid};
use sympozium_core::memory::{END, START};
use sympozium_core::run::{AgentResult, ResultMetrics, ResultStatus, RunRef};
use uuid::Uuid;

fn beginning() -> Event {
    Event::Run(Box::new(Beginning {
        run: RunRef {
            namespace: Namespace::new("local").unwrap(),
            name: RunName::new("run-1").unwrap(),
            uid: RunUid(Uuid::from_u128(1)),
        },
        instance: "local/local".to_owned(),
        provider: "openai".to_owned(),
        model: "gpt-x".to_owned(),
        policies: vec!["local-default".to_owned()],
        default_policy: true,
        isolation: "none",
        isolation_detail: None,
        notes: vec!["The run is not isolated.".to_owned()],
        verdicts: Vec::new(),
    }))
}

fn text(text: &str) -> Event {
    Event::Text {
        text: text.to_owned(),
    }
}

fn call(id: &str) -> Event {
    Event::ToolCall(ToolCalled {
        id: id.to_owned(),
        tool: "write_file".to_owned(),
        arguments: json!({"path": "report.md"}),
    })
}

fn answered(id: &str, outcome: Outcome) -> Event {
    Event::ToolResult(ToolAnswered {
        id: id.to_owned(),
        tool: "write_file".to_owned(),
        verdict: Some(ToolVerdict {
            outcome,
            policy: "read-only (p.yaml)".to_owned(),
            rule: "toolGating.rules[0]".to_owned(),
        }),
        is_error: outcome == Outcome::Deny,
        duration_ms: 1250,
        output: "The tool write_file is\n\u{1b}[2Jnot allowed.".to_owned(),
    })
}

fn ended(response: &str) -> Event {
    Event::Result(Box::new(Ended {
        phase: "Succeeded",
        result: Some(AgentResult {
            status: ResultStatus::Success,
            response: response.to_owned(),
            error: None,
            metrics: ResultMetrics {
                duration_ms: 42,
                input_tokens: 10,
                output_tokens: 5,
                tool_calls: 1,
            },
            limit: Some(LimitHit::Turns),
        }),
        error: None,
        cost_micro_usd: Some(1_500_000),
        exit_code: 0,
    }))
}

fn written(streams: Streams, events: &[Event]) -> String {
    let mut view = TextView::new(streams);
    let pieces = events.iter().flat_map(|event| view.show(event));
    let rows: Vec<_> = pieces.map(|piece| format!("{piece:?}\n")).collect();
    rows.concat()
}

const TERMINAL: Streams = Streams {
    stream_text: true,
    colour: false,
};

const PIPED: Streams = Streams {
    stream_text: false,
    colour: false,
};

fn a_run() -> Vec<Event> {
    vec![
        beginning(),
        text("I wr"),
        text("ite."),
        call("c1"),
        answered("c1", Outcome::Deny),
        text("Done."),
        text(&format!("\n{START}\n## A\nb\n{END}")),
        ended("Done."),
    ]
}

#[test]
fn on_a_terminal_text_streams_between_tool_lines() {
    insta::assert_snapshot!(written(TERMINAL, &a_run()));
}

#[test]
fn piped_only_the_answer_goes_to_standard_output() {
    insta::assert_snapshot!(written(PIPED, &a_run()));
}

#[test]
fn the_first_line_of_a_sandboxed_run_says_which_walls_and_limits_hold() {
    let Event::Run(run) = beginning() else {
        panic!("it is no beginning");
    };
    let isolated = Event::Run(Box::new(Beginning {
        isolation: "full",
        isolation_detail: Some("Isolated: no network,\nno home.".to_owned()),
        notes: vec!["There is no --workspace.".to_owned()],
        ..*run
    }));
    let shown = written(PIPED, &[isolated]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "Line(\"Isolated: no network, no home.\")",
            "Line(\"! There is no --workspace.\")"
        ],
        "{shown}"
    );
}

#[test]
fn what_a_retry_made_void_is_not_taken_for_the_answer() {
    let retry = Event::Retry {
        detail: "overloaded".to_owned(),
    };
    let shown = written(TERMINAL, &[beginning(), text("Done."), retry, ended("Done.")]);
    assert_eq!(shown.matches("Done.").count(), 2, "{shown}");
}

#[test]
fn colours_are_only_in_lines_and_only_when_wished() {
    let colour = Streams {
        stream_text: true,
        colour: true,
    };
    let shown = written(colour, &a_run());
    assert!(shown.contains("\\u{1b}[31m✗ write_file"), "{shown}");
    assert!(!shown.contains("Answer(\"\\u{1b}"), "{shown}");
    assert!(!written(TERMINAL, &a_run()).contains("\\u{1b}"));
}

#[test]
fn an_answer_to_a_question_says_who_asked_and_why_it_was_denied() {
    let event = Event::Approval(Approval {
        tool: "write_file".to_owned(),
        arguments: json!({}),
        policy: "careful (p.yaml)".to_owned(),
        rule: "toolGating.rules[1]".to_owned(),
        answer: ApprovalAnswer::Denied,
        reason: "There is no terminal to ask on.".to_owned(),
    });
    assert_eq!(
        written(PIPED, &[event]),
        "Line(\"? write_file had to be asked for by careful (p.yaml) toolGating.rules[1]: denied: There is no terminal to ask on.\")\n"
    );
}
