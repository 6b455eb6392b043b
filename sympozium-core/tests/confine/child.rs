//! A child that gives things up and then executes a command.

use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use sympozium_core::confine::{
    FileRules, SyscallProfile, SyscallRules, no_new_privileges, restrict_files, restrict_syscalls,
};

const TASK: &str = "CONFINED_TASK";

pub(crate) const COMMANDS: SyscallRules = SyscallRules {
    profile: SyscallProfile::Commands,
    uncounted_memory: true,
};
pub(crate) const RUNNER: SyscallRules = SyscallRules {
    profile: SyscallProfile::Runner,
    ..COMMANDS
};
pub(crate) const COUNTED: SyscallRules = SyscallRules {
    uncounted_memory: false,
    ..COMMANDS
};

/// What is given up before a command.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) files: Option<FileRules>,
    pub(crate) syscalls: Option<SyscallRules>,
    pub(crate) command: Vec<String>,
}

/// How a command ended, and all that it said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Outcome {
    pub(crate) fn fine(&self) -> bool {
        self.code == Some(0)
    }
}

impl Task {
    pub(crate) fn held_by(syscalls: SyscallRules) -> Self {
        Self {
            syscalls: Some(syscalls),
            ..Self::default()
        }
    }

    pub(crate) fn within(files: FileRules) -> Self {
        Self {
            files: Some(files),
            ..Self::default()
        }
    }

    pub(crate) fn shell(self, script: &str) -> Outcome {
        self.run(&["sh", "-c", script])
    }

    pub(crate) fn run(mut self, command: &[&str]) -> Outcome {
        self.command = command.iter().map(|&word| word.to_owned()).collect();
        again("child::confined", &serde_json::to_string(&self).unwrap())
    }
}

/// Executes one test of this binary in a process of its own. It speaks on standard error.
pub(crate) fn again(test: &str, task: &str) -> Outcome {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(TASK, task)
        .env("RUST_BACKTRACE", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Outcome {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
    }
}

/// The task of a child; `None` where a test is not the other half of one.
pub(crate) fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

#[test]
fn confined() {
    let Some(task) = task() else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    no_new_privileges().unwrap();
    if let Some(files) = &task.files {
        restrict_files(files).unwrap();
    }
    let mut command = Command::new(task.command.first().unwrap());
    command.args(task.command.iter().skip(1)).env_remove(TASK);
    // Standard output already holds what the test harness says.
    command.stdout(io::stderr().as_fd().try_clone_to_owned().unwrap());
    if let Some(syscalls) = &task.syscalls {
        restrict_syscalls(syscalls).unwrap();
    }
    panic!("{}: {}", task.command.join(" "), command.exec());
}

/// Whether a program is there; says so when it is not.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" > /dev/null", program])
        .status();
    let found = found.unwrap().success();
    if !found {
        skipped(&format!("{program} is not there"));
    }
    found
}

#[expect(clippy::print_stdout, reason = "whoever reads the test's output has to know")]
pub(crate) fn skipped(why: &str) {
    println!("skipped: {why}");
}
