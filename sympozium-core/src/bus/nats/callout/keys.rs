//! The four keys of an installation's callout.

use nkeys::{KeyPair, KeyPairType, XKey};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// A seed that is not one of the kind that is needed.
#[derive(Debug, thiserror::Error)]
#[error("the seed of the {which} key is not one of NATS: generate it with `CalloutKeys::generate`")]
pub struct KeyError {
    which: &'static str,
}

/// The keys: who may answer for clients (issuer), who asks and answers (callout), who may close connections (system), and
/// what questions and answers are sealed with (xkey). The server knows only their public halves.
#[derive(Clone)]
pub struct CalloutKeys {
    issuer: SecretString,
    callout: SecretString,
    system: SecretString,
    xkey: SecretString,
    public: PublicKeys,
}

/// The public halves of [`CalloutKeys`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// `A…`, an account's.
    pub issuer: String,
    /// `U…`, a user's.
    pub callout: String,
    /// `U…`, a user's.
    pub system: String,
    /// `X…`, a curve key's.
    pub xkey: String,
}

impl fmt::Debug for CalloutKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CalloutKeys")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn pair(which: &'static str, seed: &SecretString, kind: &KeyPairType) -> Result<KeyPair, KeyError> {
    let pair = KeyPair::from_seed(seed.expose_secret()).map_err(|_| KeyError { which })?;
    let fits = std::mem::discriminant(&pair.key_pair_type()) == std::mem::discriminant(kind);
    fits.then_some(pair).ok_or(KeyError { which })
}

fn curve(seed: &SecretString) -> Result<XKey, KeyError> {
    XKey::from_seed(seed.expose_secret()).map_err(|_| KeyError { which: "xkey" })
}

impl CalloutKeys {
    /// Checks and takes four seeds: of an account, of two users, and of a curve key.
    pub fn from_seeds(
        issuer: SecretString,
        callout: SecretString,
        system: SecretString,
        xkey: SecretString,
    ) -> Result<Self, KeyError> {
        let public = PublicKeys {
            issuer: pair("issuer", &issuer, &KeyPairType::Account)?.public_key(),
            callout: pair("callout", &callout, &KeyPairType::User)?.public_key(),
            system: pair("system", &system, &KeyPairType::User)?.public_key(),
            xkey: curve(&xkey)?.public_key(),
        };
        Ok(Self {
            issuer,
            callout,
            system,
            xkey,
            public,
        })
    }

    /// New keys, for a new installation.
    pub fn generate() -> Result<Self, KeyError> {
        let seed = |which, seed: Result<String, nkeys::error::Error>| {
            seed.map(SecretString::from).map_err(|_| KeyError { which })
        };
        Self::from_seeds(
            seed("issuer", KeyPair::new_account().seed())?,
            seed("callout", KeyPair::new_user().seed())?,
            seed("system", KeyPair::new_user().seed())?,
            seed("xkey", XKey::new().seed())?,
        )
    }

    /// The seeds of issuer, callout, system and xkey, in this order: what an installer stores.
    pub fn seeds(&self) -> [&SecretString; 4] {
        [&self.issuer, &self.callout, &self.system, &self.xkey]
    }

    /// What the server is configured with.
    pub fn public(&self) -> &PublicKeys {
        &self.public
    }

    pub(super) fn issuer(&self) -> Result<KeyPair, KeyError> {
        pair("issuer", &self.issuer, &KeyPairType::Account)
    }

    pub(super) fn xkey(&self) -> Result<XKey, KeyError> {
        curve(&self.xkey)
    }

    pub(super) fn callout_seed(&self) -> &SecretString {
        &self.callout
    }

    pub(super) fn system_seed(&self) -> &SecretString {
        &self.system
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_seeds_and_are_not_mixed_up() {
        let keys = CalloutKeys::generate().unwrap();
        let [issuer, callout, system, xkey] = keys.seeds().map(Clone::clone);
        let again = CalloutKeys::from_seeds(issuer.clone(), callout.clone(), system.clone(), xkey.clone());
        assert_eq!(again.unwrap().public(), keys.public());
        for wrong in [
            CalloutKeys::from_seeds(callout.clone(), callout.clone(), system.clone(), xkey.clone()),
            CalloutKeys::from_seeds(issuer.clone(), issuer.clone(), system.clone(), xkey.clone()),
            CalloutKeys::from_seeds(issuer.clone(), callout.clone(), system.clone(), callout.clone()),
            CalloutKeys::from_seeds("".into(), callout.clone(), system.clone(), xkey.clone()),
        ] {
            wrong.unwrap_err();
        }
        let shown = format!("{keys:?}");
        assert!(
            keys.seeds()
                .iter()
                .all(|seed| !shown.contains(seed.expose_secret()))
        );
    }
}
