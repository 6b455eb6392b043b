//! Two ways to know a caller: by the listener on which it came in, and by a fixed token.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc, sync::Mutex, sync::PoisonError};
use sympozium_core::auth::{AuthError, Authenticate, Caller, Credentials, Purpose};
use sympozium_core::run::RunPlan;

/// A listener made for one run identifies that run (local runs).
#[derive(Debug, Default)]
pub struct ListenerAuth {
    /// `None` = the run has ended.
    runs: Mutex<HashMap<String, Option<Arc<RunPlan>>>>,
}

impl ListenerAuth {
    /// Whoever comes in on this listener is this run.
    pub fn register(&self, listener: impl Into<String>, plan: Arc<RunPlan>) {
        self.lock().insert(listener.into(), Some(plan));
    }

    /// Whoever comes in on this listener from now on is told that the run has ended.
    pub fn end(&self, listener: &str) {
        if let Some(run) = self.lock().get_mut(listener) {
            *run = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Arc<RunPlan>>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authenticate for ListenerAuth {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        agents_only(credentials)?;
        let listener = credentials
            .listener
            .as_deref()
            .ok_or(AuthError::Unauthenticated)?;
        match self.lock().get(listener) {
            Some(Some(plan)) => Ok(Caller::agent(Arc::clone(plan))),
            Some(None) => Err(AuthError::RunEnded),
            None => Err(AuthError::Unauthenticated),
        }
    }
}

/// One bearer token that stands for one plan (a gateway by itself, for development).
pub struct TokenAuth {
    token: [u8; 32],
    plan: Arc<RunPlan>,
}

impl TokenAuth {
    /// Whoever presents this token is this run.
    pub fn new(token: &SecretString, plan: Arc<RunPlan>) -> Self {
        Self {
            token: Sha256::digest(token.expose_secret()).into(),
            plan,
        }
    }
}

impl std::fmt::Debug for TokenAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAuth").finish_non_exhaustive()
    }
}

#[async_trait]
impl Authenticate for TokenAuth {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        agents_only(credentials)?;
        let bearer = credentials.bearer.as_ref().ok_or(AuthError::Unauthenticated)?;
        // Hashes are compared, so that how long it takes says nothing about the token.
        let presented: [u8; 32] = Sha256::digest(bearer.expose_secret()).into();
        if presented == self.token {
            Ok(Caller::agent(Arc::clone(&self.plan)))
        } else {
            Err(AuthError::Unauthenticated)
        }
    }
}

/// Neither kind of credentials is any skill's.
fn agents_only(credentials: &Credentials) -> Result<(), AuthError> {
    match credentials.purpose {
        Purpose::Agent => Ok(()),
        Purpose::Egress => Err(AuthError::Unauthenticated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::testing::run_plan;
    use sympozium_core::testing::{KnownCaller, authenticate};

    #[tokio::test]
    async fn a_token_and_a_listener_keep_the_contract_of_authentication() {
        let plan = Arc::new(run_plan("the task"));
        let token = SecretString::from("t0ken");
        let by_token = KnownCaller {
            run: plan.run.uid,
            token: Some(token.clone()),
            listener: None,
        };
        authenticate(&TokenAuth::new(&token, Arc::clone(&plan)), &by_token).await;

        let runs = ListenerAuth::default();
        runs.register("run-1", Arc::clone(&plan));
        let by_listener = KnownCaller {
            run: plan.run.uid,
            token: None,
            listener: Some("run-1".to_owned()),
        };
        authenticate(&runs, &by_listener).await;
    }

    #[tokio::test]
    async fn a_run_that_has_ended_is_told_so_and_not_let_in() {
        let runs = ListenerAuth::default();
        runs.register("run-1", Arc::new(run_plan("the task")));
        runs.end("run-1");
        let credentials = Credentials {
            listener: Some("run-1".to_owned()),
            ..Credentials::default()
        };
        let refused = runs.authenticate(&credentials).await;
        assert!(matches!(refused, Err(AuthError::RunEnded)));
    }
}
