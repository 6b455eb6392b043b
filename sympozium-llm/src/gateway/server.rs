//! Serving a gateway on a socket: who gets in, how many at once, and how it ends.

use super::{Gateway, GatewayLimits, routes};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};
use sympozium_core::error::{Classify, Retry};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;
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

/// A Unix socket that is bound and waits to be served. Connections made meanwhile wait too.
///
/// Only its owner may connect (mode 0600). Dropping it removes the file.
#[derive(Debug)]
pub struct RunSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl RunSocket {
    /// Binds a socket at `path`. A file that a killed gateway left there is replaced; a socket on which somebody
    /// answers is not. Needs a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Bind {
            path: path.to_owned(),
            source,
        };
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ServeError::InUse {
                path: path.to_owned(),
            });
        }
        let listener = bind_privately(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }
}

/// The socket appears at its place with its permissions: made in a folder that nobody else can enter, then moved.
fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    let id = Uuid::new_v4().simple().to_string();
    let short = id.get(..8).unwrap_or(&id);
    let folder = path.with_file_name(format!(".{short}"));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    let _ = fs::remove_file(&made);
    fs::remove_dir(&folder)?;
    bound
}

impl Drop for RunSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the socket's file was gone already");
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
                        stream,
                        permit,
                        router: router.clone(),
                    };
                    connections.spawn(connection.serve(limits.clone(), stopped.clone()));
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

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Listening<'a> {
    Unix(&'a UnixListener),
    Tcp(&'a TcpListener),
}

impl Listening<'_> {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                // Events are small, and each should leave at once.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

struct Connection {
    stream: Box<dyn Stream>,
    permit: OwnedSemaphorePermit,
    router: Router,
}

impl Connection {
    /// Answers requests until the client goes away, or until `stopped`: then what is under way has a moment to end.
    async fn serve(self, limits: GatewayLimits, stopped: CancellationToken) {
        let Self {
            stream,
            permit,
            router,
        } = self;
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(limits.receive)
            .max_buf_size(MAX_HEAD);
        let mut connection =
            pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(limits.drain, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
        drop(permit);
    }
}
