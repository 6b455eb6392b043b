//! A memory store of your own: one JSON file for all instances; proven by the suite that every memory store passes.
//!
//! The promise of a memory store is that two runs at a time lose nothing: a text that was made from an older version is
//! refused, and whoever was refused merges and tries again.
//!
//! Run it: `cargo run -p sympozium-examples --example custom_memory_store`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::PathBuf;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace};
use sympozium_core::memory::{Memory, MemoryStore, merge};
use sympozium_core::store::StoreError;
use sympozium_core::testing;
use tokio::sync::Mutex;

/// Memories in one JSON file: instance -> text and how often it was saved.
struct JsonFile {
    path: PathBuf,
    /// Held while the file is read and written. Good for one process; for several, lock the file.
    lock: Mutex<()>,
}

type Memories = BTreeMap<String, (u64, Option<String>)>;

impl JsonFile {
    fn read(&self) -> Result<Memories, StoreError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| StoreError::Corrupt {
                what: self.path.display().to_string(),
                source: Box::new(error),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Memories::new()),
            Err(error) => Err(unavailable("read the memory file", error)),
        }
    }

    /// Writes a whole new file and renames it, so that a crash leaves the old one or the new one.
    fn write(&self, memories: &Memories) -> Result<(), StoreError> {
        let new = self.path.with_extension("new");
        let bytes = serde_json::to_vec_pretty(memories).map_err(|error| unavailable("write JSON", error))?;
        std::fs::write(&new, bytes).map_err(|error| unavailable("write the memory file", error))?;
        std::fs::rename(&new, &self.path).map_err(|error| unavailable("replace the memory file", error))
    }
}

fn unavailable(step: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable {
        step,
        source: Box::new(error),
    }
}

#[async_trait]
impl MemoryStore for JsonFile {
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        let _held = self.lock.lock().await;
        let memories = self.read()?;
        let found = memories.get(&instance.to_string());
        Ok(found.and_then(|(version, text)| {
            Some(Memory {
                text: text.clone()?,
                version: version.to_string(),
            })
        }))
    }

    async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError> {
        let _held = self.lock.lock().await;
        let mut memories = self.read()?;
        let entry = memories.entry(instance.to_string()).or_default();
        let current = if entry.1.is_some() {
            entry.0.to_string()
        } else {
            String::new()
        };
        if memory.version != current {
            let detail = format!("version {:?} is not the current {current:?}", memory.version);
            return Err(StoreError::Conflict {
                step: "save a memory",
                detail,
            });
        }
        *entry = (entry.0 + 1, Some(memory.text.clone()));
        let saved = Memory {
            version: entry.0.to_string(),
            ..memory
        };
        self.write(&memories)?;
        Ok(saved)
    }

    /// The count stays, so that a text made before the clearing is still refused after it.
    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
        let _held = self.lock.lock().await;
        let mut memories = self.read()?;
        let Some(entry) = memories.get_mut(&instance.to_string()) else {
            return Ok(());
        };
        entry.1 = None;
        self.write(&memories)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = JsonFile {
        path: folder.path().join("memories.json"),
        lock: Mutex::default(),
    };
    testing::memory_store(&store).await;
    println!("The store keeps the contract of memory stores.");

    let instance = InstanceRef {
        namespace: Namespace::new("local")?,
        name: InstanceName::new("gardener")?,
    };
    let given = store
        .save(
            &instance,
            Memory {
                text: "# Roses\nred\n".to_owned(),
                version: String::new(),
            },
        )
        .await?;
    // Two runs were given the same memory. The first one to end saves; the second one is refused, and merges.
    let first = merge(&given.text, &given.text, "# Roses\nred and white\n", 4096).text;
    store
        .save(
            &instance,
            Memory {
                text: first,
                version: given.version.clone(),
            },
        )
        .await?;
    let late = Memory {
        text: "# Tulips\nyellow\n".to_owned(),
        version: given.version,
    };
    if let Err(error) = store.save(&instance, late.clone()).await {
        println!("The second run was refused: {error}.");
    }
    if let Some(current) = store.load(&instance).await? {
        let merged = merge(&given.text, &current.text, &late.text, 4096).text;
        let saved = store
            .save(
                &instance,
                Memory {
                    text: merged,
                    version: current.version,
                },
            )
            .await?;
        print!("After merging, version {}:\n{}", saved.version, saved.text);
    }
    Ok(())
}
