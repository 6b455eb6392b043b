//! The start of a run: its walls, its files, its mailbox and gateway, its processes, the agent last.

use super::bridge::{Bridge, OpenBridge};
use super::executor::Shared;
use super::files::Files;
use super::fit::executors;
use super::place::Place;
use super::process::{Launch, Process};
use super::supervise::{Keeper, Started, Toolboxes};
use super::walled::{self, Walled};
use super::{LocalEvent, LocalProcess, fit};
use crate::error::BoxError;
use crate::ids::{PackName, RunUid};
use crate::ipc::mailbox::make_folders_for;
use crate::run::{ExecError, RunPlan};
use crate::skill::Sidecar;
use std::sync::Arc;

/// A step of a run that failed.
pub(super) fn failed(step: &str, run: RunUid, source: impl Into<BoxError>) -> ExecError {
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
        toolboxes.keep(keeper, first);
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

/// Starts one process of a run, and tells it.
pub(super) fn begin(
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
