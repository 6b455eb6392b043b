//! The suite of [`Authenticate`].

use super::{fails, ok, same};
use crate::auth::{Authenticate, Credentials, Principal, Purpose};
use crate::ids::RunUid;
use secrecy::{ExposeSecret, SecretString};

/// A run that an [`Authenticate`] under test knows, and what identifies it: a token, a listener, or both.
#[derive(Debug)]
pub struct KnownCaller {
    /// The run.
    pub run: RunUid,
    /// Its bearer token.
    pub token: Option<SecretString>,
    /// The name of its own listener.
    pub listener: Option<String>,
}

/// Checks an [`Authenticate`] that knows this caller.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn authenticate(auth: &dyn Authenticate, known: &KnownCaller) {
    a_known_caller_is_the_run(auth, known).await;
    an_agents_credentials_open_no_other_door(auth, known).await;
    nobody_else_is_let_in(auth, known).await;
}

fn bearer(token: &str) -> Credentials {
    Credentials {
        bearer: Some(SecretString::from(token)),
        ..Credentials::default()
    }
}

fn listener(name: &str) -> Credentials {
    Credentials {
        listener: Some(name.to_owned()),
        ..Credentials::default()
    }
}

async fn a_known_caller_is_the_run(auth: &dyn Authenticate, known: &KnownCaller) {
    let by_token = known.token.iter().map(|token| bearer(token.expose_secret()));
    let by_listener = known.listener.iter().map(|name| listener(name));
    let all: Vec<_> = by_token.chain(by_listener).collect();
    assert!(
        !all.is_empty(),
        "the suite needs a token or a listener that is known"
    );
    for credentials in &all {
        for _ in 0..2 {
            let caller = ok(auth.authenticate(credentials).await, "a known caller is let in");
            same(
                &caller.principal,
                &Principal::Agent,
                "whoever has its credentials is its agent",
            );
            same(
                &caller.plan.run.uid,
                &known.run,
                "a known caller is its run, each time",
            );
        }
    }
}

async fn an_agents_credentials_open_no_other_door(auth: &dyn Authenticate, known: &KnownCaller) {
    let credentials = Credentials {
        bearer: known.token.clone(),
        listener: known.listener.clone(),
        purpose: Purpose::Egress,
        ..Credentials::default()
    };
    fails(
        auth.authenticate(&credentials)
            .await
            .map(|caller| caller.plan.run.uid),
        "unauthenticated",
        "what an agent presents is no skill's way out",
    );
}

async fn nobody_else_is_let_in(auth: &dyn Authenticate, known: &KnownCaller) {
    let mut strangers = vec![
        Credentials::default(),
        bearer(""),
        bearer("suite-unknown-token"),
        listener(""),
        listener("suite-unknown-listener"),
    ];
    if let Some(token) = &known.token {
        let token = token.expose_secret();
        let shorter: String = token.chars().skip(1).collect();
        strangers.extend([
            bearer(&format!("{token}x")),
            bearer(&shorter),
            bearer(&format!(" {token}")),
            // A token is no listener's name.
            listener(token),
        ]);
    }
    if let Some(name) = &known.listener {
        strangers.extend([listener(&format!("{name}x")), bearer(name)]);
    }
    for credentials in &strangers {
        fails(
            auth.authenticate(credentials)
                .await
                .map(|caller| caller.plan.run.uid),
            "unauthenticated",
            "whoever is not known is not let in",
        );
    }
}
