//! The process that keeps a run's private file systems.

use super::identity;
use super::mount::{Memory, attach, source};
use super::outcome::{During, SetupError, Step};
use super::plan::{Folder, HolderPlan, Identity};
use rustix::fs::CWD;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_change};
use rustix::process::setsid;
use rustix::thread::UnshareFlags;
use std::io::{Read, Write};
use std::path::Path;

/// Mounts what the plan says where only this process and those that enter its namespaces see it, says so, and waits until
/// standard input ends.
pub(super) fn hold(plan: &HolderPlan) -> Result<(), SetupError> {
    identity::enter_cgroups(&plan.cgroups)?;
    // Ctrl-C at the terminal is for the program that started this one, which may still need the folders. Whoever is the leader
    // of a group already is out of the terminal's reach.
    let _leader = setsid();
    let owner = identity::on_the_machine(plan.identity)?;
    if plan.identity == Identity::Own {
        identity::enter_user_namespace(CWD, Path::new("/proc"), owner, owner)?;
    }
    own_mounts()?;
    for folder in &plan.folders {
        cover(folder, owner).with(Step::Mount, &folder.at)?;
    }
    rustix::process::chdir("/").during(Step::Root)?;
    identity::give_up_rights()?;
    say_ready_and_wait().during(Step::Program)
}

/// Goes to a mount namespace of its own, from which nothing gets back to where it came from.
pub(super) fn own_mounts() -> Result<(), SetupError> {
    identity::unshare(UnshareFlags::NEWNS).during(Step::Namespaces)?;
    private_mounts()
}

/// Stops mounts of this namespace from being seen in others, and the other way round.
pub(super) fn private_mounts() -> Result<(), SetupError> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .with(Step::Root, Path::new("/"))
}

fn cover(folder: &Folder, owner: (u32, u32)) -> std::io::Result<()> {
    let memory = Memory {
        bytes: folder.bytes,
        files: folder.files,
        mode: 0o700,
        owner,
    };
    attach(memory.make(MountAttrFlags::empty())?, source(&folder.at)?)
}

fn say_ready_and_wait() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(b"ready\n")?;
    out.flush()?;
    let mut buffer = [0; 64];
    while std::io::stdin().read(&mut buffer)? > 0 {}
    Ok(())
}
