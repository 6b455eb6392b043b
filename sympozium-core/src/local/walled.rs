//! The walls of one run: its holder, its cgroup, and what all its sandboxes have in common.

use super::begin::failed;
use super::cgroup::{Base, Group};
use super::executor::Shared;
use super::files::{Files, sees_workspace};
use super::holder::Holder;
use super::machine::Machine;
use super::place::{Place, make_private, write_private};
use super::process::Launch;
use super::rlimits::process_limits;
use super::sandbox::{Folder, HolderPlan, Identity};
use super::tree::MARK;
use super::view::{self, Enclosure, View};
use super::{LocalLimits, LocalProcess, LocalSettings, LocalWorkspace, Walls};
use crate::ids::{PackName, RunUid};
use crate::run::ExecError;
use crate::skill::Sidecar;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

/// The most that a run's mailbox holds.
const MAILBOX: (u64, u64) = (64 << 20, 20_000);
/// The most that the processes of a run keep for a restart.
const STATE: (u64, u64) = (64 << 20, 20_000);
/// The most files and folders in a private workspace.
const WORKSPACE_FILES: u64 = 100_000;
/// Where the users begin who are nobody but a run. Far above those of people, services and containers.
const FIRST_USER: u32 = 0x7A00_0000;

/// A run's walls, standing.
#[derive(Debug)]
pub(super) struct Walled {
    pub(super) holder: Holder,
    pub(super) enclosure: Enclosure,
    group: Option<Group>,
}

/// Who the processes of a run of root are: nobody else on this machine, as far as 24 bits of chance go.
fn identity(run: RunUid, root: bool) -> Identity {
    let [.., a, b, c] = *run.0.as_bytes();
    if root {
        let id = FIRST_USER | u32::from_be_bytes([0, a, b, c]);
        Identity::Other { id }
    } else {
        Identity::Own
    }
}

/// Who tries whether a sandbox can be made.
pub(super) const fn trial_identity(root: bool) -> Identity {
    if root {
        Identity::Other { id: FIRST_USER }
    } else {
        Identity::Own
    }
}

/// What a run's holder mounts, below the run's folder.
fn folders(place: &Path, workspace: &LocalWorkspace, limits: &LocalLimits) -> Vec<Folder> {
    let folder = |name: &str, (bytes, files): (u64, u64)| Folder {
        at: place.join(name),
        bytes,
        files,
    };
    let mut all = vec![folder("ipc", MAILBOX), folder("state", STATE)];
    if *workspace == LocalWorkspace::Private {
        all.push(folder("workspace", (limits.workspace, WORKSPACE_FILES)));
    }
    all
}

/// A workspace that was given, without links in its path; refused when it shows other runs, or is one.
pub(super) fn workspace(settings: &LocalSettings) -> Result<LocalWorkspace, ExecError> {
    let LocalWorkspace::Given { dir, read_only } = &settings.workspace else {
        return Ok(LocalWorkspace::Private);
    };
    let refuse = |detail: String| ExecError::Unsupported { detail };
    let real = fs::canonicalize(dir)
        .map_err(|error| refuse(format!("the workspace {} can't be used: {error}", dir.display())))?;
    if !real.is_dir() {
        return Err(refuse(format!("the workspace {} is not a folder", dir.display())));
    }
    let root = fs::canonicalize(&settings.root).unwrap_or_else(|_| settings.root.clone());
    if root.starts_with(&real) || real.starts_with(&root) {
        return Err(refuse(format!(
            "the workspace {} and the folder of all runs {} are one within the other, so that agents would see each other's \
             files; choose another workspace, or another folder for runs",
            dir.display(),
            settings.root.display()
        )));
    }
    Ok(LocalWorkspace::Given {
        dir: real,
        read_only: *read_only,
    })
}

impl Walled {
    /// Makes the run's cgroup, and starts the holder of its private file systems.
    pub(super) async fn raise(
        shared: &Shared,
        run: RunUid,
        place: &Place,
        walls: &Walls,
        packs: &[PackName],
    ) -> Result<Self, ExecError> {
        let workspace = workspace(&shared.settings)?;
        let group = match walls.counted {
            None => None,
            Some(_) => Some(make_group(run, shared.settings.limits).await?),
        };
        let identity = identity(run, walls.root);
        let cgroups = group.as_ref().map(Group::procs).unwrap_or_default();
        let held = hold(shared, run, place, &workspace, identity, cgroups.clone()).await;
        let (holder, real) = match held {
            Ok(held) => held,
            Err(error) => {
                if let Some(group) = group {
                    clear(group).await;
                }
                return Err(error);
            }
        };
        let enclosure = Enclosure {
            holder: holder.id(),
            identity,
            cgroups,
            process_limits: process_limits(&shared.settings.limits, walls.counted),
            memory_is_counted: walls.counted.is_some_and(|counts| counts.memory),
            machine: Machine::look(),
            place: real,
            workspace_owner: owner(&workspace, identity),
            workspace,
        };
        let walled = Self {
            holder,
            enclosure,
            group,
        };
        if let Err(error) = walled.make_state(packs) {
            walled.take_down().await;
            return Err(failed("make the folders", run, error));
        }
        Ok(walled)
    }

