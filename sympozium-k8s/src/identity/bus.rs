//! Who connects to the bus, by the same tokens under another audience.

use super::TokenReviewAuthenticator;
use super::authenticator::{bus_audience, claims, source};
use super::live::index::uid_of;
use super::standing::For;
use jiff::Timestamp;
use secrecy::SecretString;
use sympozium_core::auth::AuthError;
use sympozium_core::ids::{InstanceName, InstanceRef, RunUid};
use uuid::Uuid;

/// Which part of an installation connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusPart {
    /// The bridge of a run that goes on, or still drains.
    Bridge {
        /// The run's instance.
        instance: InstanceRef,
        /// The run.
        run: RunUid,
    },
    /// The operator.
    Operator,
    /// The API server of the installation.
    ApiServer,
}

/// Who connects to the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusCaller {
    /// Which part.
    pub part: BusPart,
    /// The UID of its pod.
    pub pod: Uuid,
    /// When its token expires.
    pub expires: Timestamp,
}

impl TokenReviewAuthenticator {
    /// Whose token for the bus this is. A run's bridge is let in also while it drains after the run's end.
    pub async fn bus_caller(&self, token: &SecretString) -> Result<BusCaller, AuthError> {
        let claims = claims(token, self.now())?;
        let audience = bus_audience(&claims)?;
        let source = source(None, &claims);
        let known = self.genuine(token, &claims, &audience, source).await?;
        let subject = &known.subject;
        let settings = &self.settings;
        let own = subject.namespace.as_str() == settings.system_namespace;
        let part = if own && subject.service_account == settings.operator {
            BusPart::Operator
        } else if own && subject.service_account == settings.api_server {
            BusPart::ApiServer
        } else {
            let grace = settings.grace;
            let run = self.run_of(subject, For::Bus { grace }, source).await?;
            BusPart::Bridge {
                instance: InstanceRef {
                    namespace: subject.namespace.clone(),
                    name: InstanceName::new(&run.spec.instance_ref)
                        .map_err(super::authenticator::unavailable)?,
                },
                run: uid_of(&run).ok_or(AuthError::Unauthenticated)?,
            }
        };
        Ok(BusCaller {
            part,
            pod: subject.pod,
            expires: known.expires,
        })
    }
}
