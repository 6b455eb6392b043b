//! What of a plan holds on this machine. Pure, but for the look for programs.

use super::machine::Machine;
use super::{LocalIsolation, LocalSettings, LocalWorkspace};
use crate::ids::PackName;
use crate::run::{ExecError, RunPlan};
use crate::skill::Sidecar;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The executor that belongs to no pack.
pub(super) const SANDBOX: &str = "sandbox";

/// Refuses a plan that can't be carried out here, before anything is made.
pub(super) fn check(plan: &RunPlan, settings: &LocalSettings) -> Result<(), ExecError> {
    let refuse = |detail: String| Err(ExecError::Unsupported { detail });
    if let Some(agent) = &plan.agent {
        return refuse(format!(
            "it wants the agent image {}, and images need a cluster",
            agent.image
        ));
    }
    if plan.sandbox.is_some() && plan.skills.iter().any(|skill| skill.pack.as_str() == SANDBOX) {
        return refuse("a skill pack is named sandbox, and so is the run's sandbox".to_owned());
    }
    let machine = match settings.isolation {
        LocalIsolation::None => None,
        LocalIsolation::Full => Some(Machine::look()),
    };
    for skill in &plan.skills {
        for document in &skill.documents {
            let bins = document.requires_bins.iter();
            let places = bins.map(|bin| (bin, find(bin, &settings.search_path, machine.as_ref())));
            for (bin, place) in places {
                let named = format!(
                    "the skill {}/{} needs the program {bin}",
                    skill.pack, document.name
                );
                match place {
                    Place::Seen => {}
                    Place::Hidden(file) => {
                        return refuse(format!(
                            "{named}, which is at {} where a sandbox does not see it; install it below /usr",
                            file.display()
                        ));
                    }
                    Place::Missing => {
                        return refuse(format!(
                            "{named}, which is not in {}",
                            list(&settings.search_path)
                        ));
                    }
                }
            }
        }
    }
    let socket = settings.root.join(plan.run.uid.to_string()).join("gateway.sock");
    if socket.as_os_str().len() > 107 {
        return refuse(format!(
            "the path {} is longer than the 107 bytes that a socket may have; choose a shorter folder for runs",
            socket.display()
        ));
    }
    Ok(())
}

/// Where a program is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Where the run's commands find it.
    Seen,
    /// Only where a sandbox does not show it.
    Hidden(PathBuf),
    Missing,
}

/// Looks for a program; in a sandbox only the system's own folders are seen.
fn find(bin: &str, path: &[PathBuf], machine: Option<&Machine>) -> Place {
    let runnable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    // A link is worth what it points to.
    let shows = |file: &PathBuf| {
        machine.is_none_or(|machine| {
            let real = file.canonicalize();
            machine.shows(file) && real.is_ok_and(|real| machine.shows(&real))
        })
    };
    let files: Vec<PathBuf> = if bin.contains('/') {
        vec![bin.into()]
    } else {
        path.iter().map(|dir| dir.join(bin)).collect()
    };
    let mut found = files.into_iter().filter(runnable).peekable();
    let first = found.peek().cloned();
    match (found.any(|file| shows(&file)), first) {
        (true, _) => Place::Seen,
        (false, Some(file)) => Place::Hidden(file),
        (false, None) => Place::Missing,
    }
}

fn list(path: &[std::path::PathBuf]) -> String {
    let all: Vec<String> = path.iter().map(|dir| dir.display().to_string()).collect();
    all.join(", ")
}

/// The executors of a run, each with what its pack says about it; none for the sandbox.
pub(super) fn executors(plan: &RunPlan) -> Result<Vec<(PackName, Option<&Sidecar>)>, ExecError> {
    let packs = plan
        .skills
        .iter()
        .filter_map(|skill| Some((skill.pack.clone(), Some(skill.sidecar.as_ref()?))));
    let mut all: Vec<_> = packs.collect();
    if plan.sandbox.is_some() {
        let name = PackName::new(SANDBOX).map_err(|error| ExecError::Unsupported {
            detail: error.to_string(),
        })?;
        all.push((name, None));
    }
    Ok(all)
}

/// Sentences on what the plan says and this machine does not do. What the walls are is said elsewhere.
pub fn shortfalls(plan: &RunPlan, settings: &LocalSettings) -> Vec<String> {
    let mut all = Vec::new();
    let walls = settings.isolation;
    match walls {
        LocalIsolation::None => {
            all.push(
                "The run is not isolated: its agent and commands can do whatever you can do on this machine."
                    .to_owned(),
            );
            if let LocalWorkspace::Given { dir, read_only: true } = &settings.workspace {
                let dir = dir.display();
                all.push(format!("File tools only read {dir}, but commands can change it."));
            }
        }
        LocalIsolation::Full => {}
    }
    for skill in &plan.skills {
        if let Some(sidecar) = &skill.sidecar {
            of_sidecar(&skill.pack, sidecar, walls, &mut all);
        }
    }
    if let Some(sandbox) = &plan.sandbox {
        if let Some(image) = &sandbox.image {
            let programs = programs(walls);
            all.push(format!("The sandbox's image {image} is not used: {programs}."));
        }
        if !sandbox.requests.is_empty() || !sandbox.limits.is_empty() {
            all.push(format!(
                "The sandbox's resource limits are not enforced{}.",
                instead(walls)
            ));
        }
    }
    if let Some(to) = &plan.reply_to {
        all.push(format!(
            "The answer is not sent to {}: that needs a cluster.",
            to.channel
        ));
    }
    all
}

/// What holds instead of a single executor's limits.
const fn instead(walls: LocalIsolation) -> &'static str {
    match walls {
        LocalIsolation::None => "",
        LocalIsolation::Full => ", those of the whole run are",
    }
}

/// What commands use instead of an image.
const fn programs(walls: LocalIsolation) -> &'static str {
    match walls {
        LocalIsolation::None => "commands run on this machine",
        LocalIsolation::Full => "commands use this machine's programs",
    }
}

fn of_sidecar(pack: &PackName, sidecar: &Sidecar, walls: LocalIsolation, all: &mut Vec<String>) {
    let image = &sidecar.image;
    let programs = programs(walls);
    all.push(format!(
        "Skill {pack}: its image {image} is not used, {programs}."
    ));
    let open = walls == LocalIsolation::None;
    if !sidecar.resources.is_empty() {
        let instead = instead(walls);
        all.push(format!(
            "Skill {pack}: its resource limits are not enforced{instead}."
        ));
    }
    let more = [
        (!sidecar.command.is_empty(), "the image's command is not started"),
        (
            open && !sidecar.mount_workspace,
            "its commands start in a folder of their own, but can reach the workspace",
        ),
        (
            open && !sidecar.egress.is_empty(),
            "its egress list limits nothing, commands reach what this machine reaches",
        ),
        (
            !open && !sidecar.egress.is_empty(),
            "its egress list opens nothing, commands have no network here",
        ),
        (sidecar.wants_rbac(), "it gets no rights at an API server"),
    ];
    let holds = more.into_iter().filter(|(applies, _)| *applies);
    all.extend(holds.map(|(_, sentence)| format!("Skill {pack}: {sentence}.")));
}
