//! Ctrl-C and requests to end.

use crate::cli::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears the signals that mean "end".
pub(in crate::cli) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Begins to hear them; from now on they no longer end the process by themselves.
    pub(in crate::cli) fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format!("Signals can't be heard: {error}."));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Waits for the next one.
    pub(in crate::cli) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
