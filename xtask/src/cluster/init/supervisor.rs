//! Starts programs, waits for all that end (also for orphans: this is process 1), and starts the lasting ones again.
//!
//! Only one thread waits, since a wait for any process would steal the end from whoever waits for one. Entry:
//! [`Supervisor`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{WaitOptions, wait};

use super::super::components::Component;
use super::super::files;
use super::super::layout::HERE;
use super::super::state::{Phase, Running, State};

/// Before a program that ended is started again.
const PAUSE: Duration = Duration::from_millis(300);

/// A program that came to its end is looked for this often while nothing runs.
const IDLE: Duration = Duration::from_millis(20);

/// The programs, and what is known of them.
pub(super) struct Supervisor {
    cgroup: String,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// By process number: who runs, and who waits for it.
    waiters: BTreeMap<i32, Waiter>,
}

enum Waiter {
    Lasting(Component),
    /// Gets whether the program ended with 0.
    Once(Sender<bool>),
}

impl Supervisor {
    /// Begins to wait for whatever ends.
    pub(super) fn start(cgroup: String) -> anyhow::Result<Arc<Self>> {
        let logs = Path::new(HERE).join("log");
        std::fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
        let supervisor = Arc::new(Self {
            cgroup,
            inner: Mutex::new(Inner {
                state: State {
                    phase: Phase::Starting(String::new()),
                    components: BTreeMap::new(),
                },
                waiters: BTreeMap::new(),
            }),
        });
        let reaper = Arc::clone(&supervisor);
        std::thread::spawn(move || reaper.reap());
        Ok(supervisor)
    }

    /// Publishes how far the cluster is.
    pub(super) fn says(&self, phase: Phase) -> anyhow::Result<()> {
        let mut inner = self.lock();
        inner.state.phase = phase;
        inner.publish()
    }

    /// Starts a lasting program, with its output in a log of its own.
    pub(super) fn launch(&self, component: Component) -> anyhow::Result<()> {
        let mut command = clean(&component.program());
        let log = log_file(component.name())?;
        command
            .args(component.arguments(&self.cgroup))
            .stdout(log.try_clone().context("share a log file")?)
            .stderr(log);
        // Under the lock, so that the end cannot be seen before the start is noted.
        let mut inner = self.lock();
        let child = command
            .spawn()
            .with_context(|| format!("start {}", component.name()))?;
        let pid = i32::try_from(child.id()).context("read a process number")?;
        inner.waiters.insert(pid, Waiter::Lasting(component));
        let restarts = inner
            .state
            .components
            .get(&component)
            .map_or(0, |before| before.restarts + 1);
        inner
            .state
            .components
            .insert(component, Running { pid, restarts });
        inner.publish()
    }

    /// Runs a program to its end; an error when that was not 0, with what it last said.
    pub(super) fn finish(&self, words: &[String]) -> anyhow::Result<()> {
        let (program, arguments) = words.split_first().context("there is no program to run")?;
        let path = Path::new(HERE).join("log/probe.log");
        let log = File::create(&path).context("create the log of the probes")?;
        let mut command = clean(program);
        command
            .args(arguments)
            .stdout(log.try_clone().context("share a log file")?)
            .stderr(log);
        let ended = self
            .spawn_once(&mut command)
            .with_context(|| format!("start {program}"))?;
        if ended.recv().unwrap_or(false) {
            return Ok(());
        }
        let said = std::fs::read_to_string(&path).unwrap_or_default();
        bail!("{}", said.lines().last().unwrap_or("it said nothing"))
    }

    fn spawn_once(&self, command: &mut Command) -> anyhow::Result<Receiver<bool>> {
        let (sender, receiver) = channel();
        let mut inner = self.lock();
        let child = command.spawn()?;
        inner
            .waiters
            .insert(i32::try_from(child.id())?, Waiter::Once(sender));
        Ok(receiver)
    }

    fn reap(self: &Arc<Self>) {
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    self.ended(pid.as_raw_nonzero().get(), status.exit_status() == Some(0));
                }
                // No child at all.
                Ok(None) | Err(_) => std::thread::sleep(IDLE),
            }
        }
    }

    fn ended(self: &Arc<Self>, pid: i32, well: bool) {
        match self.lock().waiters.remove(&pid) {
            Some(Waiter::Once(waiter)) => {
                let _ = waiter.send(well);
            }
            Some(Waiter::Lasting(component)) => {
                let again = Arc::clone(self);
                std::thread::spawn(move || {
                    std::thread::sleep(PAUSE);
                    if let Err(error) = again.launch(component) {
                        eprintln!("{} was not started again: {error:#}", component.name());
                    }
                });
            }
            // An orphan, which nobody asked about.
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn publish(&self) -> anyhow::Result<()> {
        files::write_json(&Path::new(HERE).join("state.json"), &self.state)
    }
}

/// A command that inherits nothing of the caller's: no variables, no input.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", HERE)
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

fn log_file(name: &str) -> anyhow::Result<File> {
    let path = Path::new(HERE).join("log").join(format!("{name}.log"));
    let mut options = File::options();
    options
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))
}
