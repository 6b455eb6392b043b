//! A place of its own for each test: data folder, home, files, and a command that knows nothing else.

use crate::machine::default_mode;
use assert_cmd::Command;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Folders that go away with the test.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// An empty folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The program with an environment made from nothing.
    pub(crate) fn std_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(program());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path())
            .env("SYMPOZIUM_DATA_DIR", self.data())
            .current_dir(self.root.path());
        command
    }

    /// The same, with a deadline.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::from_std(self.std_command());
        command.timeout(DEADLINE);
        command
    }

    /// Runs the program.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.command().args(args).output().unwrap())
    }

    /// Plays a script with a task, in a sandbox where this machine allows one.
    pub(crate) fn play(&self, script: &str, more: &[&str]) -> Ended {
        self.play_in(default_mode(), script, more)
    }

    /// Plays a script with a task, with `--sandbox MODE`.
    pub(crate) fn play_in(&self, isolation: &str, script: &str, more: &[&str]) -> Ended {
        let script = self.file("script.yaml", script);
        let mut args = vec![
            "run",
            "--sandbox",
            isolation,
            "--script",
            script.to_str().unwrap(),
        ];
        args.extend(more);
        args.push("Do it.");
        self.run(&args)
    }

    /// Runs of this place that have left something.
    pub(crate) fn runs_left(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.data().join("runs")) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect()
    }
}

/// What the program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Each line of standard output as JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    #[track_caller]
    pub(crate) fn check(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sympozium"))
}

/// The project's own files.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "{what} did not come about");
        std::thread::sleep(LOOK);
    }
}

/// Sends a signal to a process, without a program that a small system may lack.
#[track_caller]
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
