//! Providers with keys that are looked up when they are needed.

use super::{ProviderSource, SourceError};
use crate::http::GuardedClient;
use crate::providers::{ProviderRegistry, ProviderSettings};
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use sympozium_core::error::{BoxError, Classify};
use sympozium_core::ids::{Namespace, ProviderName};
use sympozium_core::keys::{KeptKey, KeyError, KeySource, address_of};
use sympozium_core::llm::LlmProvider;
use sympozium_core::run::RunPlan;
use tokio::time::Instant;
use url::Url;

/// How long a provider is used before its Secret is read again: a key that was changed counts after that time.
const KEPT: Duration = Duration::from_secs(30);
/// How long is waited before a Secret that could not be read is read again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];
/// How many providers are kept.
const MOST: usize = 4_096;

/// What tells providers apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Id {
    namespace: Namespace,
    provider: ProviderName,
    secret: Option<String>,
    address: Option<Url>,
}

struct Made {
    provider: Arc<dyn LlmProvider>,
    until: Instant,
}

/// Makes the provider of a run from a registry and the key in the run's Secret.
///
/// A key goes to the address that its Secret names, else to the provider's public one, whatever the run says
/// ([`address_of`]). Which private addresses providers may have is the client's rules.
pub struct KeyedProviders {
    registry: ProviderRegistry,
    client: GuardedClient,
    keys: Arc<dyn KeySource>,
    made: Mutex<HashMap<Id, Made>>,
}

impl KeyedProviders {
    /// Providers of this registry, reached by this client, with keys from there.
    pub fn new(registry: ProviderRegistry, client: GuardedClient, keys: Arc<dyn KeySource>) -> Self {
        Self {
            registry,
            client,
            keys,
            made: Mutex::default(),
        }
    }

    fn kept(&self, id: &Id) -> Option<Arc<dyn LlmProvider>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let found = made.get(id).filter(|made| made.until > Instant::now());
        found.map(|made| Arc::clone(&made.provider))
    }

    fn keep(&self, id: Id, provider: &Arc<dyn LlmProvider>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if made.len() >= MOST {
            made.retain(|_, made| made.until > now);
        }
        if made.len() < MOST {
            let provider = Arc::clone(provider);
            let until = now + KEPT;
            made.insert(id, Made { provider, until });
        }
    }

    /// Reads a Secret, again if that failed for a reason that passes: a run that is refused for it would not come back.
    async fn read(&self, namespace: &Namespace, secret: &str) -> Result<KeptKey, KeyError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            match (self.keys.key(namespace, secret).await, pauses.next()) {
                (Err(error), Some(pause)) if error.retry().is_worthwhile() => tokio::time::sleep(pause).await,
                (read, _) => return read,
            }
        }
    }

    async fn make(&self, plan: &RunPlan) -> Result<Arc<dyn LlmProvider>, BoxError> {
        let name = &plan.model.provider;
        let mut settings = ProviderSettings {
            base_url: plan.model.base_url.clone(),
            ..ProviderSettings::new(name.clone())
        };
        if let Some(secret) = &plan.model.secret {
            let kept = self.read(&plan.run.namespace, secret).await?;
            let public = self.registry.default_base_url(name);
            settings.base_url = address_of(secret, &kept, plan.model.base_url.as_ref(), public.as_ref())?;
            let names = self.registry.key_variables(name);
            let key = kept.key(names).cloned().ok_or_else(|| KeyError::Unusable {
                secret: secret.clone(),
                detail: format!(
                    "it has no value that is a key for {name}: name it {}",
                    names.first().unwrap_or(&"API_KEY")
                ),
            })?;
            settings.api_key = Some(key);
        }
        Ok(self.registry.build(settings, &self.client)?)
    }
}

#[async_trait]
impl ProviderSource for KeyedProviders {
    async fn provider(&self, plan: &RunPlan) -> Result<Arc<dyn LlmProvider>, SourceError> {
        let id = Id {
            namespace: plan.run.namespace.clone(),
            provider: plan.model.provider.clone(),
            secret: plan.model.secret.clone(),
            address: plan.model.base_url.clone(),
        };
        if let Some(kept) = self.kept(&id) {
            return Ok(kept);
        }
        let made = self.make(plan).await;
        let provider = made.map_err(|source| SourceError::Unavailable {
            name: plan.model.provider.clone(),
            source,
        })?;
        self.keep(id, &provider);
        Ok(provider)
    }
}

impl fmt::Debug for KeyedProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedProviders")
            .field("registry", &self.registry)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
