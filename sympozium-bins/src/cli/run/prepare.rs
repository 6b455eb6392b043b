//! From flags and files to runs that could begin: everything that can be wrong is found before anything is made.

use super::args::RunArgs;
use crate::cli::choice::{Choice, Documents};
use crate::cli::config::Config;
use crate::cli::failure::Failure;
use crate::cli::objects::{Given, Objects, skill_packs};
use crate::cli::planning::{Planned, Sources, Wishes, plans};
use crate::cli::providers::{ByRun, prices};
use sympozium_core::ids::RunUid;
use sympozium_core::local::{LocalSettings, LocalWorkspace};
use sympozium_k8s::crd::v1alpha1::SympoziumPolicy;
use sympozium_llm::gateway::PriceTable;

/// Runs, and the providers that serve them.
pub(super) struct Prepared {
    /// In the order in which they run.
    pub(super) planned: Vec<Planned>,
    /// One per run.
    pub(super) providers: ByRun,
    /// What models cost.
    pub(super) prices: PriceTable,
}

impl Prepared {
    /// Reads all files, makes all plans and all providers.
    pub(super) fn read(args: &RunArgs, config: &Config) -> Result<Self, Failure> {
        if args.task.is_none() && args.files.is_empty() {
            return Err(Failure::input(
                "What is to be done? Give a TASK, or files with an AgentRun by -f.",
            ));
        }
        let objects = Objects::read(&args.files)?;
        let policies = policies(&args.model.policies)?;
        let skills = skill_packs(&args.skills)?;
        let documents = Documents::of(&objects);
        let choice = args.model.choose(config, documents)?;
        let wishes = wishes(args, config, &choice, documents)?;
        let sources = Sources {
            objects: &objects,
            policies: &policies,
            skills: &skills,
        };
        let mut planned = plans(&wishes, sources, RunUid::random)?;
        if planned.is_empty() {
            return Err(Failure::input(
                "There is no AgentRun in the files: add one, or give a TASK.",
            ));
        }
        if let Some(first) = planned.first_mut() {
            let schedules = objects
                .schedules
                .iter()
                .map(|name| format!("SympoziumSchedule {name} is not carried out: that needs a cluster."));
            first.notes.extend(schedules);
        }
        let mut providers = ByRun::default();
        for planned in &planned {
            providers.add(&planned.plan, &choice, &objects, config)?;
        }
        Ok(Self {
            planned,
            providers,
            prices: prices(args.model.prices.as_deref())?,
        })
    }
}

/// The policies of files, in order.
pub(in crate::cli) fn policies(files: &[std::path::PathBuf]) -> Result<Vec<Given<SympoziumPolicy>>, Failure> {
    let mut policies = Vec::new();
    for file in files {
        let objects = Objects::read(std::slice::from_ref(file))?;
        if objects.policies.is_empty() {
            return Err(Failure::input(format!(
                "{}: there is no SympoziumPolicy in the file.",
                file.display()
            )));
        }
        policies.extend(objects.policies);
    }
    Ok(policies)
}

fn wishes(args: &RunArgs, config: &Config, choice: &Choice, documents: Documents) -> Result<Wishes, Failure> {
    Ok(Wishes {
        task: args.task.clone(),
        instance: config.instance(args.instance.as_deref())?,
        provider: choice.provider.clone(),
        model: choice.model.clone(),
        base_url: choice.base_url.clone(),
        session: args.session.clone(),
        // The environment speaks for those who say nothing.
        memory: args.memory || (config.defaults.memory && !documents.name_model()),
        timeout: args.timeout.clone(),
        sandbox: true,
        keyless: choice.keyless,
    })
}

/// What people should know about a run besides what does not hold on this machine.
pub(super) fn notes(planned: &Planned, settings: &LocalSettings) -> Vec<String> {
    let mut notes = planned.notes.clone();
    if settings.workspace == LocalWorkspace::Private {
        notes.push(
            "There is no --workspace: the run works in an empty folder that is removed at its end."
                .to_owned(),
        );
    }
    notes.extend(
        planned
            .holding
            .notes
            .iter()
            .map(|(policy, note)| format!("Policy {policy}: {} {}.", note.path, note.reason.explanation())),
    );
    notes
}
