//! `cluster up`: makes a cluster, or finds that it is there.

use std::io::PipeReader;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::layout::{API_PORT, API_SERVICE, CONFIG_FILES, NODE_ADDRESS, NODE_NAME};
use super::place::Place;
use super::record::Record;
use super::request::{Mode, Order};
use super::state::{Phase, State};
use super::{binary, cgroup, down, files, needs};
use crate::{repo, stage};

/// Brings a cluster up and waits until it is ready. With an owner it ends as soon as the other end of that pipe closes;
/// without one it stays until `down`.
pub(crate) fn up(place: &Place, mode: Mode, owner: Option<PipeReader>) -> anyhow::Result<()> {
    let start = Instant::now();
    needs::ensure(mode)?;
    let programs = binary::ensure()?;
    let _lock = down::lock(place)?;
    if is_up(place, mode)? {
        println!("the cluster {} is up already", place.name());
        return Ok(());
    }
    down::remove(place)?;
    let order = Order {
        mode,
        dir: place.dir().to_path_buf(),
        programs,
        cgroup: place.cgroup(),
        owned: owner.is_some(),
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port for the API server")?;
    prepare(place, &order, &listener)?;
    let mut first = spawn(place, listener, owner)?;
    wait_until_ready(place, &mut first)?;
    stage::line(&format!("cluster {} up", place.name()), start.elapsed(), "ok");
    Ok(())
}

/// Whether it runs and is what was asked for. A full cluster serves who wanted a control plane alone.
fn is_up(place: &Place, mode: Mode) -> anyhow::Result<bool> {
    let runs = Record::read(&place.record())?.is_some_and(|record| record.is_alive());
    let state: Option<State> = files::read_json(&place.state())?;
    if !runs || state.is_none_or(|state| state.phase != Phase::Ready) {
        return Ok(false);
    }
    let order: Option<Order> = files::read_json(&place.request())?;
    if mode == Mode::Full && order.is_some_and(|order| order.mode == Mode::ControlPlane) {
        bail!(
            "the cluster {0} runs without a node; end it first: cargo xtask cluster down --name {0}",
            place.name()
        );
    }
    Ok(true)
}

/// Writes all files that the cluster starts from.
fn prepare(place: &Place, order: &Order, listener: &TcpListener) -> anyhow::Result<()> {
    for folder in ["log", "images", "config/cni", "etcd"] {
        make_dir(&place.dir().join(folder))?;
    }
    for (name, content) in CONFIG_FILES {
        let path = place.dir().join("config").join(name);
        std::fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    files::write_json(&place.request(), order)?;
    let port = listener.local_addr().context("read the free port")?.port();
    let mut credentials = kubebin(order, "credentials");
    credentials
        .arg("--folder")
        .arg(place.dir().join("pki"))
        .arg("--admin-kubeconfig")
        .arg(place.kubeconfig())
        .arg(format!("--server=https://{NODE_ADDRESS}:{API_PORT}"))
        .arg(format!("--outside-server=https://127.0.0.1:{port}"))
        .args([
            format!("--node={NODE_NAME}"),
            format!("--address={NODE_ADDRESS}"),
            format!("--service-ip={API_SERVICE}"),
        ]);
    repo::stdout_of(&mut credentials)?;
    match order.mode {
        Mode::ControlPlane => Ok(()),
        Mode::Full => prepare_node(place, order),
    }
}

fn prepare_node(place: &Place, order: &Order) -> anyhow::Result<()> {
    cgroup::create(&order.cgroup)?;
    let mut images = kubebin(order, "testimages");
    images
        .arg("--folder")
        .arg(place.dir().join("images"))
        .arg("--pause")
        .arg(order.programs.join("pause"))
        .args(["--busybox", needs::BUSYBOX])
        .args(["--architecture", oci_architecture()]);
    repo::stdout_of(&mut images).map(drop)
}

/// What images call this machine's architecture.
fn oci_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn kubebin(order: &Order, component: &str) -> Command {
    let mut command = Command::new(order.programs.join("kubebin"));
    command.arg(component);
    command
}

/// Starts the first process, which then is on its own.
fn spawn(place: &Place, listener: TcpListener, owner: Option<PipeReader>) -> anyhow::Result<Child> {
    let log = std::fs::File::create(place.logs().join("init.log"))
        .context("create the log of the first process")?;
    // By its process, not by its path: while tests run, cargo may put another program there.
    let own = format!("/proc/{}/exe", std::process::id());
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "--",
        ])
        .arg(own)
        .args(["cluster", "init"])
        .arg(place.request())
        .current_dir("/")
        // Ctrl-C is meant for the command on the terminal, not for the cluster it made.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(owner.map_or_else(Stdio::null, |pipe| Stdio::from(OwnedFd::from(pipe))))
        .stderr(log);
    command.spawn().context("start the first process of the cluster")
}

/// The first process gives up by itself when something takes too long, so there is no deadline here.
fn wait_until_ready(place: &Place, first: &mut Child) -> anyhow::Result<()> {
    loop {
        let ended = first.try_wait().context("look at the first process")?;
        let state: Option<State> = files::read_json(&place.state())?;
        match state.map(|state| state.phase) {
            Some(Phase::Ready) => return Ok(()),
            Some(Phase::Failed(why)) => bail!("{why}\nthe logs are in {}", place.logs().display()),
            Some(Phase::Starting(_)) | None => {}
        }
        if ended.is_some() {
            let log = std::fs::read_to_string(place.logs().join("init.log")).unwrap_or_default();
            bail!("the first process of the cluster ended: {}", log.trim());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn make_dir(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))
}
