//! What the local executor is told once: where runs live, which programs they are made of, what they may see.

use super::LocalLimits;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A program and the arguments that come before the executor's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalProgram {
    /// The program. Absolute.
    pub program: PathBuf,
    /// Its first arguments, such as a hidden subcommand.
    pub args: Vec<OsString>,
}

impl LocalProgram {
    /// A program with these first arguments.
    pub fn new<A: Into<OsString>>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        }
    }
}

/// The programs of a run. Each is started with `--config <file>` and `--end-with-stdin` behind its own arguments: it reads
/// its configuration from that file, and has to end when its standard input does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPrograms {
    /// The agent; the file is a [`RunnerConfig`](crate::run::RunnerConfig).
    pub runner: LocalProgram,
    /// The executor of commands; the file is a [`ToolboxConfig`](crate::toolbox::ToolboxConfig).
    pub toolbox: LocalProgram,
    /// The launcher of sandboxes. Told `--config <file>` with a plan; it becomes the program that the plan names.
    pub sandbox: LocalProgram,
}

/// How processes of a run are kept apart from the machine and from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LocalIsolation {
    /// Not at all: they can do whatever this process's user can do.
    #[default]
    None,
    /// Each in a sandbox of its own: namespaces, a root of mounts, Landlock, seccomp, limits. Linux only. What the machine
    /// does not allow is an error, never less.
    Full,
}

/// Which folder runs work in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalWorkspace {
    /// An empty one of the run's own, which goes away with it.
    #[default]
    Private,
    /// This one.
    Given {
        /// Where it is. Absolute.
        dir: PathBuf,
        /// True when file tools may only read it. Commands are not held to it without isolation.
        read_only: bool,
    },
}

/// What the local executor is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// Runs live in `<root>/<run UID>`. Made when missing, for its owner alone. Keep the path short: a socket's path has
    /// at most 107 bytes, of which a run uses 51.
    pub root: PathBuf,
    /// The programs.
    pub programs: LocalPrograms,
    /// Where commands find programs (`PATH`), and where `requires.bins` are looked for.
    pub search_path: Vec<PathBuf>,
    /// The shell of `execute_command`.
    pub shell: PathBuf,
    /// The language of all processes (`LANG`).
    pub lang: String,
    /// How runs are kept apart from the machine.
    pub isolation: LocalIsolation,
    /// How much a run may use. Held to with [`LocalIsolation::Full`] alone.
    pub limits: LocalLimits,
    /// The workspace of runs.
    pub workspace: LocalWorkspace,
    /// How long an agent that was told to stop may take; then it is killed.
    pub grace: Duration,
    /// How long a question waits for a person; then it is denied.
    pub approval_wait: Duration,
}

impl LocalSettings {
    /// Settings with a private workspace, `/bin/sh`, `C.UTF-8`, 10 seconds of grace and an hour for answers.
    pub fn new(root: impl Into<PathBuf>, programs: LocalPrograms) -> Self {
        Self {
            root: root.into(),
            programs,
            search_path: ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec(),
            shell: "/bin/sh".into(),
            lang: "C.UTF-8".to_owned(),
            isolation: LocalIsolation::None,
            limits: LocalLimits::default(),
            workspace: LocalWorkspace::Private,
            grace: Duration::from_secs(10),
            approval_wait: crate::run::RunnerConfig::APPROVAL_WAIT,
        }
    }
}
