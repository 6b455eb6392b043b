//! What of a plan holds on this machine. Pure, but for the look for programs.

use super::{LocalSettings, LocalWorkspace};
use crate::ids::PackName;
use crate::run::{ExecError, RunPlan};
use crate::skill::Sidecar;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
    for skill in &plan.skills {
        for document in &skill.documents {
            let missing = document
                .requires_bins
                .iter()
                .find(|bin| !is_there(bin, &settings.search_path));
            if let Some(bin) = missing {
                return refuse(format!(
                    "the skill {}/{} needs the program {bin}, which is not in {}",
                    skill.pack,
                    document.name,
                    list(&settings.search_path)
                ));
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

fn is_there(bin: &str, path: &[std::path::PathBuf]) -> bool {
    let runnable = |file: &Path| {
        file.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if bin.contains('/') {
        return runnable(Path::new(bin));
    }
    path.iter().any(|dir| runnable(&dir.join(bin)))
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

/// Sentences on what the plan says and this machine does not do.
pub fn shortfalls(plan: &RunPlan, settings: &LocalSettings) -> Vec<String> {
    let mut all = vec![
        "The run is not isolated: its agent and commands can do whatever you can do on this machine."
            .to_owned(),
    ];
    if let LocalWorkspace::Given { dir, read_only: true } = &settings.workspace {
        all.push(format!(
            "File tools only read {}, but commands can change it.",
            dir.display()
        ));
    }
    for skill in &plan.skills {
        if let Some(sidecar) = &skill.sidecar {
            of_sidecar(&skill.pack, sidecar, &mut all);
        }
    }
    if let Some(sandbox) = &plan.sandbox {
        if let Some(image) = &sandbox.image {
            all.push(format!(
                "The sandbox's image {image} is not used: commands run on this machine."
            ));
        }
        if !sandbox.requests.is_empty() || !sandbox.limits.is_empty() {
            all.push("The sandbox's resource limits are not enforced.".to_owned());
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

fn of_sidecar(pack: &PackName, sidecar: &Sidecar, all: &mut Vec<String>) {
    let image = &sidecar.image;
    all.push(format!(
        "Skill {pack}: its image {image} is not used, commands run on this machine."
    ));
    let more = [
        (!sidecar.command.is_empty(), "the image's command is not started"),
        (
            !sidecar.mount_workspace,
            "its commands start in a folder of their own, but can reach the workspace",
        ),
        (
            !sidecar.resources.is_empty(),
            "its resource limits are not enforced",
        ),
        (
            !sidecar.egress.is_empty(),
            "its egress list limits nothing, commands reach what this machine reaches",
        ),
        (sidecar.wants_rbac(), "it gets no rights at an API server"),
    ];
    let holds = more.into_iter().filter(|(applies, _)| *applies);
    all.extend(holds.map(|(_, sentence)| format!("Skill {pack}: {sentence}.")));
}
