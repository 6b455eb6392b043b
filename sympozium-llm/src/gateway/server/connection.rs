//! One connection, from its acceptance to its end.

use crate::gateway::{Gateway, proxy};
use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// The address that a request came from, where there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where connections come from.
pub(super) enum Listening<'a> {
    Unix(&'a UnixListener),
    Tcp(&'a TcpListener),
    Tls(&'a TcpListener, TlsAcceptor),
}

/// A connection that nothing was said on.
pub(super) enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream, IpAddr),
    Tls(TcpStream, IpAddr, TlsAcceptor),
}

impl Listening<'_> {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        let tcp = async |listener: &TcpListener| {
            let (stream, peer) = listener.accept().await?;
            // Events are small, and each should leave at once.
            stream.set_nodelay(true)?;
            io::Result::Ok((stream, peer.ip()))
        };
        Ok(match self {
            Self::Unix(listener) => Accepted::Unix(listener.accept().await?.0),
            Self::Tcp(listener) => {
                let (stream, peer) = tcp(listener).await?;
                Accepted::Tcp(stream, peer)
            }
            Self::Tls(listener, acceptor) => {
                let (stream, peer) = tcp(listener).await?;
                Accepted::Tls(stream, peer, acceptor.clone())
            }
        })
    }
}

impl Accepted {
    /// The bytes of requests, who sends them, and whether tunnels are to be had.
    async fn open(self) -> io::Result<Open> {
        Ok(match self {
            Self::Unix(stream) => Open {
                stream: Box::new(stream),
                peer: None,
                tunnels: false,
            },
            Self::Tcp(stream, peer) => Open {
                stream: Box::new(stream),
                peer: Some(peer),
                tunnels: false,
            },
            Self::Tls(stream, peer, acceptor) => Open {
                stream: Box::new(acceptor.accept(stream).await?),
                peer: Some(peer),
                tunnels: true,
            },
        })
    }
}

struct Open {
    stream: Box<dyn Stream>,
    peer: Option<IpAddr>,
    tunnels: bool,
}

pub(super) struct Connection {
    pub(super) accepted: Accepted,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) router: Router,
    pub(super) gateway: Gateway,
}

impl Connection {
    /// Answers requests until the client goes away, or until `stopped`: then what is under way has a moment to end.
    pub(super) async fn serve(self, stopped: CancellationToken) {
        let Self {
            accepted,
            permit,
            router,
            gateway,
        } = self;
        let limits = gateway.inner.parts.limits.clone();
        let opened = tokio::select! {
            opened = tokio::time::timeout(limits.receive, accepted.open()) => opened,
            () = stopped.cancelled() => return,
        };
        let Open {
            stream,
            peer,
            tunnels,
        } = match opened {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
            Err(_) => return tracing::debug!("a handshake took too long"),
        };
        let routes = Arc::new(TowerToHyperService::new(router));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (gateway, routes) = (gateway.clone(), Arc::clone(&routes));
            async move { Ok::<_, Infallible>(answer(&gateway, &routes, peer, tunnels, request).await) }
        });
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(limits.receive)
            .max_buf_size(MAX_HEAD);
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
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

/// CONNECT has no path, so it is answered before paths are looked at.
async fn answer(
    gateway: &Gateway,
    routes: &TowerToHyperService<Router>,
    peer: Option<IpAddr>,
    tunnels: bool,
    mut request: hyper::Request<Incoming>,
) -> Response {
    if request.method() == http::Method::CONNECT && tunnels {
        return proxy::connect(gateway, peer, request).await;
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(Peer(peer));
    }
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
