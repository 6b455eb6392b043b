//! On a terminal: streamed text, colour, the spinner, the question, Ctrl-C.

use crate::machine::default_mode;
use crate::place::{DEADLINE, Place};
use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, Session};
use std::path::Path;

const ASKS: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: careful}
spec: {toolGating: {rules: [{tool: write_file, action: ask}]}}
";

const WRITES: &str = "
turns:
  - text: I write.
    tool_calls: [{name: write_file, arguments: {path: a.txt, content: hello}}]
  - text: 'It said: {{ last_tool_result | before \".\" | or \"that it worked\" }}!'
";

fn start(place: &Place, script: &str, more: &[&str], environment: &[(&str, &str)]) -> OsSession {
    let script = place.file("script.yaml", script);
    let mut command = place.std_command();
    command
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .args(["run", "--sandbox", default_mode(), "--script"])
        .arg(script)
        .args(more)
        .arg("Do it.");
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(DEADLINE));
    session
}

/// A run that wants to write into `work` and has to ask first.
fn careful(place: &Place, work: &Path) -> OsSession {
    let policy = place.file("careful.yaml", ASKS);
    let flags = [
        "--policy",
        policy.to_str().unwrap(),
        "--workspace",
        work.to_str().unwrap(),
    ];
    start(place, WRITES, &flags, &[])
}

fn rest(session: &mut OsSession) -> String {
    let found = session.expect(Eof).unwrap();
    String::from_utf8_lossy(found.as_bytes()).into_owned()
}

fn exit_code(session: &OsSession) -> i32 {
    match session.get_process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_streams_with_coloured_lines_and_a_spinner() {
    let place = Place::new();
    let slow = WRITES.replace("  - text: 'It", "  - delay: 1s\n    text: 'It");
    let mut session = start(&place, &slow, &[], &[]);
    let first = if default_mode() == "none" {
        "not isolated"
    } else {
        "Isolated"
    };
    session.expect(first).unwrap();
    session.expect("I write.").unwrap();
    session.expect("\u{1b}[32m✓ write_file").unwrap();
    session.expect("thinking").unwrap();
    session.expect("It said: ").unwrap();
    session.expect("tool calls").unwrap();
    rest(&mut session);
    assert_eq!(exit_code(&session), 0);
}

#[test]
fn without_colour_there_is_none() {
    let place = Place::new();
    let mut session = start(&place, WRITES, &[], &[("NO_COLOR", "1"), ("TERM", "dumb")]);
    let text = rest(&mut session);
    assert!(
        text.contains("✓ write_file") && !text.contains('\u{1b}'),
        "{text:?}"
    );
}

#[test]
fn a_question_waits_for_a_clear_answer_and_no_means_no() {
    let place = Place::new();
    let work = place.folder("work");
    let mut session = careful(&place, &work);
    session
        .expect("needs your agreement (careful (careful.yaml) toolGating.rules[0])")
        .unwrap();
    session.expect("\"content\": \"hello\"").unwrap();
    session.expect("Agree?").unwrap();
    session.send_line("perhaps").unwrap();
    session.expect("Please answer y or n.").unwrap();
    session.expect("Agree?").unwrap();
    session.send_line("n not this file").unwrap();
    session.expect("denied: not this file").unwrap();
    rest(&mut session);
    assert_eq!(exit_code(&session), 0);
    assert!(!work.join("a.txt").exists());

    let mut session = careful(&place, &work);
    session.expect("Agree?").unwrap();
    session.send_line("y").unwrap();
    session.expect("approved").unwrap();
    rest(&mut session);
    assert_eq!(exit_code(&session), 0);
    assert!(work.join("a.txt").exists());
}

#[test]
fn ctrl_c_at_a_question_cancels_the_run() {
    let place = Place::new();
    let work = place.folder("work");
    let mut session = careful(&place, &work);
    session.expect("Agree?").unwrap();
    session.send(ControlCode::EndOfText).unwrap();
    session.expect("Cancelling").unwrap();
    rest(&mut session);
    assert_eq!(exit_code(&session), 130);
    assert!(!work.join("a.txt").exists());
}

#[test]
fn ctrl_c_while_the_model_thinks_cancels_the_run() {
    let place = Place::new();
    let mut session = start(&place, "turns: [{delay: 100s, text: Never.}]", &[], &[]);
    session.expect("thinking").unwrap();
    session.send(ControlCode::EndOfText).unwrap();
    session.expect("Cancelling").unwrap();
    rest(&mut session);
    assert_eq!(exit_code(&session), 130);
}
