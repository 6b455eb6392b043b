//! The connection: every exchange with the server goes through [`Link`], which bounds it and notices refusals.

use super::message::Outgoing;
use super::settings::{Credential, NatsSettings};
use super::{answer, violations};
use crate::bus::BusError;
use async_nats::connection::State;
use async_nats::jetstream::{self, Context, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, ServerError};
use async_nats::{Request, RequestErrorKind};
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The most exchanges that are under way at a time; further ones wait for their turn.
const EXCHANGES: usize = 1_024;
/// The most refusals that are told to those who wait and not yet heard; who misses one waits for its deadline.
const REFUSALS: usize = 256;
/// Pauses between attempts to reconnect: from the first to the second, doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(4));
/// The most commands that wait for the connection.
const COMMANDS: usize = 2_048;
/// The most messages that wait for the reader of one subscription.
const MESSAGES: usize = 1_024;

/// What the connection's events tell those who wait.
#[derive(Debug)]
struct Signals {
    refused: broadcast::Sender<Arc<str>>,
    /// Counts changes of the connection; closed is told apart, because it is the last.
    changed: watch::Sender<u64>,
    closed: CancellationToken,
}

/// One connection, and what its users share.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    pub(super) jetstream: Context,
    pub(super) settings: NatsSettings,
    /// Ends every stream of deliveries.
    pub(super) stop: CancellationToken,
    signals: Arc<Signals>,
    turns: Semaphore,
    malformed: AtomicU64,
}

