//! Asks the gateway on behalf of one run: input, model turns, web pages. Entry type: [`GatewayClient`].
//!
//! HTTP/1.1: over the run's own socket without TLS, or over TLS with the run's token. Steps are idempotent, so a broken connection is answered by asking for
//! the same step again; only new messages travel.

mod connection;
mod error;
mod event_stream;
#[cfg(test)]
mod tests;
mod transport;

pub use error::GatewayError;
pub use sympozium_core::run::GatewayEndpoint;

use crate::agent::{ModelClient, Turn, TurnEvent, TurnEvents, pause};
use async_trait::async_trait;
use bytes::Bytes;
use connection::{Connection, Idle};
use event_stream::EventStream;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{Accumulator, ChatResponse};
use sympozium_core::error::Classify;
use sympozium_core::gateway::{
    FetchRequest, FetchResponse, GatewayEvent, RetryNotice, RunInput, STEP_HEADER, TurnRequest,
};
use sympozium_core::ids::StepId;
use sympozium_core::llm::LlmError;
use tokio::time::Instant;

/// Largest answer that is read whole: a run input carries system prompt, task and tool schemas.
const MAX_DOCUMENT: usize = 8 << 20;

/// A client of one run's gateway. Clones share its connection.
#[derive(Clone)]
pub struct GatewayClient {
    endpoint: GatewayEndpoint,
    patience: Duration,
    idle: Arc<Idle>,
}

