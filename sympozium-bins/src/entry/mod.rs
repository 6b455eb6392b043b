//! The small programs of a run: the agent's ([`runner`]), the executors' ([`toolbox`]), and those that have a command line
//! of their own: the launcher of sandboxes ([`sandbox`]) and a pod's bridge to the bus ([`bridge`]).
//!
//! Each is a function, so that the `sympozium` command can start itself in their place. Runner and executor take their
//! configuration from a file or their arguments, never from the environment: an agent must not be able to change what its
//! own programs do.
//!
//! | Argument | Meaning |
//! | --- | --- |
//! | `--config FILE` | the configuration, as JSON |
//! | `--config-json PART` | the same, in one or more parts |
//! | `--end-with-stdin` | end when standard input does: whoever started it is gone |
//!
//! SIGTERM and SIGINT ask to end. What is told on standard error is for people.

#[cfg(any(feature = "runner", feature = "toolbox"))]
mod arguments;
#[cfg(feature = "bridge")]
pub mod bridge;
#[cfg(any(feature = "bridge", feature = "toolbox"))]
mod options;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(any(feature = "runner", feature = "toolbox", feature = "bridge"))]
mod stop;
#[cfg(feature = "toolbox")]
pub mod toolbox;

#[cfg(any(feature = "runner", feature = "toolbox"))]
use std::{ffi::OsString, process::ExitCode};
#[cfg(any(feature = "runner", feature = "toolbox", feature = "bridge"))]
use tokio::runtime::{Builder, Runtime};

/// The exit code for a wrong command line or configuration.
#[cfg(any(
    feature = "runner",
    feature = "toolbox",
    feature = "bridge",
    not(target_os = "linux")
))]
const BAD_INPUT: u8 = 2;

/// On how many threads a program works.
#[cfg(any(feature = "runner", feature = "toolbox", feature = "bridge"))]
#[derive(Debug, Clone, Copy)]
enum Threads {
    /// On its first one: for a program that does one thing after the other. Handing work from thread to thread would
    /// cost it more than the work itself.
    One,
    /// On a few: for a program that has something to watch while it works.
    #[cfg(feature = "toolbox")]
    Few,
}

#[cfg(any(feature = "runner", feature = "toolbox", feature = "bridge"))]
impl Threads {
    fn runtime(self) -> std::io::Result<Runtime> {
        let mut builder = match self {
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

/// Logs to standard error, for people.
#[cfg(any(feature = "runner", feature = "toolbox", feature = "bridge"))]
fn start_logging() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .try_init()
        // A program that has this one as a subcommand may log already.
        .unwrap_or_default();
}

/// Runs a program of a run: gives up what it does not need, reads its configuration, then works until its end or until it
/// is asked to stop.
///
/// Giving up comes before anything that others wrote is read, and before there are threads.
#[cfg(any(feature = "runner", feature = "toolbox"))]
fn start<C, W, F>(
    (name, threads): (&str, Threads),
    arguments: impl Iterator<Item = OsString>,
    give_up: fn() -> anyhow::Result<()>,
    work: W,
) -> ExitCode
where
    C: serde::de::DeserializeOwned,
    W: FnOnce(C, tokio_util::sync::CancellationToken) -> F,
    F: Future<Output = u8>,
{
    start_logging();
    if let Err(error) = give_up() {
        tracing::error!("{name}: {error:#}");
        return ExitCode::FAILURE;
    }
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
