//! Runs of the `sympozium` command in which a model calls commands, and what came of them.

use crate::machine::Machine;
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long one run may take.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// What a program showed.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What the commands printed.
    pub(crate) text: String,
    /// Everything else, for those who look for what went wrong.
    pub(crate) all: String,
}

/// A model's script that calls these commands one after the other.
pub(crate) fn model(commands: &[&str]) -> String {
    let mut turns: Vec<Value> = commands
        .iter()
        .map(|command| {
            json!({"text": "I try.", "tool_calls": [
                {"name": "execute_command", "arguments": {"command": command, "timeout": 60}}
            ]})
        })
        .collect();
    turns.push(json!({"text": "Done."}));
    json!({ "turns": turns }).to_string()
}

/// Runs one command in a skill's shell.
pub(crate) fn from_a_skill(machine: &Machine, script: &str, flags: &[&str]) -> Shown {
    run(machine, &[script], flags)
}

/// Runs commands in a skill's shell, one after the other.
pub(crate) fn run(machine: &Machine, commands: &[&str], flags: &[&str]) -> Shown {
    finish(begin(machine, commands, flags))
}

/// Starts such a run.
pub(crate) fn begin(machine: &Machine, commands: &[&str], flags: &[&str]) -> Child {
    let name = format!("model-{}.json", uuid::Uuid::new_v4().simple());
    let script = machine.file(&name, &model(commands));
    machine
        .sympozium()
        .args(["run", "-o", "jsonl", "--provider", "scripted", "--script"])
        .arg(script)
        .args(flags)
        .arg("Try it.")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for its end, and reads what the tools answered.
pub(crate) fn finish(child: Child) -> Shown {
    let output = in_time(child);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = events
        .filter(|event| event["event"] == "tool_result")
        .map(|event| event["output"].as_str().unwrap_or_default().to_owned())
        .collect::<Vec<_>>()
        .join("\n");
    Shown {
        text,
        all: format!(
            "{stdout}\n{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            output.status
        ),
    }
}

/// A program's output; it is killed, and the test fails, when it takes too long.
pub(crate) fn in_time(mut child: Child) -> std::process::Output {
    let begun = Instant::now();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |from: &mut dyn std::io::Read| {
        let mut all = Vec::new();
        // What can be read until the end is what there is.
        let _ = from.read_to_end(&mut all);
        all
    };
    std::thread::scope(|scope| {
        let stdout = scope.spawn(|| read(&mut out));
        let stderr = scope.spawn(|| read(&mut err));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > DEADLINE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the run did not end in time");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        std::process::Output {
            status,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    })
}
