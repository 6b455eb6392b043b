//! For tests: one conformance suite per trait, and fakes (feature `testing`).
//!
//! A suite is a function that takes an implementation and panics, with a sentence that says what was expected, when it
//! does not behave. Suites use fresh names and ids, so that they can run against a store or bus that others use too.
//! They never ask for more than a trait's documentation promises.
//!
//! | Trait | Suite | What has to be brought besides the implementation |
//! | --- | --- | --- |
//! | `SessionStore`, `StepLog`, `Ledger`, `AuditLog` | [`session_store`], [`step_log`], [`ledger`], [`audit_log`] | |
//! | `MemoryStore` | [`memory_store`] | |
//! | `EventBus` | [`event_bus`] | its dead letters, and a way to restart it: [`BusFixture`] |
//! | `LlmProvider` | [`llm_provider`] | its far side: [`ProviderPeer`] |
//! | `Channel` | [`channel`] | its platform: [`ChannelPeer`] |
//! | `SkillSource` | [`skill_source`] | the names of two packs that it has: [`KnownPacks`] |
//! | `Authenticate` | [`authenticate`] | a caller that it knows: [`KnownCaller`] |
//! | `RunExecutor` | [`run_executor`] | agents that do as they are told: [`ExecutorFixture`] |
//!
//! A crate that brings its own store proves it like this:
//!
//! ```
//! use std::{collections::BTreeMap, sync::Mutex};
//! use sympozium_core::{ids::InstanceRef, memory::{Memory, MemoryStore}, store::StoreError, testing};
//!
//! #[derive(Default)]
//! struct MyStore(Mutex<BTreeMap<String, (u64, String)>>);
//!
//! #[async_trait::async_trait]
//! impl MemoryStore for MyStore {
//!     async fn load(&self, instance: &InstanceRef) -> Result<Option<Memory>, StoreError> {
//!         let all = self.0.lock().unwrap();
//!         let found = all.get(&instance.to_string());
//!         Ok(found.map(|(version, text)| Memory { text: text.clone(), version: version.to_string() }))
//!     }
//!
//!     async fn save(&self, instance: &InstanceRef, memory: Memory) -> Result<Memory, StoreError> {
//!         let mut all = self.0.lock().unwrap();
//!         let current = all.get(&instance.to_string()).map_or(0, |(version, _)| *version);
//!         let given = if current == 0 { String::new() } else { current.to_string() };
//!         if memory.version != given {
//!             let detail = format!("version {current} stands there");
//!             return Err(StoreError::Conflict { step: "save a memory", detail });
//!         }
//!         all.insert(instance.to_string(), (current + 1, memory.text.clone()));
//!         Ok(Memory { version: (current + 1).to_string(), ..memory })
//!     }
//!
//!     async fn clear(&self, instance: &InstanceRef) -> Result<(), StoreError> {
//!         self.0.lock().unwrap().remove(&instance.to_string());
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! testing::memory_store(&MyStore::default()).await;
//! # });
//! ```

mod fakes;
mod servers;
mod suites;

pub use fakes::{
    AgentDoes, FailingStore, FakeAnswer, FakeExecutor, FakeProvider, RecordingChannel, StaticAuth,
    StaticSkills, run_plan,
};
pub use servers::NatsServer;
pub use suites::{
    BusFixture, ChannelPeer, ExecutorFixture, KnownCaller, KnownPacks, PeerAnswer, ProviderPeer, audit_log,
    authenticate, channel, event_bus, ledger, llm_provider, memory_store, run_executor, session_store,
    skill_source, step_log,
};
