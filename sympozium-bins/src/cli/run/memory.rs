//! What a run wants to remember, merged into what its instance remembers.

use super::event::Remembered;
use sympozium_core::ids::InstanceRef;
use sympozium_core::memory::{Memory, MemoryStore, merge};
use sympozium_core::store::StoreError;

/// How often to merge anew when another run saved meanwhile.
const ATTEMPTS: usize = 10;

/// Merges and saves. `base` is the memory that the run began with; repeating it changes nothing.
pub(super) async fn remember(
    memories: &dyn MemoryStore,
    instance: &InstanceRef,
    base: &str,
    update: &str,
    max_bytes: usize,
) -> Result<Remembered, StoreError> {
    let mut attempt = 1;
    loop {
        let current = memories.load(instance).await?.unwrap_or(Memory {
            text: String::new(),
            version: String::new(),
        });
        let merged = merge(base, &current.text, update, max_bytes);
        let remembered = Remembered {
            bytes: merged.text.len(),
            dropped: merged.dropped,
            cut_bytes: merged.cut_bytes,
        };
        if merged.text == current.text {
            return Ok(remembered);
        }
        let wanted = Memory {
            text: merged.text,
            version: current.version,
        };
        match memories.save(instance, wanted).await {
            Ok(_) => return Ok(remembered),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::ids::{InstanceName, Namespace};
    use sympozium_core::memory::InMemoryMemories;

    #[tokio::test]
    async fn two_runs_that_began_with_the_same_memory_lose_nothing_of_each_other() {
        let memories = InMemoryMemories::default();
        let instance = InstanceRef {
            namespace: Namespace::new("local").unwrap(),
            name: InstanceName::new("me").unwrap(),
        };
        for update in ["## A\none\n", "## B\ntwo\n", "## B\ntwo\n"] {
            remember(&memories, &instance, "", update, 1000).await.unwrap();
        }
        let text = memories.load(&instance).await.unwrap().unwrap().text;
        assert!(text.contains("one") && text.contains("two"), "{text}");
        assert_eq!(text.matches("## B").count(), 1, "{text}");
    }
}
