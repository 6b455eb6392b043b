//! Memories in ConfigMaps: [`ConfigMapMemories`].

use super::apply::Applier;
use super::error::Error;
use crate::objects::names;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use std::collections::BTreeMap;
use sympozium_core::ids::InstanceRef;
use sympozium_core::memory::{LARGEST_MAX_KIB, Memory, MemoryStore};
use sympozium_core::store::StoreError;

/// Memories in ConfigMaps `<instance>-memory`, key `MEMORY.md`. The version is the resource version, so that what somebody
/// else wrote meanwhile is never lost.
#[derive(Debug, Clone)]
pub struct ConfigMapMemories {
    applier: Applier,
}

impl ConfigMapMemories {
    /// Keeps memories by this client.
    pub const fn new(client: kube::Client) -> Self {
        Self {
            applier: Applier::new(client),
        }
    }

    async fn read(
        &self,
        instance: &InstanceRef,
        step: &'static str,
    ) -> Result<Option<ConfigMap>, StoreError> {
        let name = names::memory_config_map(instance.name.as_str());
        let map = self.applier.get(instance.namespace.as_str(), &name).await;
        map.map_err(|error| unavailable(step, error))
    }
}

#[async_trait]
impl MemoryStore for ConfigMapMemories {
    async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
        let map = self.read(instance, "load a memory").await?;
        Ok(map.and_then(|map| {
            Some(Memory {
                text: map.data.unwrap_or_default().remove(names::MEMORY_KEY)?,
                version: map.metadata.resource_version.unwrap_or_default(),
            })
        }))
    }

    async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError> {
        const STEP: &str = "save a memory";
        if memory.text.len() > LARGEST_MAX_KIB as usize * 1024 {
            return Err(StoreError::Invalid {
                step: STEP,
                detail: format!("the memory of {instance} would be larger than {LARGEST_MAX_KIB} KiB"),
            });
        }
        let there = self.read(instance, STEP).await?;
        let mut map = there.unwrap_or_else(|| empty(instance));
        let has_text = map
            .data
            .as_ref()
            .is_some_and(|data| data.contains_key(names::MEMORY_KEY));
        let version = if has_text {
            map.metadata.resource_version.clone().unwrap_or_default()
        } else {
            String::new()
        };
        if version != memory.version {
            return Err(changed(instance));
        }
        let data = map.data.get_or_insert_default();
        data.insert(names::MEMORY_KEY.to_owned(), memory.text.clone());
        let written = if map.metadata.resource_version.is_some() {
            self.applier.replace(&map).await.map(Some)
        } else {
            self.applier.create(&map).await
        };
        match written {
            Ok(Some(map)) => Ok(Memory {
                text: memory.text,
                version: map.metadata.resource_version.unwrap_or_default(),
            }),
            Ok(None) => Err(changed(instance)),
            Err(error) if error.is_conflict() => Err(changed(instance)),
            Err(error) => Err(unavailable(STEP, error)),
        }
    }

    async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
        const STEP: &str = "clear a memory";
        let Some(mut map) = self.read(instance, STEP).await? else {
            return Ok(());
        };
        if map
            .data
            .as_mut()
            .and_then(|data| data.remove(names::MEMORY_KEY))
            .is_none()
        {
            return Ok(());
        }
        match self.applier.replace(&map).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => Err(changed(instance)),
            Err(error) => Err(unavailable(STEP, error)),
        }
    }
}

fn empty(instance: &InstanceRef) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.namespace = Some(instance.namespace.to_string());
    map.metadata.name = Some(names::memory_config_map(instance.name.as_str()));
    map.metadata.labels = Some(names::instance_labels(
        instance.name.as_str(),
        names::Component::Memory,
    ));
    map.data = Some(BTreeMap::new());
    map
}

fn changed(instance: &InstanceRef) -> StoreError {
    StoreError::Conflict {
        step: "save a memory",
        detail: format!("the memory of {instance} was changed meanwhile; load it again"),
    }
}

fn unavailable(step: &'static str, error: Error) -> StoreError {
    StoreError::Unavailable {
        step,
        source: error.into(),
    }
}
