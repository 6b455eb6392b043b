//! What an instance remembers from run to run: one Markdown text, merged by section, capped in size.

mod markers;
mod merge;

pub use markers::{END, Extracted, START, extract, instruction};
pub use merge::{Merged, merge};

use crate::ids::InstanceRef;
use crate::store::StoreError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The default cap of a memory, in KiB.
pub const DEFAULT_MAX_KIB: u32 = 64;
/// The largest cap that may be asked for, in KiB.
pub const LARGEST_MAX_KIB: u32 = 256;

/// A memory at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The Markdown text (`MEMORY.md`).
    pub text: String,
    /// Opaque: given back when saving, so that a lost update is noticed. Empty = there was none.
    pub version: String,
}

/// Keeps memories.
#[async_trait]
pub trait MemoryStore: Send + Sync {
    /// The instance's memory; `None` when it has none.
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError>;

    /// Stores a text if `memory.version` still is the current one ([`StoreError::Conflict`] otherwise) and returns it at its
    /// new version.
    async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError>;

    /// Removes the instance's memory. Nothing happens if it has none.
    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError>;
}
