//! `sympozium run`: an agent on this machine, from flags and files to its answer.
//!
//! | Question | Open |
//! | --- | --- |
//! | Which flags are there? | `args.rs` |
//! | What is run, with which model? | `prepare.rs` |
//! | How does a run go from beginning to end? | `drive.rs` |
//! | How is it kept apart from the machine? | `isolation.rs` |
//! | What is told of it, and how is it shown? | `event.rs`, `display/` |
//! | Who answers what policies ask? | `approve.rs` |

mod approve;
mod args;
mod display;
mod drive;
mod event;
mod gateway;
mod interrupts;
mod isolation;
mod memory;
mod outcome;
mod prepare;
mod record;
mod teller;
mod terminal;
mod workspace;

pub(super) use args::RunArgs;
pub(super) use gateway::fetcher;
pub(super) use interrupts::Interrupts;
pub(super) use prepare::policies;

use super::config::Config;
use super::failure::{Exit, Failure};
use super::planning::Planned;
use super::providers::ByRun;
use super::{INTERNAL, RUNNER, SANDBOX, TOOLBOX, block_on, stores};
use approve::Approver;
use args::Format;
use display::Display;
use drive::Driver;
use event::{Beginning, Ended, Event};
use gateway::LocalGateway;
use prepare::Prepared;
use record::Recorder;
use std::path::PathBuf;
use std::sync::Arc;
use sympozium_core::error::chain;
use sympozium_core::local::{LocalExecutor, LocalProgram, LocalPrograms, LocalSettings, Walls, shortfalls};
use sympozium_core::run::RunPhase;
use sympozium_core::store::sql::SqlStore;
use sympozium_core::toolbox::keep_memory_private;
use sympozium_llm::gateway::PriceTable;
use teller::Teller;

/// Folders of programs, when the environment names none.
const USUAL_PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// Runs what the flags say, one run after the other.
pub(super) fn command(args: &RunArgs, config: &Config) -> Result<Exit, Failure> {
    keep_key_private();
    let prepared = Prepared::read(args, config)?;
    let settings = settings(args, config)?;
    let walls = match isolation::walls(&settings) {
        Ok(walls) => walls,
        Err(failure) => return refuse(args, config, &prepared, &settings, failure),
    };
    let ready = Ready::new(prepared, settings, walls);
    block_on(async {
        sweep(&ready.settings);
        let store = stores::open(config).await?;
        let done = run_all(args, config, ready, &store).await;
        store.close().await;
        done
    })
}

/// Tells programs that read the output about runs that can't begin, because this machine can't isolate them. People are
/// told by the failure itself.
fn refuse(
    args: &RunArgs,
    config: &Config,
    prepared: &Prepared,
    settings: &LocalSettings,
    failure: Failure,
) -> Result<Exit, Failure> {
    if args.output != Format::Text {
        let display = Display::new(args.output, config.look);
        for planned in &prepared.planned {
            let run = planned.plan.run.uid;
            display.show(run, &Event::Run(Box::new(beginning(planned, settings, None))));
            let ended = Ended::unbegun(RunPhase::Failed.as_str(), failure.exit, failure.to_string());
            display.show(run, &Event::Result(Box::new(ended)));
        }
        display.finish()?;
    }
    Err(failure)
}

/// Commands of a run that is not isolated have this user's rights, and are not to read the key out of this process. Those
/// in a sandbox don't see it, and two walls are better than one.
fn keep_key_private() {
    if let Err(error) = keep_memory_private() {
        tracing::warn!(%error, "other processes of this user can read this program's memory");
    }
}

