//! A server on this machine that plays the other side of one wire conversation after another.

mod contract;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::LlmProvider;
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::{ProviderRegistry, ProviderSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// How long a condition may take to come true.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// What the server does on a connection once it has read a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes, and closes.
    Send(Vec<u8>),
    /// Sends these bytes, and then nothing more until the client goes away.
    Hang(Vec<u8>),
    /// Sends these bytes, and breaks the connection.
    Reset(Vec<u8>),
    /// Sends these bytes, and repeats the second ones for as long as the client takes them.
    Flood(Vec<u8>, Vec<u8>),
}

/// The server. Each connection gets the next act; the last one is kept.
pub(crate) struct Peer {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    gone: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    pub(crate) async fn playing(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (sender, gone) = watch::channel(0);
        let (seen, acts) = (Arc::clone(&requests), acts.into_iter().collect::<Vec<_>>());
        let task = tokio::spawn(async move {
            let mut acts = acts.into_iter().peekable();
            while let Ok((mut socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let request = read_request(&mut socket).await;
                seen.lock().unwrap().push(request);
                let act = acts.next().unwrap();
                if acts.peek().is_none() {
                    acts = vec![act.clone()].into_iter().peekable();
                }
                if play(socket, act).await {
                    sender.send_modify(|count| *count += 1);
                }
            }
        });
        Self {
            port,
            requests,
            gone,
            task,
        }
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until a client went away before everything was said.
    pub(crate) async fn client_is_gone(&mut self) {
        let gone = self.gone.wait_for(|count| *count > 0);
        tokio::time::timeout(DEADLINE, gone)
            .await
            .expect("the client stays")
            .unwrap();
    }

    /// Waits until a request arrived.
    pub(crate) async fn is_asked(&self) {
        let asked = async {
            while self.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, asked).await.expect("nobody asks");
    }

    /// A provider that has this server for its own.
    pub(crate) fn provider(&self, name: &str, path: &str) -> Arc<dyn LlmProvider> {
        self.provider_with(
            name,
            path,
            AddressRules::public_only().allow("127.0.0.1", self.port),
        )
    }

    pub(crate) fn provider_with(&self, name: &str, path: &str, rules: AddressRules) -> Arc<dyn LlmProvider> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let settings = ProviderSettings {
            base_url: Some(Url::parse(&url).unwrap()),
            api_key: Some("sk-canary".into()),
            ..ProviderSettings::new(ProviderName::new(name).unwrap())
        };
        let client = GuardedClient::new(rules).unwrap();
        ProviderRegistry::standard().build(settings, &client).unwrap()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// True when the client went away first.
async fn play(mut socket: TcpStream, act: Act) -> bool {
    match act {
        Act::Send(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
            false
        }
        Act::Hang(bytes) => {
            let _ = socket.write_all(&bytes).await;
            matches!(socket.read(&mut [0; 1]).await, Ok(0) | Err(_))
        }
        Act::Reset(bytes) => {
            let _ = socket.write_all(&bytes).await;
            // Closing now resets the connection.
            socket.set_zero_linger().unwrap();
            false
        }
        Act::Flood(first, again) => {
            let _ = socket.write_all(&first).await;
            while socket.write_all(&again).await.is_ok() {}
            true
        }
    }
}

/// An answer with these header lines and body, closed by its end.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// The head of a stream that ends with the connection.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";

/// A stream in chunks of that many bytes.
pub(crate) fn chunked(body: &str, size: usize) -> Vec<u8> {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            .to_vec();
    for piece in body.as_bytes().chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
