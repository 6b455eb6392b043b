//! Answers a server's questions: [`CalloutService`].

use super::answer::{answer, expiry};
use super::config::{INBOX, QUESTIONS};
use super::connections::Connections;
use super::jwt::InvalidToken;
use super::question::{self, Question};
use super::{BusAuthenticator, CalloutKeys, Grant, KeyError};
use crate::auth::AuthError;
use crate::bus::nats::link::Link;
use crate::bus::nats::settings::{Credential, NatsSettings, Readers};
use crate::bus::{BusError, Principal};
use async_nats::{HeaderMap, Message};
use futures::StreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use nkeys::{KeyPair, XKey};
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Services of this name share a server's questions.
const GROUP: &str = "sympozium-callout";
/// The header with the server's curve key (nats-server, `auth_callout.go`).
const SERVER_KEY: &str = "Nats-Server-Xkey";
/// How long an answer may take: below the 1.5 seconds that the server waits, so that it learns the reason.
const ANSWER: Duration = Duration::from_millis(1_200);

/// How a service works.
#[derive(Debug, Clone)]
pub struct CalloutSettings {
    /// Addresses of the server, separated by commas.
    pub servers: String,
    /// A PEM file with the authorities of the server.
    pub ca_file: Option<PathBuf>,
    /// How many questions may be answered at a time; further ones wait, and are refused when the server no longer waits. At least 1.
    pub concurrency: usize,
    /// How long permissions last, unless the token expires sooner. Five minutes suit a cluster.
    pub lifetime: Duration,
}

/// Answers the questions of a NATS server, and closes connections.
pub struct CalloutService {
    link: Link,
    system: Link,
    issuer: KeyPair,
    xkey: XKey,
    authenticator: Arc<dyn BusAuthenticator>,
    settings: CalloutSettings,
    connections: Mutex<Connections>,
}

impl fmt::Debug for CalloutService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CalloutService")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl CalloutService {
    /// Connects with the callout's own keys, which need no callout. Answers nothing before [`run`](Self::run).
    pub async fn connect(
        settings: CalloutSettings,
        keys: &CalloutKeys,
        authenticator: Arc<dyn BusAuthenticator>,
    ) -> Result<Self, BusError> {
        let refused = |error: KeyError| BusError::Refused {
            step: "connect",
            detail: error.to_string(),
        };
        let of = |seed: &secrecy::SecretString| NatsSettings {
            servers: settings.servers.clone(),
            name: GROUP.to_owned(),
            inbox: INBOX.to_owned(),
            credential: Credential::NkeySeed(seed.clone()),
            ca_file: settings.ca_file.clone(),
            readers: Readers::Prepared,
            deadline: Duration::from_secs(5),
        };
        Ok(Self {
            link: Link::connect(of(keys.callout_seed())).await?,
            system: Link::connect(of(keys.system_seed())).await?,
            issuer: keys.issuer().map_err(refused)?,
            xkey: keys.xkey().map_err(refused)?,
            authenticator,
            settings,
            connections: Mutex::default(),
        })
    }

    /// Answers questions until `stop`, then ends those that are under way and the connections.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), BusError> {
        let questions = self.link.queue(QUESTIONS, GROUP).await?;
        questions
            .take_until(stop.cancelled())
            .for_each_concurrent(self.settings.concurrency.max(1), |message| self.handle(message))
            .await;
        self.link.close().await;
        self.system.close().await;
        Ok(())
    }

    /// Closes the connections of some principals that this service has let in, and gives their number. They connect again at
    /// once, so the authenticator has to refuse them already. Every service of an installation does this for its own.
    pub async fn kick(&self, which: impl Fn(&Principal) -> bool + Send) -> usize {
        let connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(which);
        let kicks = connections
            .iter()
            .map(|(server, number)| self.kick_one(server, *number));
        join_all(kicks).await.into_iter().filter(|kicked| *kicked).count()
    }

    async fn kick_one(&self, server: &str, number: u64) -> bool {
        let subject = format!("$SYS.REQ.SERVER.{server}.KICK");
        let body = json!({"cid": number}).to_string();
        let kicked = self
            .system
            .ask("close a connection", &subject, HeaderMap::new(), body.into());
        match kicked.await {
            Ok(_) => true,
            Err(error) => {
                // A server that is gone has no connections; one that is slow loses this one when its permissions expire.
                tracing::warn!(
                    server,
                    number,
                    error = crate::error::chain(&error),
                    "a connection was not closed"
                );
                false
            }
        }
    }

    async fn handle(&self, message: Message) {
        match self.respond(&message).await {
            Ok(sealed) => {
                let Some(reply) = message.reply else { return };
                if let Err(error) = self.link.tell(reply.as_str(), sealed).await {
                    tracing::warn!(
                        error = crate::error::chain(&error),
                        "an answer of the callout was not sent"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "a question of the callout was not answered"),
        }
    }

    async fn respond(&self, message: &Message) -> Result<Vec<u8>, InvalidToken> {
        let key = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(SERVER_KEY));
        let key = key.map_or("", |key| key.as_str());
        let question = question::open(&self.xkey, key, &message.payload, Timestamp::now())?;
        let verdict = timeout(ANSWER, self.verdict(&question)).await;
        let verdict =
            verdict.unwrap_or_else(|_| Err("it could not be found out in time whose token it is".to_owned()));
        let now = Timestamp::now();
        let granted = verdict.and_then(|grant| {
            let expires = expiry(&grant, now, self.settings.lifetime);
            let expires = expires.ok_or_else(|| "the token has expired".to_owned())?;
            Ok((grant, expires))
        });
        match &granted {
            Ok((grant, expires)) => {
                let connection = (question.server.clone(), question.connection);
                let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
                connections.note(connection, grant.principal.clone(), *expires, now);
            }
            Err(reason) => tracing::info!(reason, "a client of the event bus was refused"),
        }
        let verdict = granted
            .as_ref()
            .map(|(grant, expires)| (grant, *expires))
            .map_err(Clone::clone);
        let text = answer(&self.issuer, &question, verdict, now)?;
        let sealed = self.xkey.seal(text.as_bytes(), &question.server_key);
        sealed.map_err(|_| InvalidToken("the answer can't be sealed"))
    }

    async fn verdict(&self, question: &Question) -> Result<Grant, String> {
        let token = question
            .token
            .as_ref()
            .ok_or_else(|| AuthError::Unauthenticated.to_string())?;
        let grant = self.authenticator.authenticate(token).await;
        grant.map_err(|error| crate::error::chain(&error))
    }
}
