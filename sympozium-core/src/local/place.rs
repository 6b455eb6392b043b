//! A run's directory: everything of one run in one private folder, and who owns it.
//!
//! ```text
//! <root>/.lock             held while a run's folder is made or swept
//! <root>/<run UID>/        0700
//!   owner.lock             locked as long as the owner lives
//!   gateway.sock
//!   ipc/                   see `ipc`
//!   skills/<pack>/<n>.md   memory/MEMORY.md
//!   workspace/             when it is the run's own
//!   runner/, exec/<pack>/  config.json, log, home/, tmp/, state/, work/ of each process
//!
//! With isolation:
//!   ipc/ state/ workspace/ empty; what is in them exists in the mount namespace of the run's holder alone
//!   holder.json            the holder's plan
//!   runner/, exec/<pack>/  config.json, sandbox.json, log
//! ```

use super::LocalProcess;
use super::cgroup::Base;
use super::tree;
use crate::ids::RunUid;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A run's directory, owned by this process until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    // Held for its lock, which the kernel takes away when this process dies.
    _owner: File,
}

impl Place {
    /// Makes the directory. What was left there by a dead owner is removed first; a living owner is an error.
    pub(super) fn make(root: &Path, run: RunUid) -> io::Result<Self> {
        make_private(root)?;
        let _turn = turn(root)?;
        let dir = root.join(run.to_string());
        match abandoned(&dir) {
            Ok(true) => remove_all(&dir)?,
            Ok(false) => return Err(io::Error::other("another process carries out this run")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        DirBuilder::new().mode(0o700).create(&dir)?;
        let owner = open_lock(&dir.join("owner.lock"))?;
        owner.lock()?;
        Ok(Self { dir, _owner: owner })
    }

    pub(super) fn ipc(&self) -> PathBuf {
        self.dir.join("ipc")
    }

    /// The directory by a path without links, for other mount namespaces, where a link might lead elsewhere.
    pub(super) fn real(&self) -> io::Result<PathBuf> {
        fs::canonicalize(&self.dir)
    }

    pub(super) fn holder_plan(&self) -> PathBuf {
        self.dir.join("holder.json")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("gateway.sock")
    }

    pub(super) fn skills(&self) -> PathBuf {
        self.dir.join("skills")
    }

    pub(super) fn memory(&self) -> PathBuf {
        self.dir.join("memory/MEMORY.md")
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.dir.join("workspace")
    }

    /// The folder of one process.
    pub(super) fn of(&self, process: &LocalProcess) -> PathBuf {
        match process {
            LocalProcess::Runner => self.dir.join("runner"),
            LocalProcess::Toolbox(pack) => self.dir.join("exec").join(pack.as_str()),
        }
    }

    /// Removes everything.
    pub(super) fn remove(self) -> io::Result<()> {
        remove_all(&self.dir)
    }
}

/// Makes a folder for its owner alone, with those above it.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a folder that a run's processes may read as another user, with those above it. The run's own folder, or the mount
/// namespace, keeps everybody else away.
pub(super) fn make_shared(dir: &Path) -> io::Result<()> {
    if let Some(above) = dir.parent().filter(|above| !above.exists()) {
        make_shared(above)?;
    }
    match DirBuilder::new().mode(0o755).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Whatever our umask is.
        made => made.and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755))),
    }
}

/// Writes a file that a run's processes may read as another user; see [`make_shared`].
pub(super) fn write_shared(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_shared(folder)?;
    }
    fs::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// Writes a file for its owner alone.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_private(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, bytes)
}

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders of runs whose owner is dead; they are gone.
    pub removed: Vec<PathBuf>,
    /// Such folders that could not be removed, and why.
    pub left: Vec<(PathBuf, String)>,
}

/// Ends what dead owners left running, and removes their folders.
pub(super) fn sweep(root: &Path) -> io::Result<Swept> {
    let mut swept = Swept::default();
    if !root.exists() {
        return Ok(swept);
    }
    let _turn = turn(root)?;
    let mut dead = BTreeMap::new();
    for entry in fs::read_dir(root)? {
        let dir = entry?.path();
        let name = dir.file_name().and_then(|name| name.to_str());
        let Some(run) = name.and_then(|name| name.parse::<RunUid>().ok()) else {
            continue;
        };
        match abandoned(&dir) {
            Ok(false) => {}
            Ok(true) => {
                dead.insert(run, dir);
            }
            Err(error) => swept.left.push((dir, error.to_string())),
        }
    }
    if let Some(base) = Base::find() {
        // Runs that have no folder here are those of somebody else, who may live.
        base.sweep(|run| !dead.contains_key(&run));
    }
    for (run, dir) in dead {
        tree::end_marked(run);
        match remove_all(&dir) {
            Ok(()) => swept.removed.push(dir),
            Err(error) => swept.left.push((dir, error.to_string())),
        }
    }
    Ok(swept)
}

/// Waits for this process's turn to make or sweep folders below the root.
fn turn(root: &Path) -> io::Result<File> {
    let file = open_lock(&root.join(".lock"))?;
    file.lock()?;
    Ok(file)
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Whether the run's owner is dead. `NotFound` when there is no such folder.
fn abandoned(dir: &Path) -> io::Result<bool> {
    fs::symlink_metadata(dir)?;
    let file = match File::open(dir.join("owner.lock")) {
        Ok(file) => file,
        // Folders are made with their lock in one turn, so this one is half made or half removed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn remove_all(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            // A command may have taken away its own folders' permissions.
            open_up(dir);
            fs::remove_dir_all(dir)
        }
        other => other,
    }
}

/// Gives the owner all rights on all folders. What does not work shows in the removal that follows.
fn open_up(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
