//! How a client reaches its server, and as whom.

use crate::bus::subscription::is_token;
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

/// How to connect.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// Addresses, separated by commas: `nats://host:4222` or `tls://host:4222`.
    pub servers: String,
    /// What the server shows this client as.
    pub name: String,
    /// The token after `_INBOX.` under which answers come: the pod's UID, where the server restricts it. 1 to 64 characters
    /// of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub inbox: String,
    /// Who the client is.
    pub credential: Credential,
    /// A PEM file with the only authorities that may vouch for the server. With it, TLS is demanded; without it, the
    /// system's authorities hold where the server or its address asks for TLS.
    pub ca_file: Option<PathBuf>,
    /// Who makes this client's readers.
    pub readers: Readers,
    /// How long one exchange with the server may take, a reconnect included. Five seconds suit a cluster.
    pub deadline: Duration,
}

/// What a client presents.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nothing: a server of one's own.
    Nothing,
    /// A file with a token, read at every connect: a projected ServiceAccount token is replaced while the pod runs.
    TokenFile(PathBuf),
    /// The seed of a NATS user key.
    NkeySeed(SecretString),
}

/// Who makes the readers through which a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The client itself.
    Own {
        /// A reader whom nobody reads from for so long is forgotten; `None` = never. For readers of processes that come and go.
        forget_after: Option<Duration>,
    },
    /// The operator, by [`NatsBus::prepare_reader`](super::NatsBus::prepare_reader). The client uses what is there, whatever
    /// its subscription says.
    Prepared,
}

impl NatsSettings {
    /// The prefix of the subjects under which answers come.
    pub(super) fn inbox_prefix(&self) -> String {
        format!("_INBOX.{}", self.inbox)
    }

    /// The reason why these settings can't be used, if there is one.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        if !is_token(&self.inbox, 64) {
            return Some("the inbox has 1 to 64 characters of a-z, A-Z, 0-9, `_` and `-`");
        }
        self.deadline.is_zero().then_some("an exchange needs time")
    }
}
