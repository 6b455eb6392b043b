//! Every store that needs no server passes the suites.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use sympozium_core::memory::InMemoryMemories;
use sympozium_core::store::InMemoryStore;
use sympozium_core::testing;

#[tokio::test]
async fn the_store_in_memory_keeps_its_contracts() {
    let store = InMemoryStore::new();
    testing::session_store(&store).await;
    testing::step_log(&store).await;
    testing::ledger(&store).await;
    testing::audit_log(&store).await;
}

#[tokio::test]
async fn memories_in_memory_keep_their_contract() {
    testing::memory_store(&InMemoryMemories::new()).await;
}

#[cfg(feature = "ipc")]
mod files {
    use std::os::unix::fs::PermissionsExt;
    use sympozium_core::error::Classify;
    use sympozium_core::ids::{InstanceName, InstanceRef, Namespace};
    use sympozium_core::memory::{FileMemories, Memory, MemoryStore};
    use sympozium_core::testing;

    fn instance() -> InstanceRef {
        InstanceRef {
            namespace: Namespace::new("local").unwrap(),
            name: InstanceName::new("sre").unwrap(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn memories_in_files_keep_their_contract() {
        let folder = tempfile::tempdir().unwrap();
        testing::memory_store(&FileMemories::new(folder.path().join("a/b"))).await;
    }

    #[tokio::test]
    async fn a_memory_is_a_private_markdown_file_and_leaves_no_rest() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("memory");
        let memory = Memory {
            text: "# Notes\n".to_owned(),
            version: String::new(),
        };
        FileMemories::new(&root).save(&instance(), memory).await.unwrap();
        let file = root.join("local/sre.md");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# Notes\n");
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode(&root), mode(&root.join("local")), mode(&file)],
            [0o700, 0o700, 0o600]
        );
        let mut names: Vec<_> = std::fs::read_dir(root.join("local"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, [".sre.lock", "sre.md"]);
    }

    #[tokio::test]
    async fn an_edit_by_hand_is_noticed_and_an_unreadable_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileMemories::new(folder.path());
        let memory = |text: &str, version: &str| Memory {
            text: text.to_owned(),
            version: version.to_owned(),
        };
        let saved = store.save(&instance(), memory("mine", "")).await.unwrap();
        let file = folder.path().join("local/sre.md");
        std::fs::write(&file, "by hand").unwrap();
        let lost = store
            .save(&instance(), memory("mine again", &saved.version))
            .await;
        assert_eq!(lost.unwrap_err().kind(), "conflict");
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert_eq!(store.load(&instance()).await.unwrap_err().kind(), "corrupt");
    }
}
