//! As whom attempts are made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// An ordinary user whom no account has.
pub(crate) const USER: u32 = 54321;

/// Whose rights a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The user of the tests, who is root in the continuous build.
    Own,
    /// Somebody without rights.
    User,
}

impl Who {
    /// Everybody that these tests can be.
    pub(crate) fn all() -> Vec<Self> {
        if is_root() {
            vec![Self::Own, Self::User]
        } else {
            vec![Self::Own]
        }
    }

    /// Who runs the tests.
    pub(crate) fn own() -> Self {
        Self::Own
    }

    /// Why there is no sandbox for them here, by what the system says of itself.
    pub(crate) fn cannot(self) -> Option<String> {
        if self == Self::Own && is_root() {
            return None;
        }
        let reads = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        if reads("/proc/sys/user/max_user_namespaces") == "0" {
            return Some("there are no user namespaces".to_owned());
        }
        for (path, forbids) in [
            ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ] {
            if reads(path) == forbids {
                return Some(format!("{path} forbids user namespaces"));
            }
        }
        None
    }

    /// Their user id.
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Own => rustix::process::getuid().as_raw(),
            Self::User => USER,
        }
    }

    /// A command that starts a program as them, with an environment made from nothing.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = match self {
            Self::Own => Command::new(program),
            Self::User => {
                let mut command = Command::new("setpriv");
                let id = USER.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]);
                command.arg(program);
                command
            }
        };
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Copies of the programs that any user can read: the folder of a build may be below somebody's home.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: TempDir,
}

/// Copied once for all tests that run at the same time, and gone with the last of them.
static PROGRAMS: Mutex<Weak<Programs>> = Mutex::new(Weak::new());

impl Programs {
    pub(crate) fn get() -> Arc<Self> {
        let mut current = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(programs) = current.upgrade() {
            return programs;
        }
        let folder = tempfile::Builder::new()
            .prefix("sympozium-attack-")
            .tempdir()
            .unwrap();
        open_to_all(folder.path());
        let programs = Arc::new(Self { folder });
        copy(Path::new(env!("CARGO_BIN_EXE_sympozium")), &programs.sympozium());
        copy(&std::env::current_exe().unwrap(), &programs.tests());
        *current = Arc::downgrade(&programs);
        programs
    }

    /// The `sympozium` command.
    pub(crate) fn sympozium(&self) -> PathBuf {
        self.folder.path().join("sympozium")
    }

    /// This very program.
    pub(crate) fn tests(&self) -> PathBuf {
        self.folder.path().join("tests")
    }
}

/// Copies through a descriptor that is closed on exec, so that no child of another thread keeps the file busy for long.
fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // A child process writes the copy: a file that this process had open for writing could not be started while another
    // thread is starting something.
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Lets everybody look into a folder.
pub(crate) fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}
