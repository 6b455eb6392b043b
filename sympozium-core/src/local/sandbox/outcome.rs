//! How setting up a sandbox went.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A step of setting up a sandbox, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Enter a cgroup.
    Cgroup,
    /// Enter the namespaces of the run's holder.
    Holder,
    /// Make a user namespace and say whom its ids stand for.
    UserNamespace,
    /// Make the other namespaces.
    Namespaces,
    /// Start the process that becomes the program.
    Process,
    /// Bring the loopback device up.
    Loopback,
    /// Mount `/proc` of the new process ids.
    Proc,
    /// Make an empty root.
    Root,
    /// Mount something into the root.
    Mount,
    /// Show the files of a folder's owner as the program's own.
    IdMap,
    /// Show the devices that every program needs.
    Devices,
    /// Leave the old root.
    Pivot,
    /// Become the program's user, without any capability.
    Identity,
    /// Limit what one process may use.
    Limits,
    /// Give up all other files (Landlock).
    Files,
    /// Give up system calls (seccomp).
    Syscalls,
    /// Start the program in its folder.
    Program,
}

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Cgroup => "enter the cgroup",
            Self::Holder => "enter the namespaces of the run's holder",
            Self::UserNamespace => "make a user namespace",
            Self::Namespaces => "make namespaces",
            Self::Process => "start a process",
            Self::Loopback => "bring the loopback device up",
            Self::Proc => "mount a private /proc",
            Self::Root => "make an empty root",
            Self::Mount => "mount",
            Self::IdMap => "map the owner of",
            Self::Devices => "show the device",
            Self::Pivot => "leave the old root",
            Self::Identity => "become the program's user",
            Self::Limits => "set limits",
            Self::Files => "restrict files by Landlock",
            Self::Syscalls => "restrict system calls by seccomp",
            Self::Program => "start the program in",
        })
    }
}

/// Why a sandbox could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupError {
    /// What did not work.
    pub step: Step,
    /// With which file, if any.
    pub path: Option<PathBuf>,
    /// The system's reason, see errno(3).
    pub errno: i32,
}

impl fmt::Display for SetupError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.step)?;
        if let Some(path) = &self.path {
            write!(to, " {}", path.display())?;
        }
        write!(to, ": {}", io::Error::from_raw_os_error(self.errno))
    }
}

impl std::error::Error for SetupError {}

/// What holds a program that could be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holds {
    /// The version of Landlock; `None` where the kernel has none.
    pub landlock: Option<u32>,
}

/// What trying a plan says (`--try`), as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TryOutcome {
    /// The program could have been started.
    Ok(Holds),
    /// It could not.
    Failed(SetupError),
}

/// Says at which step something went wrong.
pub(super) trait During<T> {
    /// At this step.
    fn during(self, step: Step) -> Result<T, SetupError>;
    /// At this step, with this file.
    fn with(self, step: Step, path: &Path) -> Result<T, SetupError>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: Step) -> Result<T, SetupError> {
        self.map_err(|error| SetupError::new(step, None, &error.into()))
    }

    fn with(self, step: Step, path: &Path) -> Result<T, SetupError> {
        self.map_err(|error| SetupError::new(step, Some(path.to_owned()), &error.into()))
    }
}

impl SetupError {
    pub(super) fn new(step: Step, path: Option<PathBuf>, error: &io::Error) -> Self {
        // Errors without a number come from our own reading and writing, which ended early.
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Self { step, path, errno }
    }
}
