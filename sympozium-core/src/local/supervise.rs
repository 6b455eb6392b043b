//! From the start of a run's processes to the end of the last one.

use super::bridge::{Bridge, OpenBridge};
use super::executor::Shared;
use super::files::Files;
use super::fit::executors;
use super::place::Place;
use super::process::{Ended, Launch, Process};
use super::result::{RESULT, read_result};
use super::walled::{self, Walled};
use super::{LocalEvent, LocalProcess, fit, tree};
use crate::error::{BoxError, chain};
use crate::ids::{PackName, RunUid};
use crate::ipc::AgentResult;
use crate::ipc::mailbox::{OpenFolder, make_folders_for};
use crate::run::{ExecError, ResultMetrics, ResultStatus, RunPlan};
use crate::skill::Sidecar;
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
    shared: Arc<Shared>,
    run: RunUid,
    runner: Process,
    toolboxes: Toolboxes,
    bridge: OpenBridge,
    walled: Option<Walled>,
}

/// The executors of a run.
#[derive(Default)]
struct Toolboxes {
    keepers: JoinSet<()>,
    end: CancellationToken,
}

impl Toolboxes {
    async fn end(mut self) {
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

fn failed(step: &str, run: RunUid, source: impl Into<BoxError>) -> ExecError {
    ExecError::Failed {
        step: format!("{step} of run {run}"),
        source: source.into(),
    }
}

/// Makes all that a run needs, and starts its processes, the agent last.
pub(super) async fn start(
    shared: &Arc<Shared>,
    plan: &Arc<RunPlan>,
    place: &Place,
) -> Result<Started, ExecError> {
    let run = plan.run.uid;
    for shortfall in fit::shortfalls(plan, &shared.settings) {
        shared.events.on(run, LocalEvent::Shortfall(shortfall));
    }
    let executors = executors(plan)?;
    let packs: Vec<_> = executors.iter().map(|(pack, _)| pack.clone()).collect();
    let walled = match shared.walls().await? {
        None => None,
        Some(walls) => Some(Walled::raise(shared, run, place, &walls, &packs).await?),
    };
    let files = Files {
        plan,
        place,
        settings: &shared.settings,
        enclosure: walled.as_ref().map(|walled| &walled.enclosure),
    };
    match start_within(shared, &files, executors, packs).await {
        Ok((runner, toolboxes, bridge)) => Ok(Started {
            shared: Arc::clone(shared),
            run,
            runner,
            toolboxes,
            bridge,
            walled,
        }),
        Err(error) => {
            if let Some(walled) = walled {
                walled.take_down().await;
            }
            Err(error)
        }
    }
}

/// Writes the files, opens mailbox and gateway, and starts the processes.
async fn start_within(
    shared: &Arc<Shared>,
    files: &Files<'_>,
    executors: Vec<(PackName, Option<&Sidecar>)>,
    packs: Vec<PackName>,
) -> Result<(Process, Toolboxes, OpenBridge), ExecError> {
    let (plan, run) = (files.plan, files.plan.run.uid);
    let memory = shared.memory_of(plan).await?;
    files
        .write_given(memory.as_deref())
        .map_err(|error| failed("write the files", run, error))?;
    let layout = files.layout();
    let owner = files.enclosure.and_then(|enclosure| enclosure.identity.other());
    make_folders_for(&layout, &packs, owner).map_err(|error| failed("make the mailbox", run, error))?;
    let bridge = Bridge {
        run,
        layout,
        executors: packs.clone(),
        approver: Arc::clone(&shared.approver),
        events: Arc::clone(&shared.events),
    };
    let bridge = bridge
        .open()
        .map_err(|error| failed("watch the mailbox", run, error))?;
    let socket = files.place.socket();
    let opened = shared.gateway.open(plan, &socket).await;
    opened.map_err(|error| failed("open the gateway", run, error))?;
    if let Some(enclosure) = files.enclosure {
        let given = enclosure.give(&socket);
        given.map_err(|error| failed("give the gateway's socket to the agent", run, error))?;
    }
    let mut toolboxes = Toolboxes::default();
    match start_processes(shared, files, executors, &packs, &mut toolboxes) {
        Ok(runner) => Ok((runner, toolboxes, bridge)),
        Err(error) => {
            toolboxes.end().await;
            Err(error)
        }
    }
}

/// Starts the executors, then the agent.
fn start_processes(
    shared: &Arc<Shared>,
    files: &Files<'_>,
    executors: Vec<(PackName, Option<&Sidecar>)>,
    packs: &[PackName],
    toolboxes: &mut Toolboxes,
) -> Result<Process, ExecError> {
    let run = files.plan.run.uid;
    for (pack, sidecar) in executors {
        let process = LocalProcess::Toolbox(pack.clone());
        let launch = launch(files, &process, sidecar, packs)?;
        let first = begin(shared, run, &process, &launch)?;
        let keeper = Keeper {
            shared: Arc::clone(shared),
            run,
            process,
            launch,
        };
        toolboxes.keepers.spawn(keeper.keep(first, toolboxes.end.clone()));
    }
    let launch = launch(files, &LocalProcess::Runner, None, packs)?;
    begin(shared, run, &LocalProcess::Runner, &launch)
}

fn launch(
    files: &Files<'_>,
    process: &LocalProcess,
    sidecar: Option<&Sidecar>,
    packs: &[PackName],
) -> Result<Launch, ExecError> {
    let run = files.plan.run.uid;
    let step = format!("configure the {process}");
    let mut env = files.environment(process);
    let programs = &files.settings.programs;
    let (program, config) = match process {
        LocalProcess::Runner => {
            env.extend(files.plan.env.clone());
            (programs.runner.clone(), serde_json::to_vec(&files.runner()))
        }
        LocalProcess::Toolbox(pack) => (
            programs.toolbox.clone(),
            serde_json::to_vec(&files.toolbox(pack, sidecar)),
        ),
    };
    let config = config.map_err(|error| failed(&step, run, error))?;
    let config = files
        .write_config(process, &config)
        .map_err(|error| failed(&step, run, error))?;
    let open = Launch {
        program,
        config,
        boxed: false,
        env,
        dir: files.place.of(process),
    };
    match files.enclosure {
        None => Ok(open),
        Some(enclosure) => walled::launch(files, enclosure, process, sidecar, open, packs)
            .map_err(|error| failed(&step, run, error)),
    }
}

fn begin(
    shared: &Shared,
    run: RunUid,
    process: &LocalProcess,
    launch: &Launch,
) -> Result<Process, ExecError> {
    let begun = Process::start(launch).map_err(|error| {
        let program = launch.program.program.display();
        failed(&format!("start {program} as {process}"), run, error)
    })?;
    let event = LocalEvent::Started {
        process: process.clone(),
        pid: begun.id(),
    };
    shared.events.on(run, event);
    Ok(begun)
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
        self.finish(&stops).await;
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

/// Asks an agent to stop and gives it that time; without any, it has ended already.
async fn end_runner(mut runner: Process, grace: Duration, stops: &Stops) -> Ended {
    if !grace.is_zero() {
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
struct Keeper {
    shared: Arc<Shared>,
    run: RunUid,
    process: LocalProcess,
    launch: Launch,
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