async fn run_all(args: &RunArgs, config: &Config, ready: Ready, store: &SqlStore) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let has_prices = !ready.prices.0.is_empty();
    let gateway = Arc::new(LocalGateway::new(ready.providers, store, ready.prices)?);
    let display = Arc::new(Display::new(args.output, config.look));
    let recorder = Arc::new(Recorder::start(store.clone()));
    let teller = Arc::new(Teller::new(Arc::clone(&display), Arc::clone(&recorder)));
    let memories = Arc::new(stores::memories(config)?);
    let mut executor = LocalExecutor::new(ready.settings, gateway.clone())
        .approver(Arc::new(Approver::new(args.approve, Arc::clone(&display))))
        .events(teller.clone())
        .memories(memories.clone());
    if let Some(walls) = ready.walls {
        executor = executor.walls(walls);
    }
    let driver = Driver {
        executor,
        gateway: Arc::clone(&gateway),
        teller,
        memories,
        store: store.clone(),
        has_prices,
    };
    let mut exits = Vec::new();
    for (planned, beginning) in ready.runs {
        let exit = driver.run(&planned, beginning, &mut interrupts).await;
        exits.push(exit);
        if exit == Exit::Cancelled {
            break;
        }
    }
    let ended = driver.executor.shutdown().await;
    drop(driver);
    gateway.drain().await;
    if let Some(recorder) = Arc::into_inner(recorder) {
        recorder.finish().await;
    }
    display.finish()?;
    ended.map_err(|error| Failure::failed(format!("{}.", chain(&error))))?;
    Ok(outcome::overall(&exits))
}

/// What can begin now.
struct Ready {
    /// Runs, each with what is told of it first.
    runs: Vec<(Planned, Beginning)>,
    /// The providers that serve them.
    providers: ByRun,
    prices: PriceTable,
    settings: LocalSettings,
    /// What keeps them apart from the machine.
    walls: Option<Walls>,
}

impl Ready {
    fn new(prepared: Prepared, settings: LocalSettings, walls: Option<Walls>) -> Self {
        let runs = prepared.planned.into_iter().map(|planned| {
            let beginning = beginning(&planned, &settings, walls.as_ref());
            (planned, beginning)
        });
        Self {
            runs: runs.collect(),
            providers: prepared.providers,
            prices: prepared.prices,
            settings,
            walls,
        }
    }
}

fn beginning(planned: &Planned, settings: &LocalSettings, walls: Option<&Walls>) -> Beginning {
    let plan = &planned.plan;
    let mut notes = shortfalls(plan, settings);
    notes.extend(prepare::notes(planned, settings));
    Beginning {
        run: plan.run.clone(),
        instance: plan.instance.to_string(),
        provider: plan.model.provider.to_string(),
        model: plan.model.model.to_string(),
        policies: plan.policies.iter().map(|policy| policy.name.0.clone()).collect(),
        default_policy: planned.holding.is_default,
        isolation: isolation::name(settings.isolation),
        isolation_detail: walls.map(|walls| walls.sentence(&settings.limits)),
        notes,
        verdicts: planned.decision.verdicts.clone(),
    }
}

/// Where runs live, and what they may see.
fn settings(args: &RunArgs, config: &Config) -> Result<LocalSettings, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("This program's own file can't be found: {error}.")))?;
    let internal = |part: &str| LocalProgram::new(&program, [INTERNAL, part]);
    let programs = LocalPrograms {
        runner: internal(RUNNER),
        toolbox: internal(TOOLBOX),
        sandbox: internal(SANDBOX),
    };
    let mut settings = LocalSettings::new(config.data_dir()?.join("runs"), programs);
    settings.workspace = workspace::workspace(args.workspace.as_deref())?;
    settings.search_path = search_path(config);
    (settings.isolation, settings.limits) = isolation::wanted(args.sandbox, &args.limits)?;
    Ok(settings)
}

/// Relative entries would mean other folders for the run than for this process.
fn search_path(config: &Config) -> Vec<PathBuf> {
    let usual = || USUAL_PATH.map(PathBuf::from).to_vec();
    config.path.as_ref().map_or_else(usual, |path| {
        std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .collect()
    })
}

/// Removes what runs of killed programs have left. It must not keep a new run from beginning.
fn sweep(settings: &LocalSettings) {
    match LocalExecutor::sweep(&settings.root) {
        Ok(swept) => {
            if !swept.removed.is_empty() {
                super::output::note(&format!(
                    "Removed what {} earlier run(s) had left behind.",
                    swept.removed.len()
                ));
            }
            for (folder, why) in swept.left {
                super::output::note(&format!("{} could not be removed: {why}.", folder.display()));
            }
        }
        Err(error) => super::output::note(&format!(
            "What earlier runs left could not be removed: {}.",
            chain(&error)
        )),
    }
}
