//! HTTP/1.1 connections to the gateway: [`Connection`], and [`Idle`], which keeps one for the next request.
//!
//! Whoever waits for an answer moves the connection's bytes meanwhile. Without a task of its own a request is on its way
//! before anything else is done, and nothing has to wake anybody up.

use super::transport::{self, Stream};
use super::{GatewayEndpoint, GatewayError};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How long the rest of an answer that said all may take to come, before its connection is given up.
const REST: Duration = Duration::from_millis(20);

/// Moves the bytes of a connection; `None` when it has ended.
type Mover = Option<Box<http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>>>;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    mover: Mover,
}

/// A request that got no answer.
pub(super) struct Unanswered {
    pub(super) error: GatewayError,
    /// Not a byte of it was sent, so that it can't have had an effect.
    pub(super) unsent: bool,
}

impl Connection {
    pub(super) async fn open(endpoint: &GatewayEndpoint) -> Result<Self, GatewayError> {
        let socket = transport::open(endpoint).await?;
        let (sender, mover) = handshake(TokioIo::new(socket)).await.map_err(broken)?;
        Ok(Self {
            sender,
            mover: Some(Box::new(mover)),
        })
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let answer = self.sender.try_send_request(request);
        drive(&mut self.mover, answer)
            .await
            .map_err(|mut error| Unanswered {
                unsent: error.take_message().is_some(),
                error: broken(error.into_error()),
            })
    }

    /// The next piece of an answer's body; `None` at its end.
    pub(super) async fn frame(&mut self, body: &mut Incoming) -> Result<Option<Frame<Bytes>>, GatewayError> {
        let frame = drive(&mut self.mover, body.frame()).await;
        frame.transpose().map_err(broken)
    }

    /// Reads a body of at most `max` bytes.
    pub(super) async fn collect(&mut self, body: &mut Incoming, max: usize) -> Result<Bytes, GatewayError> {
        let mut all = BytesMut::new();
        while let Some(frame) = self.frame(body).await? {
            if let Some(data) = frame.data_ref() {
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
}

/// Awaits `work`, which waits for something that comes through the connection.
async fn drive<T>(mover: &mut Mover, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if let Some(moving) = mover
            && pin!(moving).poll(context).is_ready()
        {
            // What went wrong there is seen by the one who sends or reads.
            *mover = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// The connection that waits for the next request, and the rest of the last answer on it.
#[derive(Default)]
pub(super) struct Idle(Mutex<Option<(Connection, Incoming)>>);

impl Idle {
    /// Keeps a connection. Of several, as after requests at the same time, one is kept.
    pub(super) fn keep(&self, connection: Connection, rest: Incoming) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((connection, rest));
    }

    /// The kept connection, if it is of use still.
    pub(super) async fn take(&self) -> Option<Connection> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (mut connection, mut rest) = kept?;
        let whole = async {
            // Trailing bytes of a proper end are few; whoever sends more is not listened to.
            connection.collect(&mut rest, 1024).await.ok()?;
            drive(&mut connection.mover, connection.sender.ready()).await.ok()
        };
        tokio::time::timeout(REST, whole).await.ok()??;
        Some(connection)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as `map_err(broken)`")]
pub(super) fn broken(error: hyper::Error) -> GatewayError {
    GatewayError::Broken {
        detail: sympozium_core::error::chain(&error),
    }
}
