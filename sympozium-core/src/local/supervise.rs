//! From a run whose processes work to the end of the last one.

use super::begin::begin;
use super::bridge::OpenBridge;
use super::executor::Shared;
use super::process::{Ended, Launch, Process};
use super::result::{RESULT, read_result};
use super::walled::Walled;
use super::{LocalEvent, LocalProcess, tree};
use crate::error::chain;
use crate::ids::RunUid;
use crate::ipc::AgentResult;
use crate::ipc::mailbox::OpenFolder;
use crate::run::{ResultMetrics, ResultStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long an executor may take to end its command and itself.
const TOOLBOX_GRACE: Duration = Duration::from_secs(3);
/// How often an executor that ended by itself is started again.
const RESTARTS: u32 = 3;

/// What is said of a run whose holder was ended under it.
const LOST: &str = "The process that keeps the run's mailbox and workspace was ended, and they went with it.";

/// How a run is ended from outside.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops {
    /// Asks the agent to stop; after its grace it is killed.
    pub(super) ask: CancellationToken,
    /// Kills at once.
    pub(super) kill: CancellationToken,
}

/// A run whose processes work.
pub(super) struct Started {
    pub(super) shared: Arc<Shared>,
    pub(super) run: RunUid,
    pub(super) runner: Process,
    pub(super) toolboxes: Toolboxes,
    pub(super) bridge: OpenBridge,
    pub(super) walled: Option<Walled>,
}

/// The executors of a run.
#[derive(Default)]
pub(super) struct Toolboxes {
    keepers: JoinSet<()>,
    end: CancellationToken,
}

impl Toolboxes {
    /// Keeps an executor that was started alive.
    pub(super) fn keep(&mut self, keeper: Keeper, first: Process) {
        self.keepers.spawn(keeper.keep(first, self.end.clone()));
    }

    pub(super) async fn end(mut self) {
        self.end.cancel();
        while self.keepers.join_next().await.is_some() {}
    }
}

/// How the agent ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) exit_code: i32,
    pub(super) result: Option<AgentResult>,
}

fn tell_end(shared: &Shared, run: RunUid, process: &LocalProcess, ended: &Ended) {
    let event = LocalEvent::Ended {
        process: process.clone(),
        exit_code: ended.exit_code,
        complaint: ended.complaint.clone(),
    };
    shared.events.on(run, event);
}

impl Started {
    /// Waits for the agent's end, or brings it about; then ends everything else.
    pub(super) async fn finish(mut self, stops: &Stops) -> End {
        let (run, shared) = (self.run, Arc::clone(&self.shared));
        let bridge_stops = CancellationToken::new();
        let output = self.bridge.output();
        let bridge = self.bridge.serve(&bridge_stops);
        tokio::pin!(bridge);
        let mut bridged = None;
        let mut grace = shared.settings.grace;
        tokio::select! {
            _ = self.runner.ended() => grace = Duration::ZERO,
            () = stops.kill.cancelled() => {}
            () = stops.ask.cancelled() => {}
            // Nobody hears what the agent still says.
            () = holder_lost(self.walled.as_mut()) => grace = Duration::ZERO,
            // Without a bridge the agent would wait for answers that never come.
            result = &mut bridge => bridged = Some(result),
        }
        let ending = end_runner(self.runner, grace, stops);
        tokio::pin!(ending);
        // What the agent still says while it ends is heard.
        let ended = loop {
            tokio::select! {
                ended = &mut ending => break ended,
                result = &mut bridge, if bridged.is_none() => bridged = Some(result),
            }
        };
        tell_end(&shared, run, &LocalProcess::Runner, &ended);
        bridge_stops.cancel();
        let bridged = match bridged {
            Some(result) => result,
            None => bridge.await,
        };
        self.toolboxes.end().await;
        shared.gateway.close(run).await;
        let result = result_of(&shared, run, &output);
        let lost = take_down(&shared, run, self.walled).await;
        // It can't panic, and there is nobody to tell if it is not let run any more.
        let _ = tokio::task::spawn_blocking(move || tree::end_marked(run)).await;
        if lost {
            return End::lost();
        }
        if let Err(error) = bridged {
            shared.events.on(run, LocalEvent::Fault(chain(&error)));
        }
        End {
            exit_code: ended.exit_code,
            result,
        }
    }

    /// Kills everything, for a run that could not be started wholly.
    pub(super) async fn abort(self) {
        let stops = Stops::default();
        stops.kill.cancel();
        Box::pin(self.finish(&stops)).await;
    }
}

impl End {
    /// The end of a run whose holder was ended under it.
    fn lost() -> Self {
        Self {
            exit_code: 1,
            result: Some(AgentResult {
                status: ResultStatus::Error,
                response: String::new(),
                error: Some(LOST.to_owned()),
                metrics: ResultMetrics::default(),
                limit: None,
            }),
        }
    }
}

/// Waits until the holder has ended, which it does not do by itself; without one, for ever.
async fn holder_lost(walled: Option<&mut Walled>) {
    match walled {
        Some(walled) => walled.holder.ended().await,
        None => std::future::pending().await,
    }
}

/// Ends the holder and what else is left. Returns whether the holder had ended before.
async fn take_down(shared: &Shared, run: RunUid, walled: Option<Walled>) -> bool {
    let Some(mut walled) = walled else { return false };
    let lost = walled.holder.has_ended();
    if walled.is_out_of_memory() {
        let said = "the run has used all of its memory, and the kernel has killed processes of it".to_owned();
        shared.events.on(run, LocalEvent::Fault(said));
    }
    if let Some(trouble) = walled.take_down().await {
        shared.events.on(run, LocalEvent::Fault(trouble));
    }
    lost
}

/// Asks an agent to stop and gives it that time, unless it is to be killed; without any time, it has ended already.
async fn end_runner(mut runner: Process, grace: Duration, stops: &Stops) -> Ended {
    if !grace.is_zero() && !stops.kill.is_cancelled() {
        runner.ask_to_end();
        tokio::select! {
            _ = runner.ended() => {}
            () = sleep(grace) => {}
            () = stops.kill.cancelled() => {}
        }
    }
    runner.end(Duration::ZERO).await
}

/// The result that the agent left; told and left out when it can't be used.
fn result_of(shared: &Shared, run: RunUid, output: &OpenFolder) -> Option<AgentResult> {
    read_result(output).unwrap_or_else(|reason| {
        let name = RESULT.to_owned();
        shared.events.on(run, LocalEvent::Rejected { name, reason });
        None
    })
}

/// Keeps one executor alive until it is to end.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) run: RunUid,
    pub(super) process: LocalProcess,
    pub(super) launch: Launch,
}

impl Keeper {
    async fn keep(self, first: Process, end: CancellationToken) {
        let mut current = first;
        for restart in 0.. {
            tokio::select! {
                () = end.cancelled() => {
                    current.ask_to_end();
                    let ended = current.end(TOOLBOX_GRACE).await;
                    return tell_end(&self.shared, self.run, &self.process, &ended);
                }
                _ = current.ended() => {}
            }
            let ended = current.end(Duration::ZERO).await;
            tell_end(&self.shared, self.run, &self.process, &ended);
            if restart == RESTARTS {
                return;
            }
            match begin(&self.shared, self.run, &self.process, &self.launch) {
                Ok(next) => current = next,
                Err(error) => {
                    self.shared.events.on(self.run, LocalEvent::Fault(chain(&error)));
                    return;
                }
            }
        }
    }
}
