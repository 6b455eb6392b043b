//! How a client connects, and connects again; and what its connection tells those who wait.

use super::settings::{Credential, NatsSettings};
use super::violations;
use crate::bus::BusError;
use async_nats::{ConnectErrorKind, ConnectOptions, Event, ServerError};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// The most refusals that are told to those who wait and not yet heard; who misses one waits for its deadline.
const REFUSALS: usize = 256;
/// Pauses between attempts to connect: from the first to the last, doubled each time.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(4));
/// The most commands that wait for the connection.
const COMMANDS: usize = 2_048;
/// The most messages that wait for the reader of one subscription.
const MESSAGES: usize = 1_024;

/// What the connection's events tell those who wait.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) refused: broadcast::Sender<Arc<str>>,
    /// Counts changes of the connection; closed is told apart, because it is the last.
    pub(super) changed: watch::Sender<u64>,
    pub(super) closed: CancellationToken,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            refused: broadcast::channel(REFUSALS).0,
            changed: watch::channel(0).0,
            closed: CancellationToken::new(),
        }
    }

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

/// How the client connects, connects again, and tells what happens.
pub(super) fn options(settings: &NatsSettings, signals: &Arc<Signals>) -> ConnectOptions {
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

pub(super) fn not_connected(error: &async_nats::ConnectError) -> BusError {
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
