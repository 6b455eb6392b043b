//! Memories that end with the process: [`InMemoryMemories`]. No runtime.

use super::version::{check_save, versioned};
use super::{Memory, MemoryStore};
use crate::ids::InstanceRef;
use crate::store::StoreError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps memories in a map. Share it in an `Arc`.
#[derive(Debug, Default)]
pub struct InMemoryMemories {
    texts: Mutex<BTreeMap<String, String>>,
}

impl InMemoryMemories {
    /// A store without memories.
    pub fn new() -> Self {
        Self::default()
    }

    fn texts(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MemoryStore for InMemoryMemories {
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        Ok(self.texts().get(&instance.to_string()).cloned().map(versioned))
    }

    async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError> {
        let mut texts = self.texts();
        let key = instance.to_string();
        check_save(instance, texts.get(&key).map(String::as_str), &memory)?;
        texts.insert(key, memory.text.clone());
        Ok(versioned(memory.text))
    }

    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
        self.texts().remove(&instance.to_string());
        Ok(())
    }
}
