//! `-o json` and `-o jsonl`, piped text, and approvals without a terminal.

use crate::machine::default_mode;
use crate::place::{Place, files};
use serde_json::json;

const WRITES: &str = "
turns:
  - text: I write.
    tool_calls: [{name: write_file, arguments: {path: a.txt, content: hello}}]
  - text: 'It said: {{ last_tool_result }}'
";

const ASKS: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: careful}
spec: {toolGating: {rules: [{tool: write_file, action: ask}]}}
";

#[test]
fn json_is_one_document_with_result_usage_and_verdicts() {
    let place = Place::new();
    let work = place.folder("work");
    let ended = place.play(WRITES, &["-o", "json", "--workspace", work.to_str().unwrap()]);
    let document = ended.check(0).json();
    assert_eq!(document["phase"], "Succeeded");
    assert_eq!(document["exitCode"], 0);
    assert_eq!(document["defaultPolicy"], true);
    assert!(
        document["result"]["response"]
            .as_str()
            .unwrap()
            .starts_with("It said: ")
    );
    assert_eq!(document["usage"]["toolCalls"], 1);
    assert!(document["usage"]["inputTokens"].as_u64().unwrap() > 0);
    let call = &document["toolCalls"][0];
    assert_eq!(
        (&call["tool"], &call["isError"]),
        (&json!("write_file"), &json!(false))
    );
    assert_eq!(call["arguments"]["path"], "a.txt");
    assert_eq!(call["verdict"]["policy"], "local-default");
    assert!(document["verdicts"].as_array().unwrap().len() > 10);
    assert_eq!(std::fs::read_to_string(work.join("a.txt")).unwrap(), "hello");
}

#[test]
fn jsonl_is_the_event_stream_from_run_to_result() {
    let place = Place::new();
    let ended = place.play(WRITES, &["-o", "jsonl"]);
    let lines = ended.check(0).lines();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], events[events.len() - 1]), ("run", "result"));
    for event in ["text", "tool_call", "tool_result"] {
        assert!(events.contains(&event), "{events:?}");
    }
    let uid = &lines[0]["run"]["uid"];
    assert!(lines.iter().all(|line| &line["uid"] == uid));
    let text: String = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(text.starts_with("I write.It said: "), "{text}");
}

#[test]
fn piped_output_has_no_escape_codes() {
    let place = Place::new();
    let ended = place.play(WRITES, &[]);
    assert!(
        !ended.check(0).stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'),
        "{ended:?}"
    );
}

#[test]
fn without_a_terminal_a_question_is_denied_and_the_output_says_so() {
    let place = Place::new();
    let policy = place.file("careful.yaml", ASKS);
    let work = place.folder("work");
    let (policy, work) = (policy.to_str().unwrap(), work.to_str().unwrap());
    let ended = place.play(WRITES, &["--policy", policy, "--workspace", work]);
    ended.check(0);
    assert!(
        ended.stderr.contains("? write_file had to be asked for by careful (careful.yaml) toolGating.rules[0]: denied: There is no terminal"),
        "{ended:?}"
    );
    assert!(files(std::path::Path::new(work)).is_empty());
    let never = place.play(
        WRITES,
        &[
            "--policy",
            policy,
            "--workspace",
            work,
            "--approve",
            "never",
            "-o",
            "json",
        ],
    );
    assert_eq!(never.check(0).json()["approvals"][0]["answer"], "denied");
    assert!(files(std::path::Path::new(work)).is_empty());
    let always = place.play(
        WRITES,
        &["--policy", policy, "--workspace", work, "--approve", "always"],
    );
    always.check(0);
    assert_eq!(files(std::path::Path::new(work)).len(), 1);
}

#[test]
fn a_run_that_policies_do_not_allow_ends_with_3_and_names_the_rule() {
    let place = Place::new();
    let policy = place.file(
        "none.yaml",
        &ASKS.replace(
            "toolGating: {rules: [{tool: write_file, action: ask}]}",
            "models: {deny: ['*']}",
        ),
    );
    let ended = place.play(WRITES, &["--policy", policy.to_str().unwrap()]);
    ended.check(3);
    assert!(
        ended
            .stderr
            .contains("model scripted/scripted by careful (none.yaml) models.deny[0]"),
        "{ended:?}"
    );
    assert_eq!(ended.stdout, "");
    let document = place
        .play(WRITES, &["--policy", policy.to_str().unwrap(), "-o", "json"])
        .check(3)
        .json();
    assert_eq!(document["phase"], "Refused");
}

#[test]
fn several_runs_of_a_file_run_one_after_the_other() {
    let place = Place::new();
    let script = place.file("s.yaml", "turns: [{text: Done.}]");
    let run = |name: &str| {
        format!(
            "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {{name: {name}}}\nspec: {{instanceRef: me, task: t}}\n"
        )
    };
    let runs = place.file("runs.yaml", &[run("one"), run("two")].join("---\n"));
    let args = [
        "run",
        "--sandbox",
        default_mode(),
        "-f",
        runs.to_str().unwrap(),
        "--script",
        script.to_str().unwrap(),
        "-o",
    ];
    let lines = place.run(&[&args[..], &["jsonl"]].concat()).check(0).lines();
    let names: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "run")
        .map(|line| line["run"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one", "two"]);
    let results: Vec<_> = lines.iter().map(|line| line["event"] == "result").collect();
    assert!(results[results.len() - 1] && results.iter().filter(|is| **is).count() == 2);
    let documents = place.run(&[&args[..], &["json"]].concat()).check(0).json();
    assert_eq!(documents.as_array().unwrap().len(), 2);
}

#[test]
fn a_budget_that_does_not_suffice_ends_with_3_and_nothing_is_left_behind() {
    let place = Place::new();
    let policy = place.file(
        "small.yaml",
        &ASKS.replace(
            "toolGating: {rules: [{tool: write_file, action: ask}]}",
            "budget: {perRun: {tokens: 10}}",
        ),
    );
    let ended = place.play(WRITES, &["--policy", policy.to_str().unwrap()]);
    ended.check(3);
    assert!(ended.stderr.contains("budget"), "{ended:?}");
    assert_eq!(place.runs_left(), Vec::<std::path::PathBuf>::new());
}
