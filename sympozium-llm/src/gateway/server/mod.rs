//! Serving a gateway on a socket: who gets in, how many at once, and how it ends.

mod connection;
mod socket;
mod tls;

pub(super) use connection::Peer;
pub use socket::RunSocket;
pub use tls::{ServerTls, TlsSetupError};

use super::{Gateway, routes};
use axum::Router;
use connection::{Connection, Listening};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::error::{Classify, Retry};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many connections in a row may fail to be accepted, with a pause after each.
const FAILURES: u32 = 100;
/// The pause after a connection that could not be accepted: usually the process has too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a gateway could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Somebody answers on that socket already.
    #[error("the socket {} is in use", .path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The socket could not be made.
    #[error("make the socket {}", .path.display())]
    Bind {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No connection can be accepted any more.
    #[error("accept a connection, for the {attempts}th time")]
    Accept {
        /// How often in a row it failed.
        attempts: u32,
        /// Why, the last time.
        #[source]
        source: io::Error,
    },
}

impl Classify for ServeError {
    fn retry(&self) -> Retry {
        match self {
            Self::InUse { .. } | Self::Bind { .. } => Retry::Never,
            Self::Accept { .. } => Retry::Backoff,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "in-use",
            Self::Bind { .. } => "bind",
            Self::Accept { .. } => "accept",
        }
    }
}

impl Gateway {
    /// Binds a socket ([`RunSocket::bind`]) and serves it until `cancel`, then removes it. Whoever comes in on it is
    /// known by `listener_name`.
    pub async fn serve_unix(
        &self,
        path: &Path,
        listener_name: &str,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        self.serve_socket(RunSocket::bind(path)?, listener_name, cancel)
            .await
    }

    /// Serves a bound socket until `cancel`, then removes it. Connections have a moment to end; turns go on without
    /// them ([`Gateway::drain`]).
    pub async fn serve_socket(
        &self,
        socket: RunSocket,
        listener_name: &str,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        let router = routes::router(self, Some(listener_name.into()));
        self.serve(&Listening::Unix(&socket.listener), router, cancel)
            .await
    }

    /// Serves a TCP listener until `cancel`. Callers are known by their bearer token. There is no TLS here: use a
    /// loopback address, or put TLS in front.
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        self.serve(&Listening::Tcp(&listener), routes::router(self, None), cancel)
            .await
    }

    /// Serves a TCP listener over TLS until `cancel`, with a certificate that is read again when its files change.
    /// Callers are known by their bearer token. Skills have their way out here, if there is one ([`GatewayBuilder::proxy`]).
    /// Health and metrics are not shown here: [`serve_health`](Self::serve_health).
    ///
    /// [`GatewayBuilder::proxy`]: super::GatewayBuilder::proxy
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        tls: &ServerTls,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        let following = cancel.child_token();
        let listening = Listening::Tls(&listener, tls.acceptor());
        let router = routes::runs_router(self);
        let serving = async {
            let ended = self.serve(&listening, router, cancel).await;
            following.cancel();
            ended
        };
        let (ended, ()) = tokio::join!(serving, tls.follow(following.clone()));
        ended
    }

    /// Serves health and metrics alone, without TLS and without credentials, for whoever watches over the gateway.
    pub async fn serve_health(
        &self,
        listener: TcpListener,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        self.serve(&Listening::Tcp(&listener), routes::health_router(self), cancel)
            .await
    }

    async fn serve(
        &self,
        listening: &Listening<'_>,
        router: Router,
        cancel: CancellationToken,
    ) -> Result<(), ServeError> {
        let limits = &self.inner.parts.limits;
        let free = Arc::new(Semaphore::new(limits.max_connections));
        let mut connections = JoinSet::new();
        let mut failures = 0;
        let stopped = cancel.child_token();
        let ended = loop {
            while connections.try_join_next().is_some() {}
            let next = async {
                let permit = Arc::clone(&free)
                    .acquire_owned()
                    .await
                    .map_err(io::Error::other)?;
                Ok((listening.accept().await?, permit))
            };
            let accepted: io::Result<_> = tokio::select! {
                accepted = next => accepted,
                () = cancel.cancelled() => break Ok(()),
            };
            match accepted {
                Ok((stream, permit)) => {
                    failures = 0;
                    let connection = Connection {
                        accepted: stream,
                        permit,
                        router: router.clone(),
                        gateway: self.clone(),
                    };
                    connections.spawn(connection.serve(stopped.clone()));
                }
                Err(source) if failures + 1 >= FAILURES => {
                    break Err(ServeError::Accept {
                        attempts: FAILURES,
                        source,
                    });
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        stopped.cancel();
        while connections.join_next().await.is_some() {}
        ended
    }
}
