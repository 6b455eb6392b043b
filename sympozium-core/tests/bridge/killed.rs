//! A bridge that is killed at any point has each effect once.
//!
//! The bridge is this test program itself, told by an environment variable to work instead of testing. Its bus is here, at
//! the other end of a socket, and outlives it.

use crate::place::{config, until};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use sympozium_core::bridge::Bridge;
use sympozium_core::bus::{BusError, Delivery, Envelope, EventBus, Subscription};
use sympozium_core::error::BoxError;
use sympozium_core::ids::RunUid;
use sympozium_core::ipc::mailbox::write_json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Where the child's run is.
const CHILD: &str = "SYMPOZIUM_TEST_BRIDGE_OF_CHILD";
const RUN: RunUid = RunUid(Uuid::from_u128(7));
/// How many messages and how many chunks there are.
const FILES: usize = 150;

/// A bus at the other end of a socket: a line for each event, and a line back.
struct SocketBus {
    socket: PathBuf,
    connected: AsyncMutex<Option<tokio::io::BufReader<tokio::net::UnixStream>>>,
}

impl SocketBus {
    async fn exchange(&self, envelope: &Envelope) -> Result<(), BoxError> {
        let mut connected = self.connected.lock().await;
        if connected.is_none() {
            let socket = tokio::net::UnixStream::connect(&self.socket).await?;
            *connected = Some(tokio::io::BufReader::new(socket));
        }
        let socket = connected.as_mut().ok_or("it is not connected")?;
        let mut line = serde_json::to_vec(envelope)?;
        line.push(b'\n');
        socket.write_all(&line).await?;
        let mut answer = String::new();
        socket.read_line(&mut answer).await?;
        if answer.is_empty() {
            Err("it is gone".into())
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl EventBus for SocketBus {
    async fn publish(&self, envelope: Envelope) -> Result<(), BusError> {
        self.exchange(&envelope)
            .await
            .map_err(|source| BusError::Unavailable {
                step: "publish",
                source,
            })
    }

    async fn subscribe(
        &self,
        _: Subscription,
    ) -> Result<BoxStream<'static, Result<Delivery, BusError>>, BusError> {
        Ok(stream::pending().boxed())
    }
}

/// What the bus has been told: how often each id came, and what it was first.
#[derive(Default)]
struct Told {
    events: BTreeMap<String, (usize, Value)>,
    /// How many came in all.
    count: usize,
}

/// Serves bridges, one after the other. A bridge is killed when that many events have come: before the answer, or after it.
fn serve(listener: &UnixListener, told: &Arc<Mutex<Told>>, child: &Arc<Mutex<Option<(Child, usize, bool)>>>) {
    for socket in listener.incoming() {
        let socket: UnixStream = socket.unwrap();
        let mut answers = socket.try_clone().unwrap();
        for line in BufReader::new(socket).lines() {
            let Ok(line) = line else { break };
            let Ok(event) = serde_json::from_str::<Value>(&line) else {
                break;
            };
            let count = {
                let mut told = told.lock().unwrap();
                let id = event["id"].as_str().unwrap().to_owned();
                told.count += 1;
                told.events.entry(id).or_insert((0, event)).0 += 1;
                told.count
            };
            let mut child = child.lock().unwrap();
            let dies = child
                .as_ref()
                .filter(|(_, at, _)| count >= *at)
                .map(|(_, _, first)| *first);
            if dies != Some(true) {
                let _ = answers.write_all(b"ok\n");
            }
            if dies.is_some()
                && let Some((mut child, ..)) = child.take()
            {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
        }
    }
}

fn start(folder: &Path) -> Child {
    let this = ["--exact", "killed::each_file_has_its_effect_once", "--nocapture"];
    Command::new(std::env::current_exe().unwrap())
        .args(this)
        .env(CHILD, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn be_the_bridge(folder: &Path) {
    let bus = SocketBus {
        socket: folder.join("bus.sock"),
        connected: AsyncMutex::default(),
    };
    let bridge = Bridge::open(config(folder.join("ipc"), RUN)).unwrap();
    bridge
        .serve(Arc::new(bus), &CancellationToken::new())
        .await
        .unwrap();
}

/// Numbers that look random and are the same each time.
fn next(seed: &mut u64) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 40).unwrap()
}

fn write_files(folder: &Path) {
    let at = |name: &str| folder.join("ipc").join(name);
    for n in 0..FILES {
        let message = json!({"channel": "c", "text": n.to_string()});
        write_json(&at("messages"), &format!("send-{n}.json"), &message).unwrap();
        let chunk = json!({"type": "text", "index": n});
        write_json(&at("output"), &format!("stream-{n}.json"), &chunk).unwrap();
    }
    write_json(&at("output"), "result.json", &json!({"status": "success"})).unwrap();
}

async fn kill_again_and_again(mut seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (told, child) = (Arc::new(Mutex::new(Told::default())), Arc::new(Mutex::new(None)));
    let listener = UnixListener::bind(folder.path().join("bus.sock")).unwrap();
    let (seen, killed) = (Arc::clone(&told), Arc::clone(&child));
    std::thread::spawn(move || serve(&listener, &seen, &killed));
    drop(Bridge::open(config(folder.path().join("ipc"), RUN)).unwrap());
    write_files(folder.path());
    for _ in 0..6 {
        let at = told.lock().unwrap().count + 1 + next(&mut seed) % 40;
        *child.lock().unwrap() = Some((start(folder.path()), at, next(&mut seed) % 2 == 0));
        until("it is killed", || child.lock().unwrap().is_none()).await;
    }
    let mut last = start(folder.path());
    let left = |name: &str| {
        let files = folder.path().join("ipc").join(name).read_dir().unwrap().flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().ends_with(".json"))
            .count()
    };
    until("all are sent", || left("messages") == 0 && left("output") == 1).await;
    until("all are answered", || left("receipts") == FILES).await;
    last.kill().unwrap();
    last.wait().unwrap();
    let told = told.lock().unwrap();
    assert_eq!(
        told.events.len(),
        2 * FILES + 1,
        "each file has one id, however often it was sent"
    );
    assert!(
        told.events.values().any(|(times, _)| *times > 1),
        "some were sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_has_its_effect_once() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return be_the_bridge(Path::new(&folder)).await;
    }
    for seed in 1..=4 {
        kill_again_and_again(seed).await;
    }
}
