//! The bus's auth callout, answered by the same reviews and watches as the gateway's own callers.

use super::config::BusConfig;
use anyhow::Context;
use async_trait::async_trait;
use secrecy::SecretString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::auth::AuthError;
use sympozium_core::bus::Principal;
use sympozium_core::bus::nats::callout::{
    BusAuthenticator, CalloutKeys, CalloutService, CalloutSettings, Grant,
};
use sympozium_core::error::chain;
use sympozium_k8s::identity::{BusCaller, BusPart, TokenReviewAuthenticator};
use tokio_util::sync::CancellationToken;

/// How many questions are answered at a time.
const CONCURRENCY: usize = 64;
/// How long a grant lasts.
const LIFETIME: Duration = Duration::from_mins(5);
/// The pause before the server is connected to again.
const PAUSE: Duration = Duration::from_secs(2);

/// Says whose a token for the bus is.
struct ReviewedBus(Arc<TokenReviewAuthenticator>);

#[async_trait]
impl BusAuthenticator for ReviewedBus {
    async fn authenticate(&self, token: &SecretString) -> Result<Grant, AuthError> {
        self.0.bus_caller(token).await.map(grant)
    }
}

/// What a caller is on the bus.
fn grant(caller: BusCaller) -> Grant {
    let BusCaller { part, pod, expires } = caller;
    let principal = match part {
        BusPart::Bridge { instance, run } => Principal::Bridge { instance, run, pod },
        BusPart::Operator => Principal::Operator { pod },
        BusPart::ApiServer => Principal::ApiServer { pod },
    };
    Grant { principal, expires }
}

/// The callout's keys, each in a file of its name.
pub(super) fn keys(folder: &Path) -> anyhow::Result<CalloutKeys> {
    let seed = |name: &str| {
        let file = folder.join(name);
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        anyhow::Ok(SecretString::from(text.trim().to_owned()))
    };
    let keys = CalloutKeys::from_seeds(seed("issuer")?, seed("callout")?, seed("system")?, seed("xkey")?);
    keys.with_context(|| format!("use the keys in {}", folder.display()))
}

/// Answers the bus's questions until `stop`. A server that is away is connected to again and again: the gateway itself
/// needs no bus.
pub(super) async fn answer(
    config: BusConfig,
    keys: CalloutKeys,
    authenticator: Arc<TokenReviewAuthenticator>,
    stop: CancellationToken,
) {
    let authenticator: Arc<dyn BusAuthenticator> = Arc::new(ReviewedBus(authenticator));
    while !stop.is_cancelled() {
        let settings = CalloutSettings {
            servers: config.url.clone(),
            ca_file: config.ca_file.clone(),
            concurrency: CONCURRENCY,
            lifetime: LIFETIME,
        };
        let serving = async {
            let service = CalloutService::connect(settings, &keys, Arc::clone(&authenticator)).await?;
            tracing::info!("the bus's questions are answered");
            service.run(&stop).await
        };
        if let Err(error) = serving.await {
            tracing::warn!(error = chain(&error), "the bus's questions can't be answered now");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use secrecy::ExposeSecret;
    use sympozium_core::ids::RunUid;
    use uuid::Uuid;

    #[test]
    fn each_part_is_its_own_principal() {
        let pod = Uuid::from_u128(7);
        let run = RunUid(Uuid::from_u128(1));
        let instance = sympozium_core::testing::run_plan("t").instance;
        for (part, expected) in [
            (
                BusPart::Bridge {
                    instance: instance.clone(),
                    run,
                },
                Principal::Bridge { instance, run, pod },
            ),
            (BusPart::Operator, Principal::Operator { pod }),
            (BusPart::ApiServer, Principal::ApiServer { pod }),
        ] {
            let expires = Timestamp::UNIX_EPOCH;
            let granted = grant(BusCaller { part, pod, expires });
            assert_eq!(
                granted,
                Grant {
                    principal: expected,
                    expires
                }
            );
        }
    }

    #[test]
    fn keys_are_read_from_files_of_their_names_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let made = CalloutKeys::generate().unwrap();
        for (name, seed) in ["issuer", "callout", "system", "xkey"].iter().zip(made.seeds()) {
            assert!(keys(folder.path()).is_err());
            let text = format!("{}\n", seed.expose_secret());
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(keys(folder.path()).unwrap().public(), made.public());
        std::fs::write(folder.path().join("xkey"), "canary").unwrap();
        let error = format!("{:#}", keys(folder.path()).unwrap_err());
        assert!(error.contains("xkey") && !error.contains("canary"), "{error}");
    }
}
