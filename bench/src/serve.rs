//! A gateway in a process of its own, so that its memory and its core are its own too: this program, started again.
//!
//! It serves one socket per run, asks a fake model at an address, and ends when its standard input does. Entry: [`start`]
//! for the bench, [`main`] for the process.

use crate::process::Process;
use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use sympozium_core::ids::ProviderName;
use sympozium_core::store::sql::SqlStore;
use sympozium_llm::gateway::{Gateway, ListenerAuth, RunSocket, Stores};
use sympozium_llm::http::{AddressRules, GuardedClient};
use sympozium_llm::providers::ProviderFactory;
use sympozium_llm::providers::ProviderSettings;
use sympozium_llm::providers::openai::ChatCompletions;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The first argument of this program when it is to be a gateway; a file with its [`Settings`] follows.
pub(crate) const ARGUMENT: &str = "serve-a-gateway";
/// Open files of a gateway with a thousand streams: a listener, a client and a connection to the model each.
const OPEN_FILES: u64 = 8192;

/// What the gateway is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Where its sockets and its database are.
    pub(crate) folder: PathBuf,
    /// The port of the fake model on this machine.
    pub(crate) model: u16,
    /// How many runs it serves.
    pub(crate) runs: usize,
    /// It uses one processor core alone.
    pub(crate) one_core: bool,
}

impl Settings {
    /// The socket of a run.
    pub(crate) fn socket(&self, run: usize) -> PathBuf {
        self.folder.join(format!("{run}.sock"))
    }
}

/// Starts a gateway and waits until it serves.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<Process> {
    let file = settings.folder.join("settings.json");
    std::fs::write(&file, serde_json::to_vec(settings)?).context("write a gateway's settings")?;
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.arg(ARGUMENT).arg(file).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    let output = process.child().stdout.take().context("the gateway's output")?;
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .context("wait for the gateway")?;
    if line != "ready\n" {
        bail!("the gateway did not start");
    }
    Ok(process)
}

/// Lets this process have many open files, as far as the machine allows.
pub(crate) fn allow_open_files() -> anyhow::Result<()> {
    let hard = getrlimit(Resource::Nofile).maximum;
    let current = Some(hard.map_or(OPEN_FILES, |hard| hard.min(OPEN_FILES)));
    let limit = Rlimit {
        current,
        maximum: hard,
    };
    setrlimit(Resource::Nofile, limit).context("allow many open files")
}

/// The gateway's process.
pub(crate) fn main(file: &Path) -> anyhow::Result<()> {
    let settings: Settings = serde_json::from_slice(&std::fs::read(file).context("read the settings")?)?;
    allow_open_files()?;
    if settings.one_core {
        keep_to_one_core()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = CancellationToken::new();
    let (gateway, mut serving) = runtime.block_on(serve(&settings, &stop))?;
    println!("ready");
    // Nothing is said there; its end says that the bench is done, or gone.
    let _ = std::io::stdin().read(&mut [0]);
    stop.cancel();
    runtime.block_on(async {
        while serving.join_next().await.is_some() {}
        gateway.drain().await;
    });
    Ok(())
}

fn keep_to_one_core() -> anyhow::Result<()> {
    let allowed = sched_getaffinity(None).context("find the cores")?;
    let first = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core));
    let mut one = CpuSet::new();
    one.set(first.context("there is no core")?);
    sched_setaffinity(None, &one).context("keep to one core")
}

async fn serve(settings: &Settings, stop: &CancellationToken) -> anyhow::Result<(Gateway, JoinSet<()>)> {
    let name = ProviderName::new("fake")?;
    let url = Url::parse(&format!("http://127.0.0.1:{}/v1", settings.model))?;
    let client = GuardedClient::new(AddressRules::public_only().allow_url(&url))?;
    let mut provider = ProviderSettings::new(name.clone());
    provider.base_url = Some(url);
    let provider = ChatCompletions::COMPATIBLE.build(provider, &client)?;
    let store = SqlStore::sqlite(&settings.folder.join("sympozium.db")).await?;
    let runs = Arc::new(ListenerAuth::default());
    let gateway = Gateway::builder()
        .provider(name, provider)
        .stores(Stores::all(Arc::new(store)))
        .authenticate(runs.clone())
        .build()?;
    let mut serving = JoinSet::new();
    for run in 0..settings.runs {
        let mut plan = crate::runs::plan();
        plan.limits.max_turns = 1_000;
        runs.register(run.to_string(), Arc::new(plan));
        let socket = RunSocket::bind(&settings.socket(run))?;
        let (gateway, stop) = (gateway.clone(), stop.clone());
        serving.spawn(async move {
            // A listener that fails is seen by whoever connects to it.
            let _ = gateway.serve_socket(socket, &run.to_string(), stop).await;
        });
    }
    Ok((gateway, serving))
}
