//! Every figure can be measured: the programs start, the numbers come. What they are is not looked at.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn every_figure_is_measured_or_says_why_not() {
    let bench = Path::new(env!("CARGO_BIN_EXE_sympozium-bench"));
    let programs = bench.parent().unwrap();
    if !programs.join("sympozium-runner").is_file() || !programs.join("sympozium-toolbox").is_file() {
        println!("skipped: the programs under test are not built; `cargo xtask bench --smoke` builds them");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let mut command = Command::new(bench);
    command
        .arg("--smoke")
        .arg("--json")
        .arg(&json)
        .stdin(Stdio::null());
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(done.status.success(), "{}{}", said[0], said[1]);
    let table: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let figures = table["figures"].as_array().unwrap();
    let names: Vec<&str> = figures
        .iter()
        .map(|figure| figure["name"].as_str().unwrap())
        .collect();
    let expected = [
        "start",
        "local",
        "file-turns",
        "command",
        "memory",
        "size",
        "first-byte",
        "growth",
        "streams",
        "policy",
        "bytes",
        "bridge",
    ];
    assert_eq!(names, expected);
    for figure in figures {
        let lines = figure["lines"].as_array().unwrap();
        let measured = lines.iter().filter(|line| line["measured"].is_object()).count();
        let without_server = figure["name"] == "bridge" && std::env::var_os("SYMPOZIUM_TEST_NATS").is_none();
        assert!(measured > 0 || without_server, "{figure}");
        // Only what needs a sandbox or a server may be missing.
        let missing = lines
            .iter()
            .filter_map(|line| line["notPossible"]["what"].as_str());
        let may_be = |what| what == "in a sandbox" || (what == "with a NATS server" && without_server);
        assert!(missing.into_iter().all(may_be), "{figure}");
    }
}
