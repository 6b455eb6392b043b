//! NATS' auth callout: the server asks who a client is and what it may do, for every client that connects.
//!
//! The client's credential is its pod's token. [`CalloutService`] opens the server's question, asks a [`BusAuthenticator`]
//! whose token it is, and answers with a user JWT that holds the [permissions](crate::bus::Permissions) of that principal
//! and lasts for minutes. [`server_block`] is what the server needs in its configuration; it holds public keys alone.
//!
//! Any number of services share the questions of a server. Without one nobody can connect, and those who are connected go
//! on until their permissions expire.

mod answer;
mod config;
mod connections;
mod jwt;
mod keys;
mod question;
mod service;

pub use config::{ACCOUNT, TlsFiles, server_block};
pub use keys::{CalloutKeys, KeyError, PublicKeys};
pub use service::{CalloutService, CalloutSettings};

use crate::auth::AuthError;
use crate::bus::Principal;
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

/// Says whose a token is.
#[async_trait]
pub trait BusAuthenticator: Send + Sync {
    /// The principal that presents this token, if it may take part at this moment. Asked at every connect, and again when
    /// a grant expires; a run that has ended is an error here.
    async fn authenticate(&self, token: &SecretString) -> Result<Grant, AuthError>;
}

/// A principal that may take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub principal: Principal,
    /// When its token expires.
    pub expires: Timestamp,
}
