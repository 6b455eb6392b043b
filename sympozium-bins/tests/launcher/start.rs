//! Starts launchers, and looks at what they started.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use sympozium_core::confine::{FileRules, SyscallProfile, SyscallRules};
use sympozium_core::local::sandbox::{
    Access, HolderPlan, Identity, Mount, MountKind, Resource, ResourceLimit, SandboxPlan, TryOutcome,
};
use tempfile::TempDir;

/// A user that nobody is.
pub(crate) const USER: u32 = 54_321;
/// Whom root's sandboxes are, on the machine.
pub(crate) const HIGH: u32 = 0x7A12_3456;

/// Who starts a launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    User,
}

pub(crate) fn root_here() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who can start sandboxes here. Says who can't.
pub(crate) fn everybody() -> Vec<Who> {
    let mut all = vec![Who::User];
    if root_here() {
        all.push(Who::Root);
    } else {
        println!("skipped: the part of root, which this is not run by");
    }
    all.retain(|who| match attempt(*who, &plan(*who, "true")) {
        TryOutcome::Ok(_) => true,
        TryOutcome::Failed(error) => {
            println!("skipped: {who:?} can't have sandboxes here: {error}");
            false
        }
    });
    all
}

/// A folder that everybody can look into.
pub(crate) fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// The launcher, where an ordinary user can start it. It goes away with its last user.
pub(crate) struct Launcher {
    file: PathBuf,
    _folder: TempDir,
}

impl AsRef<OsStr> for Launcher {
    fn as_ref(&self) -> &OsStr {
        self.file.as_os_str()
    }
}

pub(crate) fn launcher() -> Arc<Launcher> {
    static COPY: Mutex<Weak<Launcher>> = Mutex::new(Weak::new());
    let mut copy = COPY.lock().unwrap();
    copy.upgrade().unwrap_or_else(|| {
        let folder = open_folder();
        let file = folder.path().join("sympozium-sandbox");
        std::fs::copy(env!("CARGO_BIN_EXE_sympozium-sandbox"), &file).unwrap();
        let made = Arc::new(Launcher {
            file,
            _folder: folder,
        });
        *copy = Arc::downgrade(&made);
        made
    })
}

/// A command that this person starts.
pub(crate) fn command(who: Who, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if who == Who::User && root_here() {
        command.uid(USER).gid(USER);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn identity(who: Who) -> Identity {
    match who {
        Who::Root => Identity::Other { id: HIGH },
        Who::User => Identity::Own,
    }
}

pub(crate) fn bind(from: impl Into<PathBuf>, at: &str, access: Access) -> Mount {
    let kind = MountKind::Bind {
        from: from.into(),
        access,
        exec: true,
        owner: None,
        optional: false,
    };
    mount(at, kind)
}

pub(crate) fn mount(at: &str, kind: MountKind) -> Mount {
    Mount { at: at.into(), kind }
}

/// A plan with a small root, in which a shell does what is said.
pub(crate) fn plan(who: Who, script: &str) -> SandboxPlan {
    let link = |name: &str| {
        let kind = MountKind::Link {
            to: Path::new("usr").join(name),
        };
        mount(&format!("/{name}"), kind)
    };
    let text = "agent:x:1000:1000::/tmp:/bin/sh\n".to_owned();
    let memory = MountKind::Memory {
        bytes: 16 << 20,
        files: 1000,
        mode: 0o1777,
    };
    let mut mounts = vec![bind("/usr", "/usr", Access::ReadOnly)];
    mounts.extend(["bin", "lib", "lib64", "sbin"].map(link));
    mounts.extend([
        mount("/etc/passwd", MountKind::Text { text }),
        mount("/proc", MountKind::Proc),
        mount("/dev", MountKind::Devices { shm_bytes: 1 << 20 }),
        mount("/tmp", memory),
        mount("/skills", MountKind::Empty),
    ]);
    let limit = |resource, value| ResourceLimit { resource, value };
    SandboxPlan {
        holder: None,
        identity: identity(who),
        cgroups: vec![],
        mounts,
        limits: vec![limit(Resource::Processes, 20), limit(Resource::OpenFiles, 64)],
        syscalls: SyscallRules {
            profile: SyscallProfile::Commands,
            uncounted_memory: true,
        },
        files: FileRules {
            read: vec!["/".into()],
            write: vec!["/tmp".into(), "/dev".into(), "/workspace".into()],
        },
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        dir: "/tmp".into(),
    }
}

/// A launcher at work.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    _plan: TempDir,
    _launcher: Arc<Launcher>,
}

impl Started {
    pub(crate) fn new(who: Who, arguments: &[&str], plan: &impl serde::Serialize) -> Self {
        let folder = open_folder();
        let file = folder.path().join("plan.json");
        std::fs::write(&file, serde_json::to_vec(plan).unwrap()).unwrap();
        let launcher = launcher();
        let mut child = command(who, &*launcher)
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            _plan: folder,
            _launcher: launcher,
        }
    }

    pub(crate) fn sandbox(who: Who, plan: &SandboxPlan) -> Self {
        Self::new(who, &[], plan)
    }

    /// A holder that is ready.
    pub(crate) fn holder(who: Who, plan: &HolderPlan) -> Self {
        let mut holder = Self::new(who, &["--hold"], plan);
        assert_eq!(holder.line(), "ready");
        holder
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Asks the launcher to end by a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        kill(self.pid(), signal);
    }

    /// Its exit code, as soon as there is one.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let mut status = None;
        until("the launcher's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // What is still there after a failed test goes with the launcher.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Runs a plan to its end, with standard input open all the time.
pub(crate) fn run(who: Who, plan: &SandboxPlan) -> Output {
    let folder = open_folder();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, serde_json::to_vec(plan).unwrap()).unwrap();
    let launcher = launcher();
    output(command(who, &*launcher).arg("--config").arg(&file))
}

pub(crate) fn output(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let _open = child.stdin.take();
    child.wait_with_output().unwrap()
}

/// Runs a script that ends well, and gives what it said.
pub(crate) fn said(who: Who, plan: &SandboxPlan) -> String {
    let output = run(who, plan);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{who:?}: {:?}\n{out}\n{err}",
        output.status
    );
    out
}

pub(crate) fn attempt(who: Who, plan: &SandboxPlan) -> TryOutcome {
    let folder = open_folder();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, serde_json::to_vec(plan).unwrap()).unwrap();
    let launcher = launcher();
    let output = output(command(who, &*launcher).args(["--try", "--config"]).arg(&file));
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// Waits for something that has to come about.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The machine's processes that have this word among their arguments, other than launchers, which have it in no argument.
pub(crate) fn processes(word: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| text(&line).contains(word))
    })
    .collect()
}
