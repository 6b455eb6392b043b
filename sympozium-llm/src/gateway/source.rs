//! Which provider serves a run.

use async_trait::async_trait;
use std::{collections::HashMap, sync::Arc};
use sympozium_core::error::BoxError;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::LlmProvider;
use sympozium_core::run::RunPlan;

/// Why there is no provider for a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No such provider.
    #[error("there is no provider {0} in this gateway")]
    Unknown(ProviderName),
    /// Its key or settings can't be had.
    #[error("set up the provider {name}")]
    Unavailable {
        /// Which.
        name: ProviderName,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// Finds the provider of a run.
#[async_trait]
pub trait ProviderSource: Send + Sync {
    /// The provider that serves this run.
    async fn provider(&self, plan: &RunPlan) -> Result<Arc<dyn LlmProvider>, SourceError>;
}

/// Providers by the name that plans give.
#[derive(Default)]
pub(crate) struct ByName {
    providers: HashMap<ProviderName, Arc<dyn LlmProvider>>,
}

impl ByName {
    pub(crate) fn add(&mut self, name: ProviderName, provider: Arc<dyn LlmProvider>) {
        self.providers.insert(name, provider);
    }
}

#[async_trait]
impl ProviderSource for ByName {
    async fn provider(&self, plan: &RunPlan) -> Result<Arc<dyn LlmProvider>, SourceError> {
        let name = &plan.model.provider;
        self.providers
            .get(name)
            .cloned()
            .ok_or_else(|| SourceError::Unknown(name.clone()))
    }
}