impl Link {
    pub(super) async fn connect(settings: NatsSettings) -> Result<Self, BusError> {
        if let Some(wrong) = settings.wrong() {
            let detail = wrong.to_owned();
            return Err(BusError::Refused {
                step: "connect",
                detail,
            });
        }
        let signals = Arc::new(Signals {
            refused: broadcast::channel(REFUSALS).0,
            changed: watch::channel(0).0,
            closed: CancellationToken::new(),
        });
        let servers: Vec<&str> = settings.servers.split(',').map(str::trim).collect();
        let connecting = options(&settings, &signals).connect(servers);
        let client = connecting.await.map_err(|error| not_connected(&error))?;
        let jetstream = ContextBuilder::new()
            .timeout(settings.deadline)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            settings,
            stop: CancellationToken::new(),
            signals,
            turns: Semaphore::new(EXCHANGES),
            malformed: AtomicU64::new(0),
        })
    }

    pub(super) fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }

    pub(super) fn count_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Stores a message. Ends when the server has confirmed.
    pub(super) async fn store(&self, stream: &str, outgoing: Outgoing) -> Result<(), BusError> {
        let headers = outgoing.headers(stream)?;
        let answer = self.ask("publish", &outgoing.subject, headers, outgoing.payload);
        answer::stored(&answer.await?.payload)
    }

    /// One call of JetStream's own interface, such as `STREAM.INFO.x`. `Ok(Err(…))` is the server's refusal.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        step: &'static str,
        call: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Result<T, jetstream::Error>, BusError> {
        let unreadable = |error: serde_json::Error| BusError::Unavailable {
            step,
            source: Box::new(error),
        };
        let payload = serde_json::to_vec(body).map_err(unreadable)?;
        let subject = format!("$JS.API.{call}");
        let answer = self.ask(step, &subject, HeaderMap::new(), payload.into()).await?;
        let response: jetstream::response::Response<T> =
            serde_json::from_slice(&answer.payload).map_err(unreadable)?;
        Ok(match response {
            jetstream::response::Response::Ok(value) => Ok(value),
            jetstream::response::Response::Err { error } => Err(error),
        })
    }

    /// Sends a message, without an answer.
    #[cfg(feature = "nats-callout")]
    pub(super) async fn tell(&self, subject: &str, payload: Vec<u8>) -> Result<(), BusError> {
        let sent = async {
            let sent = self.client.publish(subject.to_owned(), payload.into()).await;
            sent.map_err(|error| BusError::Unavailable {
                step: "answer",
                source: Box::new(error),
            })
        };
        self.exchange("answer", subject, sent).await
    }

    /// Messages of a subject, shared with all others in the group. It comes back with the connection.
    #[cfg(feature = "nats-callout")]
    pub(super) async fn queue(&self, subject: &str, group: &str) -> Result<async_nats::Subscriber, BusError> {
        let subscribed = async {
            let made = self
                .client
                .queue_subscribe(subject.to_owned(), group.to_owned())
                .await;
            made.map_err(|error| BusError::Unavailable {
                step: "subscribe",
                source: Box::new(error),
            })
        };
        self.exchange("subscribe", subject, subscribed).await
    }

    /// Sends a message and waits for its answer. A refusal ends it at once.
    pub(super) async fn ask(
        &self,
        step: &'static str,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, BusError> {
        // `timeout(None)`: the deadline below bounds the whole exchange, not its last part.
        let request = Request::new().headers(headers).payload(payload).timeout(None);
        let exchange = async {
            let sent = self.client.send_request(subject.to_owned(), request);
            sent.await.map_err(|error| not_answered(step, error))
        };
        self.exchange(step, subject, exchange).await
    }

    /// Bounds an exchange in number and time, waits for the connection first, and ends it at once when its subject is refused.
    pub(super) async fn exchange<T>(
        &self,
        step: &'static str,
        subject: &str,
        exchange: impl Future<Output = Result<T, BusError>> + Send,
    ) -> Result<T, BusError> {
        if self.stop.is_cancelled() {
            return Err(BusError::Unavailable {
                step,
                source: "the connection was closed".into(),
            });
        }
        let bounded = async {
            let _turn = self.turns.acquire().await;
            self.connected().await;
            // Listening begins before sending, so that no refusal is missed.
            let refused = self.signals.refused.subscribe();
            tokio::select! {
                biased;
                refused = self.refusal(refused, subject) => Err(BusError::Forbidden { step, subject: refused }),
                done = exchange => done,
            }
        };
        let late = || BusError::Unavailable {
            step,
            source: format!("no answer within {:?}", self.settings.deadline).into(),
        };
        timeout(self.settings.deadline, bounded)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// The subject that was refused, as soon as one is that stands in the way.
    async fn refusal(&self, mut refused: broadcast::Receiver<Arc<str>>, subject: &str) -> String {
        let inbox = self.settings.inbox_prefix();
        loop {
            match refused.recv().await {
                Ok(found) if violations::concerns(&found, subject, &inbox) => return found.to_string(),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn connected(&self) {
        let mut changed = self.signals.changed.subscribe();
        while !self.is_connected() {
            // The client drops events when it has many; a look now and then makes up for that.
            let _ = timeout(Duration::from_millis(100), changed.changed()).await;
        }
    }

    pub(super) async fn close(&self) {
        self.stop.cancel();
        // A client that is closed already can't be drained, which is what was wanted.
        if self.client.drain().await.is_ok() {
            let _ = timeout(self.settings.deadline, self.signals.closed.cancelled()).await;
        }
    }
}

fn options(settings: &NatsSettings, signals: &Arc<Signals>) -> ConnectOptions {
    let options = match &settings.credential {
        Credential::Nothing => ConnectOptions::new(),
        Credential::TokenFile(path) => with_token_file(path.clone()),
        Credential::NkeySeed(seed) => ConnectOptions::with_nkey(seed.expose_secret().to_owned()),
    };
    let options = match &settings.ca_file {
        Some(file) => options.add_root_certificates(file.clone()).require_tls(true),
        None => options,
    };
    let signals = Arc::clone(signals);
    options
        .name(&settings.name)
        .custom_inbox_prefix(settings.inbox_prefix())
        .connection_timeout(settings.deadline)
        .request_timeout(Some(settings.deadline))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| jittered(pause(attempts), uuid::Uuid::new_v4().as_u128()))
        .client_capacity(COMMANDS)
        .subscription_capacity(MESSAGES)
        // Addresses that a server tells are those of its own network; ours are given, and hold its certificate's names.
        .ignore_discovered_servers()
        .event_callback(move |event| {
            let signals = Arc::clone(&signals);
            async move { signals.hear(event) }
        })
}

fn with_token_file(path: PathBuf) -> ConnectOptions {
    ConnectOptions::with_auth_callback(move |_| {
        let path = path.clone();
        async move {
            let token = tokio::fs::read_to_string(&path).await;
            let token = token.map_err(|error| {
                async_nats::AuthError::new(format!("read the token in {}: {error}", path.display()))
            })?;
            let mut auth = async_nats::Auth::new();
            auth.token = Some(token.trim().to_owned());
            Ok(auth)
        }
    })
}

/// The pause before an attempt to connect; none before the first.
fn pause(attempts: usize) -> Duration {
    let (first, last) = PAUSES;
    match u32::try_from(attempts).unwrap_or(u32::MAX) {
        0 | 1 => Duration::ZERO,
        attempts => first.saturating_mul(1 << (attempts - 2).min(20)).min(last),
    }
}

/// Between half of a pause and all of it, so that the clients of a server that comes back do not all come at once.
fn jittered(pause: Duration, random: u128) -> Duration {
    let half = pause / 2;
    let rest = half.as_nanos().saturating_add(1);
    half + Duration::from_nanos(u64::try_from(random % rest).unwrap_or(0))
}

impl Signals {
    fn hear(&self, event: Event) {
        match event {
            Event::Connected | Event::Disconnected => {
                tracing::info!(%event, "event bus");
                self.changed.send_modify(|count| *count = count.wrapping_add(1));
            }
            Event::Closed => self.closed.cancel(),
            Event::ServerError(ServerError::Other(text)) => {
                if let Some(subject) = violations::refused_subject(&text) {
                    // Nobody may be waiting; then there is nobody to tell.
                    let _ = self.refused.send(Arc::from(subject));
                }
                tracing::warn!(%text, "the event bus complains");
            }
            Event::LameDuckMode
            | Event::Draining
            | Event::SlowConsumer(_)
            | Event::ServerError(ServerError::AuthorizationViolation | ServerError::SlowConsumer(_))
            | Event::ClientError(_) => tracing::warn!(%event, "event bus"),
        }
    }
}

fn not_connected(error: &async_nats::ConnectError) -> BusError {
    let detail = crate::error::chain(error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            BusError::Unauthenticated { detail }
        }
        ConnectErrorKind::ServerParse => BusError::Refused {
            step: "connect",
            detail,
        },
        ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Tls
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => BusError::Unavailable {
            step: "connect",
            source: detail.into(),
        },
    }
}

fn not_answered(step: &'static str, error: async_nats::RequestError) -> BusError {
    match error.kind() {
        RequestErrorKind::MaxPayloadExceeded | RequestErrorKind::InvalidSubject => BusError::Refused {
            step,
            detail: error.to_string(),
        },
        RequestErrorKind::TimedOut | RequestErrorKind::NoResponders | RequestErrorKind::Other => {
            BusError::Unavailable {
                step,
                source: Box::new(error),
            }
        }
    }
}

/// Waits a while, longer each time: what a reader does between attempts. Gives the next pause.
pub(super) async fn wait(pause: Duration) -> Duration {
    sleep(pause).await;
    pause.saturating_mul(2).min(PAUSES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_shortened_by_at_most_half() {
        let pause = Duration::from_secs(4);
        for (random, wanted) in [
            (0, 2_000),
            (1_000_000_000, 3_000),
            (2_000_000_000, 4_000),
            (2_000_000_001, 2_000),
        ] {
            assert_eq!(jittered(pause, random), Duration::from_millis(wanted));
        }
        assert_eq!(jittered(Duration::ZERO, 7), Duration::ZERO);
    }

    #[test]
    fn pauses_between_attempts_grow_to_a_bound() {
        let millis = [0, 1, 2, 3, 4, 100, usize::MAX].map(|attempts| pause(attempts).as_millis());
        assert_eq!(millis, [0, 0, 20, 40, 80, 4_000, 4_000]);
    }
}
