//! The model behind the gateway, and how it is asked: directly, and through the gateway.

use crate::process::millis;
use crate::serve::Settings;
use crate::wire::{LAST_CHUNK, STREAMING, Server, ask, chunk, request};
use anyhow::Context;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use sympozium_core::chat::{Message, ToolChoice};
use sympozium_core::gateway::TurnRequest;

/// A fake model that speaks Chat Completions on a port of this machine.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) port: u16,
    /// The size of the last request's body.
    size: Arc<AtomicUsize>,
    _server: Server,
}

impl Model {
    /// One that answers at once. With `ends` false it never ends what it has begun to say.
    pub(super) fn start(ends: bool) -> anyhow::Result<Self> {
        let size = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&size);
        let answer = answer(ends).into_bytes();
        let (server, port) = Server::tcp(move |request| {
            seen.store(request.body.len(), Ordering::Relaxed);
            answer.clone()
        })?;
        Ok(Self {
            port,
            size,
            _server: server,
        })
    }

    /// How large the request was that came last.
    pub(super) fn last_size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// A connection that is kept, as the gateway keeps its own.
    pub(super) fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).context("connect to the model")?;
        stream.set_nodelay(true).context("send at once")?;
        Ok(stream)
    }
}

fn answer(ends: bool) -> String {
    let piece = |delta: &str, finish: &str| {
        let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#);
        let data = format!(
            r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{choice}]}}"#
        );
        chunk(&format!("data: {data}\n\n"))
    };
    let mut text = STREAMING.to_owned();
    text.push_str(&piece(r#"{"role":"assistant","content":"A "}"#, "null"));
    if ends {
        for _ in 0..8 {
            text.push_str(&piece(r#"{"content":"word "}"#, "null"));
        }
        text.push_str(&piece("{}", r#""stop""#));
        text.push_str(&chunk("data: [DONE]\n\n"));
        text.push_str(LAST_CHUNK);
    }
    text
}

/// A request for the next turn of a run, as the runner would send it.
pub(super) fn turn(base: usize, text: String) -> anyhow::Result<Vec<u8>> {
    let turn = TurnRequest {
        base: u32::try_from(base).context("too many messages")?,
        messages: vec![Message::user(text)],
        system: Some("Answer briefly.".to_owned()),
        tools: Vec::new(),
        tool_choice: ToolChoice::default(),
        shorten: None,
        max_tokens: None,
    };
    let body = serde_json::to_vec(&turn).context("write a turn as JSON")?;
    let (base, json) = (format!("turn-{base}"), "application/json");
    let headers = [("content-type", json), ("idempotency-key", base.as_str())];
    Ok(request("POST /v1/chat", &headers, &body))
}

/// Milliseconds until the first byte of the answer through the gateway, on a connection of its own as runners have it.
pub(super) fn through(settings: &Settings, run: usize, turn: &[u8]) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut stream = UnixStream::connect(settings.socket(run)).context("connect to the gateway")?;
    let first = ask(&mut stream, turn)?;
    Ok(millis(first.saturating_duration_since(begun)))
}

/// Milliseconds until the first byte of the answer to a request of that size, without a gateway.
pub(super) fn direct(stream: &mut TcpStream, size: usize) -> anyhow::Result<f64> {
    let json = ("content-type", "application/json");
    let request = request("POST /v1/chat/completions", &[json], &vec![b' '; size]);
    let begun = Instant::now();
    let first = ask(stream, &request)?;
    Ok(millis(first.saturating_duration_since(begun)))
}
