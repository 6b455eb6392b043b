//! Files below the run's folders and nowhere else: [`JailedFiles`].

use crate::tools::{Entry, EntryKind, FilePiece, Files, Listing, Trouble};
use async_trait::async_trait;
use std::sync::Arc;
use sympozium_core::error::chain;
use sympozium_core::jail::{self, Access, Jail, JailError, Root};
use sympozium_core::run::{FolderMount, RunnerConfig};

/// The folders of a run.
#[derive(Debug, Clone)]
pub(crate) struct JailedFiles {
    jail: Arc<Jail>,
}

impl JailedFiles {
    /// Opens the folders of a configuration; relative paths begin in its workspace.
    pub(crate) fn open(config: &RunnerConfig) -> Result<Self, JailError> {
        let mounts = std::iter::once(&config.workspace)
            .chain(&config.folders)
            .chain(&config.skills);
        let jail = Jail::open(mounts.map(root).collect())?;
        Ok(Self { jail: Arc::new(jail) })
    }

    /// File work is done where it is asked for: it takes microseconds, less than to hand it to another thread, and the
    /// runner has nothing else to do meanwhile.
    fn work<T>(&self, work: impl FnOnce(&Jail) -> Result<T, JailError>) -> Result<T, Trouble> {
        work(&self.jail).map_err(|error| Trouble(format!("{}.", chain(&error))))
    }
}

fn root(mount: &FolderMount) -> Root {
    Root {
        mount: mount.mount.clone(),
        dir: mount.dir.clone(),
        access: if mount.read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        },
    }
}

#[async_trait]
impl Files for JailedFiles {
    async fn read(&self, path: &str, offset: u64, limit: usize) -> Result<FilePiece, Trouble> {
        let content = self.work(|jail| jail.read(&jail.resolve(path)?, offset, limit as u64))?;
        Ok(FilePiece {
            bytes: content.bytes,
            total: content.size,
        })
    }

    async fn write(&self, path: &str, content: &str) -> Result<(), Trouble> {
        self.work(|jail| jail.write(&jail.resolve(path)?, content.as_bytes()))
    }

    async fn list(&self, path: &str, limit: usize) -> Result<Listing, Trouble> {
        let (found, total) = self.work(|jail| jail.list(&jail.resolve(path)?))?;
        let entries = found.into_iter().take(limit).map(|entry| Entry {
            name: entry.name,
            kind: kind(entry.kind),
            size: entry.size,
        });
        Ok(Listing {
            entries: entries.collect(),
            total,
        })
    }
}

const fn kind(kind: jail::EntryKind) -> EntryKind {
    match kind {
        jail::EntryKind::Directory => EntryKind::Directory,
        jail::EntryKind::File => EntryKind::File,
        jail::EntryKind::Link => EntryKind::Link,
        jail::EntryKind::Other => EntryKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{ListDirectory, ReadFile, WriteFile};
    use serde_json::{Value, json};
    use std::os::unix::fs::symlink;
    use sympozium_core::ids::{CallId, RunUid, StepId, ToolName};
    use sympozium_core::run::GatewayEndpoint;
    use sympozium_core::tool::{ToolContext, ToolOutput, ToolSet};
    use tokio_util::sync::CancellationToken;

    fn mount(mount: &str, dir: std::path::PathBuf, read_only: bool) -> FolderMount {
        FolderMount {
            mount: mount.into(),
            dir,
            read_only,
        }
    }

    /// The three file tools over a workspace `w`, known as `/workspace` too, and skills `s`, beside a secret.
    fn tools(folder: &std::path::Path) -> ToolSet {
        for name in ["w", "s", "state"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        std::fs::write(folder.join("secret"), "the secret").unwrap();
        let config = RunnerConfig {
            gateway: GatewayEndpoint::Unix(folder.join("g.sock")),
            ipc: folder.join("ipc"),
            workspace: mount("/real", folder.join("w"), false),
            folders: vec![mount("/workspace", folder.join("w"), false)],
            skills: Some(mount("/skills", folder.join("s"), true)),
            memory_file: None,
            state_dir: folder.join("state"),
            approval_wait_seconds: 1,
        };
        let files = Arc::new(JailedFiles::open(&config).unwrap());
        let mut tools = ToolSet::default();
        tools.add(ReadFile(files.clone())).unwrap();
        tools.add(WriteFile(files.clone())).unwrap();
        tools.add(ListDirectory(files)).unwrap();
        tools
    }

    async fn call(tools: &ToolSet, name: &str, arguments: Value) -> ToolOutput {
        let context = ToolContext {
            run: RunUid::random(),
            step: StepId::new("turn-1").unwrap(),
            index: 0,
            call: CallId::new("c").unwrap(),
            cancel: CancellationToken::new(),
        };
        let tool = tools.get(&ToolName::new(name).unwrap()).unwrap();
        tool.invoke(&context, arguments).await
    }

    #[tokio::test]
    async fn one_file_has_all_the_names_under_which_its_folder_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let tools = tools(folder.path());
        let written = call(
            &tools,
            "write_file",
            json!({"path": "/workspace/a/f", "content": "text"}),
        )
        .await;
        assert!(!written.is_error, "{}", written.content);
        let real = folder.path().join("w/a/f").display().to_string();
        for path in ["a/f", "/real/a/f", "/workspace/a/f", real.as_str()] {
            let shown = call(&tools, "read_file", json!({"path": path})).await;
            assert_eq!(shown, ToolOutput::text("text"), "{path}");
        }
        let listed = call(&tools, "list_directory", json!({"path": "a"})).await;
        assert!(listed.content.ends_with(" f"), "{}", listed.content);
    }

    #[tokio::test]
    async fn no_tool_gets_out_of_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let tools = tools(folder.path());
        symlink("..", folder.path().join("w/up")).unwrap();
        symlink("/proc/self/root", folder.path().join("w/root")).unwrap();
        std::fs::hard_link(folder.path().join("secret"), folder.path().join("w/hard")).unwrap();
        for path in [
            "../secret",
            "/workspace/../secret",
            "up/secret",
            "up/new",
            "root/etc/passwd",
            "/proc/self/root/etc/passwd",
            "/etc/passwd",
            "hard",
        ] {
            let shown = call(&tools, "read_file", json!({"path": path})).await;
            assert!(
                shown.is_error && !shown.content.contains("the secret"),
                "{path}: {}",
                shown.content
            );
            let listed = call(&tools, "list_directory", json!({"path": path})).await;
            assert!(listed.is_error, "{path}: {}", listed.content);
            if path != "hard" {
                let written = call(&tools, "write_file", json!({"path": path, "content": "x"})).await;
                assert!(written.is_error, "{path}");
            }
        }
        let skill = call(
            &tools,
            "write_file",
            json!({"path": "/skills/new.md", "content": "x"}),
        )
        .await;
        assert_eq!(skill, ToolOutput::error("/skills/new.md is read-only."));
        assert_eq!(
            std::fs::read_to_string(folder.path().join("secret")).unwrap(),
            "the secret"
        );
        assert!(!folder.path().join("new").exists());
    }
}
