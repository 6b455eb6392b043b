//! One HTTP/1.1 connection to the gateway, for one request. A Unix socket makes a new one in microseconds.

use super::{GatewayEndpoint, GatewayError};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with this value.
    _mover: JoinSet<()>,
}

impl Connection {
    pub(super) async fn open(endpoint: &GatewayEndpoint) -> Result<Self, GatewayError> {
        let GatewayEndpoint::Unix(path) = endpoint;
        let socket = UnixStream::connect(path)
            .await
            .map_err(|source| GatewayError::Connect {
                at: path.display().to_string(),
                source,
            })?;
        let (sender, connection) = handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let mut mover = JoinSet::new();
        mover.spawn(async move {
            // What goes wrong here is seen by the one who sends or reads.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            _mover: mover,
        })
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, GatewayError> {
        self.sender.send_request(request).await.map_err(broken)
    }
}

/// Reads a body of at most `max` bytes.
pub(super) async fn collect(mut body: Incoming, max: usize) -> Result<Bytes, GatewayError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.map_err(broken)?.data_ref() {
            if all.len() + data.len() > max {
                return Err(GatewayError::Protocol {
                    detail: format!("the answer is larger than {max} bytes"),
                });
            }
            all.extend_from_slice(data);
        }
    }
    Ok(all.freeze())
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as `map_err(broken)`")]
pub(super) fn broken(error: hyper::Error) -> GatewayError {
    GatewayError::Broken {
        detail: sympozium_core::error::chain(&error),
    }
}
