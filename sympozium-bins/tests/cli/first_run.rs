//! The README's commands, word for word but for the building.

use crate::machine::default_mode;
use crate::place::{Ended, Place, project};
use std::fs;

/// The arguments behind `--` in the README's line that begins like this.
fn readme_line(with: &str) -> Vec<String> {
    let readme = fs::read_to_string(project("README.md")).unwrap();
    let line = readme
        .lines()
        .find(|line| line.starts_with("cargo run") && line.contains(with))
        .unwrap_or_else(|| panic!("the README has no line with {with}"));
    let (_, arguments) = line.split_once(" -- ").unwrap();
    let mut words = Vec::new();
    for (at, part) in arguments.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Runs the line in a copy of the examples, so that the project's own files stay as they are.
fn follow(place: &Place, with: &str) -> Ended {
    for name in ["scripted/first-run.yaml", "policies/read-only.yaml"] {
        let text = fs::read_to_string(project(&format!("examples/{name}"))).unwrap();
        place.file(&format!("examples/{name}"), &text);
    }
    for name in ["customers.csv", "orders-2026-q1.csv", "orders-2026-q2.csv"] {
        let text = fs::read_to_string(project(&format!("examples/data/orders/{name}"))).unwrap();
        place.file(&format!("examples/data/orders/{name}"), &text);
    }
    Ended::of(place.command().args(line(with)).output().unwrap())
}

/// The line's arguments; without a sandbox where this machine has none.
fn line(with: &str) -> Vec<String> {
    let mut words = readme_line(with);
    words.extend(["--sandbox", default_mode()].map(str::to_owned));
    words
}

/// What is different each time, made the same.
fn stable(text: &str) -> String {
    // What the first line says depends on the machine; other tests look at it.
    let rest = text.lines().skip(1);
    let lines = rest.map(|line| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            if words[at].strip_prefix("run-").is_some_and(|id| id.len() == 8) {
                "run-ID".clone_into(&mut words[at]);
            }
            let is_time = at > 0 && matches!(words[at].as_str(), "ms" | "s");
            if is_time {
                "TIME".clone_into(&mut words[at]);
                words.remove(at - 1);
                break;
            }
        }
        // The script counts characters, and a policy's name has some.
        if let Some(at) = words.iter().position(|word| word == "tokens") {
            words.splice(..at + 4, ["TOKENS".to_owned()]);
        }
        words.join(" ")
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn the_first_run_of_the_readme_answers_from_what_its_command_printed() {
    let place = Place::new();
    let ended = follow(
        &place,
        "--provider scripted --script examples/scripted/first-run.yaml --workspace examples/data/orders \"",
    );
    ended.check(0);
    assert_eq!(
        ended.stdout,
        "Beatriz Serra spent the most: 805 in total. All customers are in report.md.\n"
    );
    let report = fs::read_to_string(place.path("examples/data/orders/report.md")).unwrap();
    assert!(
        report.contains("805 Beatriz Serra\n680 Anders Lund\n595 Dana Novak\n183 Chidi Eze"),
        "{report}"
    );
    insta::assert_snapshot!(stable(&ended.stderr));
}

#[test]
fn a_real_change_of_the_data_changes_the_answer() {
    let place = Place::new();
    follow(&place, "--workspace examples/data/orders \"").check(0);
    place.file(
        "examples/data/orders/orders-2026-q3.csv",
        "order,customer,date,amount\n1,c4,2026-07-01,1000\n",
    );
    let ended = Ended::of(
        place
            .command()
            .args(line("--workspace examples/data/orders \""))
            .output()
            .unwrap(),
    );
    assert!(
        ended
            .stdout
            .starts_with("Dana Novak spent the most: 1595 in total."),
        "{ended:?}"
    );
}

#[test]
fn with_the_read_only_policy_the_output_and_the_transcript_say_which_rule_denied_the_write() {
    let place = Place::new();
    let ended = follow(&place, "--policy examples/policies/read-only.yaml");
    ended.check(0);
    assert_eq!(
        ended.stdout,
        "Beatriz Serra spent the most: 805 in total. \
         Not run: policy read-only (read-only.yaml) denies write_file.\n"
    );
    assert!(!place.path("examples/data/orders/report.md").exists());
    insta::assert_snapshot!(stable(&ended.stderr));
    let listed = place.run(&["sessions", "list", "-o", "json"]);
    let key = listed.json()[0]["key"].as_str().unwrap().to_owned();
    let transcript = place.run(&["sessions", "show", &key]);
    transcript.check(0);
    assert!(
        transcript.stdout.contains("toolGating.rules[0]"),
        "{transcript:?}"
    );
}
