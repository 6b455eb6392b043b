//! Callers that are known by a fixed token or listener.

use crate::auth::{AuthError, Authenticate, Caller, Credentials, Principal, Purpose};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Knows callers by a bearer token or by the name of their listener; everybody else is refused.
#[derive(Default)]
pub struct StaticAuth {
    tokens: Vec<(SecretString, Caller)>,
    listeners: Vec<(String, Caller)>,
}

impl StaticAuth {
    /// Knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets in whoever presents this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>, caller: Caller) -> Self {
        self.tokens.push((SecretString::from(token.into()), caller));
        self
    }

    /// Lets in whoever comes through this listener.
    #[must_use]
    pub fn listener(mut self, listener: impl Into<String>, caller: Caller) -> Self {
        self.listeners.push((listener.into(), caller));
        self
    }
}

impl fmt::Debug for StaticAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticAuth")
            .field("tokens", &self.tokens.len())
            .field("listeners", &self.listeners.len())
            .finish()
    }
}

#[async_trait]
impl Authenticate for StaticAuth {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        let by_token = credentials.bearer.as_ref().and_then(|bearer| {
            let mut tokens = self.tokens.iter();
            tokens.find(|(token, _)| token.expose_secret() == bearer.expose_secret())
        });
        let by_listener = credentials.listener.as_ref().and_then(|name| {
            let mut listeners = self.listeners.iter();
            listeners.find(|(listener, _)| listener == name)
        });
        let caller = by_token
            .map(|(_, caller)| caller)
            .or_else(|| by_listener.map(|(_, caller)| caller))
            .filter(|caller| match (&caller.principal, credentials.purpose) {
                (Principal::Agent, Purpose::Agent) | (Principal::Skill(_), Purpose::Egress) => true,
                (Principal::Agent, Purpose::Egress) | (Principal::Skill(_), Purpose::Agent) => false,
            });
        caller.cloned().ok_or(AuthError::Unauthenticated)
    }
}
