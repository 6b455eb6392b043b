//! The files that a run is given before it starts, and the configuration of its processes.

use super::place::{Place, make_private, make_shared, write_shared};
use super::tree::MARK;
use super::view::{self, Enclosure};
use super::{LocalProcess, LocalSettings, LocalWorkspace};
use crate::confine::FileRules;
use crate::ids::PackName;
use crate::ipc::{Folder, Layout};
use crate::run::{FolderMount, GatewayEndpoint, RunPlan, RunnerConfig};
use crate::skill::Sidecar;
use crate::toolbox::ToolboxConfig;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The path by which skills and manifests know the workspace.
const WORKSPACE: &str = view::WORKSPACE;
/// The path by which they know the skills.
const SKILLS: &str = view::SKILLS;

/// One run's plan, place and settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) plan: &'a Arc<RunPlan>,
    pub(super) place: &'a Place,
    pub(super) settings: &'a LocalSettings,
    /// What the run's sandboxes have in common; none without isolation.
    pub(super) enclosure: Option<&'a Enclosure>,
}

/// Where a process finds its things, by its own view.
struct Seen {
    ipc: PathBuf,
    tools: PathBuf,
    approvals: PathBuf,
    workspace: PathBuf,
    work: PathBuf,
    skills: PathBuf,
    memory: PathBuf,
    state: PathBuf,
    socket: PathBuf,
    home: PathBuf,
    tmp: PathBuf,
}

