//! `sympozium-ipc-bridge`: between a run's mailbox and the event bus.
//!
//! | Option | Environment | Meaning |
//! | --- | --- | --- |
//! | `--ipc-path` | `IPC_PATH` | the mailbox's root; default `/ipc` |
//! | `--namespace` | `NAMESPACE` | the run's namespace |
//! | `--instance` | `INSTANCE_NAME` | the run's instance |
//! | `--agent-run-id` | `AGENT_RUN_ID` | the run's UID |
//! | `--run-name` | `RUN_NAME` | the run's name, for people |
//! | `--pod-uid` | `SYMPOZIUM_POD_UID` | the pod's UID, by which the inbox on the bus is named |
//! | `--event-bus-url` | `EVENT_BUS_URL` | `tls://HOST:PORT`, or `nats://HOST:PORT` for a server of one's own |
//! | `--token-file` | `EVENT_BUS_TOKEN_FILE` | the file with the token for the bus; without it none is shown |
//! | `--ca-file` | `EVENT_BUS_CA_FILE` | the file with the only certificates that may vouch for the bus |
//! | `--executor` | | a pack, or `sandbox`; may be repeated |
//! | `--grace-seconds` | `GRACE_SECONDS` | how long it may take to send what is left after SIGTERM; default 630 |
//! | `--termination-message` | `TERMINATION_MESSAGE_PATH` | where it is said what could not be sent; default `/dev/termination-log` |
//!
//! `SYMPOZIUM_TERMINATION_MESSAGE_BYTES` bounds that message; default 1024.

mod late_bus;
mod settings;

use super::{BAD_INPUT, Threads, start_logging, stop};
use late_bus::LateBus;
use settings::Settings;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use sympozium_core::bridge::{Bridge, BridgeError};
use sympozium_core::bus::EventBus;
use sympozium_core::error::chain;
use sympozium_core::ipc::LostEvents;

/// The exit code when something was left unsent.
const EVENTS_LOST: u8 = 3;

/// Runs with the process's own arguments and environment.
pub fn main() -> ExitCode {
    with_arguments(std::env::args_os().skip(1))
}

/// Runs with these arguments, for programs that have it as a subcommand.
pub fn with_arguments(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    start_logging();
    let work = || -> anyhow::Result<_> {
        let settings = Settings::read(arguments, |name| std::env::var_os(name))?;
        let runtime = Threads::One.runtime()?;
        let ended = runtime.block_on(async {
            let stop = stop::when_asked(false)?;
            // Before the bus is asked: whatever is written meanwhile is found.
            let bridge = Bridge::open(settings.bridge)?;
            tracing::info!("ready");
            let bus = Arc::new(LateBus::new(settings.bus));
            let shared: Arc<dyn EventBus> = Arc::<LateBus>::clone(&bus);
            let ended = bridge.serve(shared, &stop).await;
            bus.close().await;
            anyhow::Ok(ended)
        });
        runtime.shutdown_background();
        ended
    };
    match work() {
        Ok(ended) => ExitCode::from(code(ended)),
        Err(error) => {
            tracing::error!("sympozium-ipc-bridge: {error:#}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn code(ended: Result<LostEvents, BridgeError>) -> u8 {
    match ended {
        Ok(lost) if lost.events_lost == 0 => 0,
        Ok(lost) => {
            tracing::error!(events = lost.events_lost, first = ?lost.files.first(), "not everything could be sent");
            EVENTS_LOST
        }
        Err(error) => {
            tracing::error!("the bridge ended: {}", chain(&error));
            1
        }
    }
}
