//! The small programs of a run: the agent's ([`runner`]) and the executors' ([`toolbox`]).
//!
//! Each is a function, so that the `sympozium` command can start itself in their place. They take their configuration
//! from a file (`--config`), never from the environment: an agent must not be able to change what its own programs do.
//!
//! | Argument | Meaning |
//! | --- | --- |
//! | `--config FILE` | the configuration, as JSON |
//! | `--end-with-stdin` | end when standard input does: whoever started it is gone |
//!
//! SIGTERM and SIGINT ask to end. What is told on standard error is for people.

mod arguments;
#[cfg(feature = "runner")]
pub mod runner;
mod stop;
#[cfg(feature = "toolbox")]
pub mod toolbox;

use std::ffi::OsString;
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

/// The exit code for a wrong command line or configuration.
const BAD_INPUT: u8 = 2;

/// On how many threads a program works.
#[derive(Debug, Clone, Copy)]
enum Threads {
    /// On its first one: for a program that does one thing after the other. Handing work from thread to thread would
    /// cost it more than the work itself.
    #[cfg(feature = "runner")]
    One,
    /// On a few: for a program that has something to watch while it works.
    #[cfg(feature = "toolbox")]
    Few,
}

impl Threads {
    fn runtime(self) -> std::io::Result<Runtime> {
        let mut builder = match self {
            #[cfg(feature = "runner")]
            Self::One => Builder::new_current_thread(),
            #[cfg(feature = "toolbox")]
            Self::Few => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(2);
                builder
            }
        };
        builder.enable_all().build()
    }
}

/// Runs a program of a run: reads its configuration, then works until its end or until it is asked to stop.
fn start<C, W, F>(
    (name, threads): (&str, Threads),
    arguments: impl Iterator<Item = OsString>,
    work: W,
) -> ExitCode
where
    C: serde::de::DeserializeOwned,
    W: FnOnce(C, tokio_util::sync::CancellationToken) -> F,
    F: Future<Output = u8>,
{
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .try_init()
        // A program that has this one as a subcommand may log already.
        .unwrap_or_default();
    let run = || -> anyhow::Result<u8> {
        let arguments = arguments::Arguments::parse(arguments)?;
        let config = arguments.read_config()?;
        let runtime = threads.runtime()?;
        let code = runtime.block_on(async {
            let cancel = stop::when_asked(arguments.end_with_stdin)?;
            anyhow::Ok(work(config, cancel).await)
        });
        // A thread may still wait for a file or for standard input; nothing is lost with it.
        runtime.shutdown_background();
        code
    };
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!("{name}: {error:#}");
            ExitCode::from(BAD_INPUT)
        }
    }
}