impl Files<'_> {
    /// The mailbox, as this program reaches it.
    pub(super) fn layout(&self) -> Layout {
        Layout::new(match self.enclosure {
            None => self.place.ipc(),
            Some(enclosure) => enclosure.held(&enclosure.place.join("ipc")),
        })
    }

    fn seen(&self, process: &LocalProcess) -> Seen {
        if self.enclosure.is_some() {
            return Seen::inside();
        }
        let (layout, folder) = (self.layout(), self.place.of(process));
        let (tools, approvals) = match process {
            // The agent knows them by the mailbox's root.
            LocalProcess::Runner => (self.place.ipc(), self.place.ipc()),
            LocalProcess::Toolbox(pack) => (
                layout.folder(&Folder::Tools(pack.clone())),
                layout.folder(&Folder::ApprovalsOf(pack.clone())),
            ),
        };
        Seen {
            ipc: self.place.ipc(),
            tools,
            approvals,
            workspace: match &self.settings.workspace {
                LocalWorkspace::Private => self.place.workspace(),
                LocalWorkspace::Given { dir, .. } => dir.clone(),
            },
            work: folder.join("work"),
            skills: self.place.skills(),
            memory: self.place.memory(),
            state: folder.join("state"),
            socket: self.place.socket(),
            home: folder.join("home"),
            tmp: folder.join("tmp"),
        }
    }

    /// Writes the skills' documents and the memory, and makes the workspace.
    pub(super) fn write_given(&self, memory: Option<&str>) -> io::Result<()> {
        make_shared(&self.place.skills())?;
        for skill in &self.plan.skills {
            for document in &skill.documents {
                let folder = self.place.skills().join(skill.pack.as_str());
                // A name with a slash in it would be another folder's.
                let name = document.name.replace('/', "-");
                write_shared(&folder.join(format!("{name}.md")), document.content.as_bytes())?;
            }
        }
        if let Some(folder) = self.place.memory().parent() {
            make_shared(folder)?;
        }
        if let Some(memory) = memory {
            write_shared(&self.place.memory(), memory.as_bytes())?;
        }
        match (&self.settings.workspace, self.enclosure) {
            (LocalWorkspace::Private, None) => make_private(&self.place.workspace()),
            (LocalWorkspace::Private, Some(_)) | (LocalWorkspace::Given { .. }, _) => Ok(()),
        }
    }

    /// Makes a process's folders and writes its configuration; returns the file's path.
    pub(super) fn write_config(&self, process: &LocalProcess, config: &[u8]) -> io::Result<PathBuf> {
        let folder = self.place.of(process);
        if self.enclosure.is_none() {
            for name in ["home", "tmp", "state", "work"] {
                make_private(&folder.join(name))?;
            }
        }
        let path = folder.join("config.json");
        write_shared(&path, config)?;
        Ok(path)
    }

    /// Where commands find programs: what of the search path is there for them.
    fn path(&self) -> Vec<String> {
        let machine = self.enclosure.map(|enclosure| &enclosure.machine);
        let dirs = self.settings.search_path.iter();
        dirs.filter(|dir| machine.is_none_or(|machine| machine.shows(dir)))
            .map(|dir| dir.display().to_string())
            .collect()
    }

    /// An environment made from nothing.
    pub(super) fn environment(&self, process: &LocalProcess) -> BTreeMap<String, String> {
        let seen = self.seen(process);
        [
            ("PATH", self.path().join(":")),
            ("LANG", self.settings.lang.clone()),
            ("HOME", seen.home.display().to_string()),
            ("TMPDIR", seen.tmp.display().to_string()),
            ("TERM", "dumb".to_owned()),
            (MARK, self.plan.run.uid.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn read_only(&self) -> bool {
        matches!(
            self.settings.workspace,
            LocalWorkspace::Given { read_only: true, .. }
        )
    }

    pub(super) fn runner(&self) -> RunnerConfig {
        let seen = self.seen(&LocalProcess::Runner);
        // Without isolation commands see the real path, so that is the one which the model is told.
        let workspace = FolderMount {
            mount: seen.workspace.clone(),
            dir: seen.workspace,
            read_only: self.read_only(),
        };
        let alias = FolderMount {
            mount: WORKSPACE.into(),
            ..workspace.clone()
        };
        let needs_alias = workspace.mount != alias.mount;
        RunnerConfig {
            gateway: GatewayEndpoint::Unix(seen.socket),
            ipc: seen.ipc,
            workspace,
            folders: needs_alias.then_some(alias).into_iter().collect(),
            skills: Some(FolderMount {
                mount: SKILLS.into(),
                dir: seen.skills,
                read_only: true,
            }),
            memory_file: Some(seen.memory),
            state_dir: seen.state,
            approval_wait_seconds: self.settings.approval_wait.as_secs(),
        }
    }

    pub(super) fn toolbox(&self, pack: &PackName, sidecar: Option<&Sidecar>) -> ToolboxConfig {
        let process = LocalProcess::Toolbox(pack.clone());
        let seen = self.seen(&process);
        let mut env = self.environment(&process);
        env.extend(sidecar.map(|sidecar| sidecar.env.clone()).unwrap_or_default());
        ToolboxConfig {
            tools_dir: seen.tools,
            approvals_dir: seen.approvals,
            workspace: if sees_workspace(sidecar) {
                seen.workspace
            } else {
                seen.work
            },
            workspace_mount: WORKSPACE.into(),
            shell: self.settings.shell.clone(),
            env,
            gate: self.plan.tool_gate(),
            typed_tools: sidecar.map(|sidecar| sidecar.tools.clone()).unwrap_or_default(),
            sole: true,
            state_dir: Some(seen.state),
            commands: self.commands(sidecar),
            // Nothing on this machine leads out of a run.
            proxy: None,
        }
    }

    /// What the commands of an executor can reach. Without a sandbox they are this user's own.
    fn commands(&self, sidecar: Option<&Sidecar>) -> Option<FileRules> {
        self.enclosure.map(|enclosure| {
            view::commands(&enclosure.machine, &enclosure.workspace, sees_workspace(sidecar))
        })
    }
}

/// Whether an executor's commands see the workspace.
pub(super) fn sees_workspace(sidecar: Option<&Sidecar>) -> bool {
    sidecar.is_none_or(|sidecar| sidecar.mount_workspace)
}

impl Seen {
    /// What every process sees in a sandbox, as far as it is shown there at all.
    fn inside() -> Self {
        Self {
            ipc: view::IPC.into(),
            tools: view::tools_dir(),
            approvals: view::approvals_dir(),
            workspace: view::WORKSPACE.into(),
            work: view::WORK.into(),
            skills: view::SKILLS.into(),
            memory: Path::new(view::MEMORY).join("MEMORY.md"),
            state: view::STATE.into(),
            socket: view::socket(),
            home: view::TMP.into(),
            tmp: view::TMP.into(),
        }
    }
}
