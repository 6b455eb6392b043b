//! The files that a run is given before it starts, and the configuration of its processes.

use super::place::{Place, make_private, make_shared, write_shared};
use super::tree::MARK;
use super::{LocalProcess, LocalSettings, LocalWorkspace};
use crate::ids::PackName;
use crate::ipc::{Folder, Layout};
use crate::run::{FolderMount, GatewayEndpoint, RunPlan, RunnerConfig};
use crate::skill::Sidecar;
use crate::toolbox::ToolboxConfig;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// The path by which skills and manifests know the workspace.
const WORKSPACE: &str = "/workspace";
/// The path by which they know the skills.
const SKILLS: &str = "/skills";

/// One run's plan, place and settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) place: &'a Place,
    pub(super) settings: &'a LocalSettings,
}

impl Files<'_> {
    pub(super) fn layout(&self) -> Layout {
        Layout::new(self.place.ipc())
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
        if let Some(memory) = memory {
            write_shared(&self.place.memory(), memory.as_bytes())?;
        }
        match &self.settings.workspace {
            LocalWorkspace::Private => make_private(&self.place.workspace()),
            LocalWorkspace::Given { .. } => Ok(()),
        }
    }

    /// Makes a process's folders and writes its configuration; returns the file's path.
    pub(super) fn write_config(&self, process: &LocalProcess, config: &[u8]) -> io::Result<PathBuf> {
        let folder = self.place.of(process);
        for name in ["home", "tmp", "state", "work"] {
            make_private(&folder.join(name))?;
        }
        let path = folder.join("config.json");
        write_shared(&path, config)?;
        Ok(path)
    }

    /// An environment made from nothing.
    pub(super) fn environment(&self, process: &LocalProcess) -> BTreeMap<String, String> {
        let folder = self.place.of(process);
        let path: Vec<String> = self
            .settings
            .search_path
            .iter()
            .map(|dir| dir.display().to_string())
            .collect();
        [
            ("PATH", path.join(":")),
            ("LANG", self.settings.lang.clone()),
            ("HOME", folder.join("home").display().to_string()),
            ("TMPDIR", folder.join("tmp").display().to_string()),
            ("TERM", "dumb".to_owned()),
            (MARK, self.plan.run.uid.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn workspace(&self) -> FolderMount {
        let (dir, read_only) = match &self.settings.workspace {
            LocalWorkspace::Private => (self.place.workspace(), false),
            LocalWorkspace::Given { dir, read_only } => (dir.clone(), *read_only),
        };
        // Commands see the real path, so that is the one which the model is told.
        FolderMount {
            mount: dir.clone(),
            dir,
            read_only,
        }
    }

    pub(super) fn runner(&self) -> RunnerConfig {
        let workspace = self.workspace();
        let alias = FolderMount {
            mount: WORKSPACE.into(),
            ..workspace.clone()
        };
        RunnerConfig {
            gateway: GatewayEndpoint::Unix(self.place.socket()),
            ipc: self.place.ipc(),
            workspace,
            folders: vec![alias],
            skills: Some(FolderMount {
                mount: SKILLS.into(),
                dir: self.place.skills(),
                read_only: true,
            }),
            memory_file: Some(self.place.memory()),
            state_dir: self.place.of(&LocalProcess::Runner).join("state"),
            approval_wait_seconds: self.settings.approval_wait.as_secs(),
        }
    }

    pub(super) fn toolbox(&self, pack: &PackName, sidecar: Option<&Sidecar>) -> ToolboxConfig {
        let layout = self.layout();
        let process = LocalProcess::Toolbox(pack.clone());
        let mut env = self.environment(&process);
        env.extend(sidecar.map(|sidecar| sidecar.env.clone()).unwrap_or_default());
        let workspace = if sidecar.is_none_or(|sidecar| sidecar.mount_workspace) {
            self.workspace().dir
        } else {
            self.place.of(&process).join("work")
        };
        ToolboxConfig {
            tools_dir: layout.folder(&Folder::Tools(pack.clone())),
            approvals_dir: layout.folder(&Folder::ApprovalsOf(pack.clone())),
            workspace,
            workspace_mount: WORKSPACE.into(),
            shell: self.settings.shell.clone(),
            env,
            gate: self.plan.tool_gate(),
            typed_tools: sidecar.map(|sidecar| sidecar.tools.clone()).unwrap_or_default(),
            sole: true,
            state_dir: Some(self.place.of(&process).join("state")),
            commands: None,
        }
    }
}