impl fmt::Debug for GatewayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayClient")
            .field("endpoint", &self.endpoint)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl GatewayClient {
    /// A client that keeps asking when the gateway is away or does not know the run yet: for two minutes on this machine,
    /// longer than a restart takes; for ten in a cluster, where the run's pod has to be noted first, possibly by an operator
    /// that is being replaced. The run's own deadline ends it in any case.
    pub fn new(endpoint: GatewayEndpoint) -> Self {
        let patience = match endpoint {
            GatewayEndpoint::Unix(_) => Duration::from_mins(2),
            GatewayEndpoint::Tls(_) => Duration::from_mins(10),
        };
        Self {
            endpoint,
            patience,
            idle: Arc::default(),
        }
    }

    /// How long a gateway that is away or not ready is asked again.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What the run is to do. Waits while the gateway does not know the run yet.
    pub async fn run_input(&self) -> Result<RunInput, GatewayError> {
        let until = Instant::now() + self.patience;
        let mut attempt = 1;
        loop {
            match self.document(Method::GET, "/v1/run", Bytes::new()).await {
                Err(error) => tokio::time::sleep(Self::next_pause(error, attempt, until)?).await,
                Ok(input) => return Ok(input),
            }
            attempt += 1;
        }
    }

    /// Fetches a web page. One attempt: the model decides whether to ask again.
    pub async fn fetch(&self, page: &FetchRequest) -> Result<FetchResponse, GatewayError> {
        self.document(Method::POST, "/v1/fetch", encode(page)?).await
    }

    /// How long to wait before the next attempt; the error when there is none.
    fn next_pause(error: GatewayError, attempt: u32, until: Instant) -> Result<Duration, GatewayError> {
        pause(error.retry(), attempt)
            .filter(|pause| Instant::now() + *pause < until)
            .ok_or(error)
    }

    /// Sends a request, over the connection of the last one if it is there still.
    ///
    /// The gateway closes connections that wait for long, possibly just now. What it can't have seen is sent again; and
    /// so is what may be `repeated`, without a word: no time was lost.
    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        repeated: bool,
    ) -> Result<(Connection, http::Response<Incoming>), GatewayError> {
        if let Some(mut connection) = self.idle.take().await {
            match connection.send(request.clone()).await {
                Ok(answer) => return Ok((connection, answer)),
                Err(failed) if failed.unsent || repeated => {}
                Err(failed) => return Err(failed.error),
            }
        }
        let mut connection = Connection::open(&self.endpoint).await?;
        match connection.send(request).await {
            Ok(answer) => Ok((connection, answer)),
            Err(failed) => Err(failed.error),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        step: Option<&StepId>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, GatewayError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, transport::host(&self.endpoint));
        if let Some(authorization) = transport::authorization(&self.endpoint)? {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(step) = step {
            request = request
                .header(STEP_HEADER, step.as_str())
                .header(header::ACCEPT, "text/event-stream");
        }
        request
            .body(Full::new(body))
            .map_err(|error| GatewayError::Protocol {
                detail: format!("the request can't be made: {error}"),
            })
    }

    /// Reads an answer whole, after which the connection is free again.
    async fn whole(&self, mut connection: Connection, mut body: Incoming) -> Result<Bytes, GatewayError> {
        let whole = connection.collect(&mut body, MAX_DOCUMENT).await?;
        self.idle.keep(connection, body);
        Ok(whole)
    }

    async fn document<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, GatewayError> {
        let repeated = method == Method::GET;
        let request = self.request(method, path, None, body)?;
        let (connection, answer) = self.exchange(request, repeated).await?;
        let status = answer.status();
        let body = self.whole(connection, answer.into_body()).await?;
        if !status.is_success() {
            return Err(problem(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| GatewayError::Protocol {
            detail: format!("the answer to {path} is not understood: {error}"),
        })
    }

    /// One attempt at a turn.
    async fn attempt(
        &self,
        step: &StepId,
        body: Bytes,
        events: &mut (dyn FnMut(TurnEvent) + Send),
    ) -> Result<ChatResponse, GatewayError> {
        let request = self.request(Method::POST, "/v1/chat", Some(step), body)?;
        let (connection, answer) = self.exchange(request, true).await?;
        if !answer.status().is_success() {
            let status = answer.status();
            let body = self.whole(connection, answer.into_body()).await?;
            return Err(problem(status, &body));
        }
        let mut stream = EventStream::new(connection, answer.into_body());
        let mut whole = Accumulator::default();
        while let Some(event) = stream.next().await? {
            match event {
                GatewayEvent::Chat(event) => {
                    whole.push(&event);
                    events(TurnEvent::Chat(event));
                    if whole.is_done() {
                        break;
                    }
                }
                GatewayEvent::Retry(notice) => {
                    whole = Accumulator::default();
                    events(TurnEvent::Retry(notice));
                }
                GatewayEvent::Problem(problem) => return Err(GatewayError::Problem(Box::new(problem))),
            }
        }
        let answer = whole.finish().ok_or(GatewayError::Broken {
            detail: "the stream ended before the answer was complete".to_owned(),
        })?;
        let (connection, rest) = stream.into_parts();
        self.idle.keep(connection, rest);
        Ok(answer)
    }
}

#[async_trait]
impl ModelClient for GatewayClient {
    async fn turn(&self, turn: Turn<'_>, events: TurnEvents<'_>) -> Result<ChatResponse, LlmError> {
        let body = encode(&turn_request(&turn)).map_err(GatewayError::into_llm)?;
        let mut until = Instant::now() + self.patience;
        let mut attempt = 1;
        loop {
            let mut heard = false;
            let result = {
                let mut hear = |event| {
                    heard = true;
                    events(event);
                };
                self.attempt(&turn.call.step, body.clone(), &mut hear).await
            };
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if heard {
                // The gateway was there: patience begins anew.
                (until, attempt) = (Instant::now() + self.patience, attempt.min(4));
            }
            let detail = sympozium_core::error::chain(&error);
            let pause = Self::next_pause(error, attempt, until).map_err(GatewayError::into_llm)?;
            events(TurnEvent::Retry(RetryNotice {
                attempt,
                after_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                detail,
            }));
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

fn turn_request(turn: &Turn<'_>) -> TurnRequest {
    TurnRequest {
        base: turn.call.base,
        messages: turn.call.messages.clone(),
        system: turn.system.map(str::to_owned),
        tools: turn.tools.to_vec(),
        tool_choice: turn.call.tool_choice.clone(),
        shorten: turn.call.shorten,
        max_tokens: None,
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Bytes, GatewayError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| GatewayError::Protocol {
            detail: format!("the request can't be written as JSON: {error}"),
        })
}

fn problem(status: StatusCode, body: &[u8]) -> GatewayError {
    match serde_json::from_slice(body) {
        Ok(problem) => GatewayError::Problem(Box::new(problem)),
        Err(_) => GatewayError::Unexplained {
            status: status.as_u16(),
        },
    }
}
