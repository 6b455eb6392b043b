//! The first process of a cluster: process 1 of its own process, mount, network, IPC and host name namespaces.
//!
//! It lays out the namespaces, starts the programs in order, starts them again when they end, and forwards one port. It
//! holds no way to stop: killing it makes the kernel end everything in its namespaces. Entry: [`run`].

mod forward;
mod mounts;
mod network;
mod probe;
mod supervisor;

use std::io::Read;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::files;
use super::plan::{self, Step};
use super::record::Record;
use super::request::Order;
use super::state::Phase;
use supervisor::Supervisor;

/// How long one condition may take to come true. On an idle machine none takes more than five seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// Runs the cluster that the order in this file describes. Standard input is the listener whose connections go to the API
/// server; it was opened outside, so it is reachable there.
pub(super) fn run(order: &Path) -> anyhow::Result<()> {
    let order: Order = files::read_json(order)?.context("there is no order")?;
    // `/proc` is still the one from outside, so it shows the number by which others know this process.
    let outside = std::fs::read_link("/proc/self").context("read the own process number")?;
    let pid = outside
        .to_string_lossy()
        .parse()
        .context("read the own process number")?;
    files::write_json(&order.dir.join("init.json"), &Record::of(pid)?)?;
    let listener = inherited_listener()?;
    end_with_owner(&order)?;

    mounts::arrange(&order)?;
    network::arrange()?;
    let supervisor = Supervisor::start(order.cgroup.clone())?;
    forward::start(listener)?;
    match bring_up(&supervisor, &order) {
        Ok(()) => supervisor.says(Phase::Ready)?,
        Err(error) => {
            supervisor.says(Phase::Failed(format!("{error:#}")))?;
            return Err(error);
        }
    }
    loop {
        std::thread::park();
    }
}

fn inherited_listener() -> anyhow::Result<TcpListener> {
    let descriptor = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("take over the listener")?;
    Ok(TcpListener::from(descriptor))
}

/// When the owner ends, however it ends, its side of the pipe closes.
fn end_with_owner(order: &Order) -> anyhow::Result<()> {
    if !order.owned {
        return Ok(());
    }
    let descriptor = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .context("take over the pipe")?;
    let mut pipe = std::fs::File::from(descriptor);
    std::thread::spawn(move || {
        // Nobody writes: it returns at the end.
        let _ = pipe.read(&mut [0]);
        std::process::exit(0);
    });
    Ok(())
}

fn bring_up(supervisor: &Arc<Supervisor>, order: &Order) -> anyhow::Result<()> {
    for step in plan::steps(order.mode) {
        match step {
            Step::Start(component) => supervisor.launch(component)?,
            Step::Await(condition) => {
                supervisor.says(Phase::Starting(condition.what.to_owned()))?;
                let start = Instant::now();
                while let Err(error) = probe::holds(supervisor, &condition.probe) {
                    if start.elapsed() > PATIENCE {
                        bail!(
                            "after {} s it is not so that {}: {error:#}",
                            PATIENCE.as_secs(),
                            condition.what
                        );
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
    Ok(())
}