    /// Makes the folder of each process's state, which only that process sees.
    fn make_state(&self, packs: &[PackName]) -> io::Result<()> {
        let toolboxes = packs.iter().cloned().map(LocalProcess::Toolbox);
        for process in std::iter::once(LocalProcess::Runner).chain(toolboxes) {
            let folder = view::state_of(&self.enclosure.place, &process);
            let folder = self.enclosure.held(&folder);
            make_private(&folder)?;
            self.enclosure.give(&folder)?;
        }
        Ok(())
    }

    /// Whether the kernel killed something because the run's memory was used up.
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Group::out_of_memory)
    }

    /// Ends the holder, and whatever is left of the run. Returns what went wrong.
    pub(super) async fn take_down(self) -> Option<String> {
        self.holder.end().await;
        match self.group {
            None => None,
            Some(group) => clear(group).await,
        }
    }
}

/// Makes a run's cgroup, on a thread that may wait.
async fn make_group(run: RunUid, limits: LocalLimits) -> Result<Group, ExecError> {
    let work = move || {
        Base::find()
            .ok_or_else(|| io::Error::other("it can't be made here any more"))?
            .make(run, &limits)
    };
    let made = tokio::task::spawn_blocking(work).await;
    let made = made.unwrap_or_else(|error| Err(error.into()));
    made.map_err(|error| failed("make the cgroup", run, error))
}

/// Kills what is still in a cgroup, and removes it.
async fn clear(group: Group) -> Option<String> {
    let work = move || group.kill().and_then(|()| group.remove());
    let cleared = tokio::task::spawn_blocking(work).await;
    let cleared = cleared.unwrap_or_else(|error| Err(error.into()));
    cleared
        .err()
        .map(|error| format!("the run's cgroup is left: {error}"))
}

/// Starts a run's holder; gives the run's folder by a path without links, too.
async fn hold(
    shared: &Shared,
    run: RunUid,
    place: &Place,
    workspace: &LocalWorkspace,
    identity: Identity,
    cgroups: Vec<PathBuf>,
) -> Result<(Holder, PathBuf), ExecError> {
    let settings = &shared.settings;
    let real = place
        .real()
        .map_err(|error| failed("find the folder", run, error))?;
    let plan = HolderPlan {
        identity,
        cgroups,
        folders: folders(&real, workspace, &settings.limits),
    };
    let file = write_plan(place, &plan).map_err(|error| failed("plan the holder", run, error))?;
    let holder = Holder::start(&settings.programs.sandbox, &file, run).await;
    let holder = holder.map_err(|error| failed("start the holder", run, error))?;
    Ok((holder, real))
}

/// Whose a given workspace is on the disk, when the run's processes are somebody else.
pub(super) fn owner(workspace: &LocalWorkspace, identity: Identity) -> Option<(u32, u32)> {
    match (workspace, identity) {
        (LocalWorkspace::Given { dir, .. }, Identity::Other { .. }) => {
            let meta = fs::metadata(dir).ok()?;
            Some((meta.uid(), meta.gid()))
        }
        (LocalWorkspace::Private, _) | (_, Identity::Own) => None,
    }
}

fn write_plan(place: &Place, plan: &HolderPlan) -> io::Result<PathBuf> {
    for folder in &plan.folders {
        make_private(&folder.at)?;
    }
    let file = place.holder_plan();
    write_private(&file, &serde_json::to_vec(plan)?)?;
    Ok(file)
}

impl Enclosure {
    /// Makes a file or folder of ours belong to the run's processes, where they are somebody else.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.identity {
            Identity::Own => Ok(()),
            Identity::Other { id } => chown(path, Some(id), Some(id)),
        }
    }
}

/// How one process of a run is started in its sandbox: by a launcher, with a plan in a file.
pub(super) fn launch(
    files: &Files<'_>,
    enclosure: &Enclosure,
    process: &LocalProcess,
    sidecar: Option<&Sidecar>,
    launch: Launch,
    packs: &[PackName],
) -> io::Result<Launch> {
    let settings = files.settings;
    let program = &launch.program.program;
    let program = fs::canonicalize(program)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
    let args = launch.program.args.iter().map(|arg| {
        let arg = arg.clone().into_string();
        arg.map_err(|arg| io::Error::other(format!("its argument {} is not text", arg.display())))
    });
    let view = View {
        enclosure,
        process,
        packs,
        limits: &settings.limits,
        sees_workspace: sees_workspace(sidecar),
        program: &program,
        args: args.collect::<Result<_, _>>()?,
        env: launch.env,
        config: &fs::canonicalize(&launch.config)?,
        socket: &enclosure.place.join("gateway.sock"),
    };
    let plan = launch.dir.join("sandbox.json");
    write_private(&plan, &serde_json::to_vec(&view.plan())?)?;
    Ok(Launch {
        program: settings.programs.sandbox.clone(),
        config: plan,
        boxed: true,
        env: BTreeMap::from([(MARK.to_owned(), files.plan.run.uid.to_string())]),
        dir: launch.dir,
    })
}
