//! Providers' keys, from Secrets that are read by name. Entry: [`SecretKeys`].

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use sympozium_core::error::BoxError;
use sympozium_core::ids::Namespace;
use sympozium_core::keys::{KeptKey, KeyError, KeySource};

/// The annotation of a Secret that names the one address to which its key may be sent.
const BASE_URL_ANNOTATION: &str = "sympozium.ai/base-url";
/// How long a read may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Reads Secrets by name, and never lists or watches them: the gateway's rights name each one that it may read.
#[derive(Clone)]
pub struct SecretKeys {
    client: Client,
}

impl SecretKeys {
    /// Reads with this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKeys")
    }
}

#[async_trait]
impl KeySource for SecretKeys {
    async fn key(&self, namespace: &Namespace, secret: &str) -> Result<KeptKey, KeyError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace.as_str());
        let unavailable = |source: BoxError| KeyError::Unavailable {
            namespace: namespace.clone(),
            secret: secret.to_owned(),
            source,
        };
        let missing = || KeyError::NotFound {
            namespace: namespace.clone(),
            secret: secret.to_owned(),
        };
        match tokio::time::timeout(DEADLINE, api.get(secret)).await {
            Ok(Ok(found)) => Ok(kept(found)),
            // What may not be read is not there; the names of others' Secrets are nobody's business.
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() || status.is_forbidden() => {
                Err(missing())
            }
            Ok(Err(error)) => Err(unavailable(error.into())),
            Err(late) => Err(unavailable(late.into())),
        }
    }
}

/// Values that are no text are no keys.
fn kept(secret: Secret) -> KeptKey {
    let annotations = secret.metadata.annotations.unwrap_or_default();
    let values: BTreeMap<_, _> = secret
        .data
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, String::from_utf8(value.0).ok()?)))
        .map(|(name, value)| (name, SecretString::from(value.trim().to_owned())))
        .collect();
    KeptKey {
        values,
        base_url: annotations.get(BASE_URL_ANNOTATION).cloned(),
    }
}
