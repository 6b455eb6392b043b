//! When a small program is asked to end: by a signal, or because whoever started it is gone.

use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by SIGTERM, SIGINT, and, if wanted, the end of standard input.
///
/// Needs a tokio runtime; the task that waits for signals ends with the program.
pub(super) fn when_asked(end_with_stdin: bool) -> std::io::Result<CancellationToken> {
    let cancel = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let asked = cancel.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = asked.cancelled() => {}
        }
        asked.cancel();
    });
    if end_with_stdin {
        let gone = cancel.clone();
        // A thread of its own: reading can't be given up, and must not keep the runtime from ending.
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut buffer = [0; 64];
            // Whatever is said there is not meant for anybody.
            while let Ok(1..) = input.read(&mut buffer) {}
            gone.cancel();
        });
    }
    Ok(cancel)
}
