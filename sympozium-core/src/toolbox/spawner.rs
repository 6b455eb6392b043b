//! The thread that starts commands.
//!
//! What a thread has given up holds for what it starts and not for other threads. So commands can be kept from the
//! executor's own folders, and from the executor itself, while it goes on using them.

use crate::confine::{ConfineError, FileRules, restrict_files};
use std::io;
use std::sync::mpsc;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A command, and who waits for it to be started.
type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts commands. The thread ends with it, and commands do not.
#[derive(Debug)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

/// Why there is no thread that can start commands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnerError {
    /// The system has no thread for it.
    #[error("start the thread that starts commands")]
    Thread(#[source] io::Error),
    /// Commands could not be kept from what is not theirs.
    #[error("restrict what commands can reach")]
    Confine(#[source] ConfineError),
}

impl Spawner {
    /// Starts the thread and waits until its restrictions hold. Needs a runtime, which waits for the commands.
    pub(super) async fn start(rules: Option<FileRules>) -> Result<Self, SpawnerError> {
        let (orders, ordered) = mpsc::channel::<Order>();
        let (report, ready) = oneshot::channel();
        let runtime = Handle::current();
        let work = move || {
            let restricted = rules.as_ref().map(restrict_files).transpose();
            let fine = restricted.is_ok();
            // Whoever started this thread may be gone, and then there are no orders either.
            let _ = report.send(restricted);
            let _runtime = runtime.enter();
            while let Ok((mut command, answer)) = ordered.recv() {
                if fine {
                    let _ = answer.send(command.spawn());
                }
            }
        };
        let thread = std::thread::Builder::new().name("spawner".to_owned());
        thread.spawn(work).map_err(SpawnerError::Thread)?;
        let restricted = ready
            .await
            .map_err(|_| SpawnerError::Thread(io::Error::other("it ended")))?;
        if restricted.map_err(SpawnerError::Confine)? == Some(None) {
            tracing::warn!("this kernel has no Landlock: commands can reach all that their executor can");
        }
        Ok(Self { orders })
    }

    /// Starts a command.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts commands is gone");
        let (answer, started) = oneshot::channel();
        self.orders.send((command, answer)).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}
