//! What an instance remembers, from run to run: read when a run begins, merged when it ends.

use crate::operator::error::Error;
use sympozium_core::error::{Classify, chain};
use sympozium_core::ids::InstanceRef;
use sympozium_core::memory::{Memory, MemoryStore, merge};
use sympozium_core::run::RunPlan;
use sympozium_core::store::StoreError;

/// How often to merge anew when another run saved meanwhile.
const ATTEMPTS: usize = 10;

/// The memory that a run begins with; `None` for runs without memory.
pub(super) async fn read(
    memories: &dyn MemoryStore,
    plan: &RunPlan,
    instance: &InstanceRef,
) -> Result<Option<String>, Error> {
    if plan.memory.is_none() {
        return Ok(None);
    }
    match memories.load(instance).await {
        Ok(memory) => Ok(Some(memory.unwrap_or(empty()).text)),
        Err(error) if error.retry().is_worthwhile() => Err(error.into()),
        Err(error) => {
            // Merging keeps every line then, which loses nothing.
            tracing::warn!(%instance, error = chain(&error), "a memory can't be read");
            Ok(None)
        }
    }
}

/// Merges and saves. Repeating it changes nothing.
pub(super) async fn remember(
    memories: &dyn MemoryStore,
    instance: &InstanceRef,
    base: &str,
    update: &str,
    most: usize,
) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        let current = memories.load(instance).await?.unwrap_or(empty());
        let merged = merge(base, &current.text, update, most);
        if merged.text == current.text {
            return Ok(());
        }
        let wanted = Memory {
            text: merged.text,
            version: current.version,
        };
        match memories.save(instance, wanted).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

const fn empty() -> Memory {
    Memory {
        text: String::new(),
        version: String::new(),
    }
}
