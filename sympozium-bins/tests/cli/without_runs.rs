//! Commands that start nothing.

use crate::place::{Place, project};

#[test]
fn the_definitions_are_those_of_the_repository() {
    let place = Place::new();
    let stream = place.run(&["crds"]).check(0).stdout.clone();
    let mut files: Vec<_> = std::fs::read_dir(project("config/crd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let mut documents: Vec<_> = stream.split("---\n").map(str::to_owned).collect();
    documents.sort();
    let mut expected: Vec<_> = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    expected.sort();
    assert_eq!(documents, expected);
}

#[test]
fn scripts_pages_and_the_version_are_printed() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let ended = place.run(&["completions", shell]);
        assert!(ended.check(0).stdout.contains("sympozium"), "{shell}");
        assert!(
            !ended.stdout.contains("internal"),
            "{shell} offers what is hidden"
        );
    }
    assert!(place.run(&["man"]).check(0).stdout.contains(".TH sympozium 1"));
    let pages = place.path("pages");
    place.run(&["man", "--dir", pages.to_str().unwrap()]).check(0);
    assert!(pages.join("sympozium-run.1").exists());
    let version = format!("sympozium {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.run(&["version"]).check(0).stdout, version);
    assert_eq!(place.run(&["--version"]).check(0).stdout, version);
    assert!(!place.run(&["--help"]).check(0).stdout.contains("internal"));
}

#[test]
fn what_needs_no_data_folder_leaves_none() {
    let place = Place::new();
    let policy = project("examples/policies/read-only.yaml");
    place.run(&["crds"]).check(0);
    place
        .run(&["policy", "check", "-f", policy.to_str().unwrap()])
        .check(0);
    assert!(!place.data().exists());
}

#[test]
fn a_policy_is_checked_as_text_and_as_json() {
    let place = Place::new();
    let policy = project("examples/policies/read-only.yaml");
    let policy = policy.to_str().unwrap();
    let text = place
        .run(&["policy", "check", "-f", policy])
        .check(0)
        .stdout
        .clone();
    let row = text
        .lines()
        .find(|line| line.contains("tool write_file"))
        .unwrap();
    let cells: Vec<_> = row
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        cells,
        [
            "DENY",
            "tool write_file",
            "read-only (read-only.yaml)",
            "toolGating.rules[0]",
            "The tool write_file is not allowed."
        ]
    );
    let json = place
        .run(&["policy", "check", "-o", "json", "-f", policy])
        .check(0)
        .json();
    let verdicts = json[0]["verdicts"].as_array().unwrap();
    let denied: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict["outcome"] == "deny")
        .collect();
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0]["question"]["tool"], "write_file");
}

#[test]
fn a_run_that_would_be_refused_ends_a_check_with_3() {
    let place = Place::new();
    let file = place.file(
        "run.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: r}\nspec: {instanceRef: me, task: t, model: {provider: openai, model: gpt-x}}\n---\n\
         apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumPolicy\nmetadata: {name: p}\nspec: {sandboxPolicy: {required: true}}\n",
    );
    let ended = place.run(&["policy", "check", "-f", file.to_str().unwrap()]);
    assert!(
        ended
            .check(3)
            .stdout
            .starts_with("AgentRun r would be REFUSED under p (run.yaml)"),
        "{ended:?}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let command = format!("{} crds | head -1", crate::place::program().display());
    let output = std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", &command])
        .env("HOME", place.path("home"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
