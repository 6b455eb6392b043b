//! Who a process is, and what it gives up.

use super::outcome::{During, SetupError, Step};
use super::plan::{INSIDE_ID, Identity, Resource, ResourceLimit};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Rlimit, Uid, getegid, geteuid, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, UnshareFlags, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Enters cgroups, each given by its `cgroup.procs`.
pub(super) fn enter_cgroups(files: &[PathBuf]) -> Result<(), SetupError> {
    for file in files {
        // Zero stands for the writer, whatever its id is called in its namespace.
        write_existing(rustix::fs::CWD, file, "0").with(Step::Cgroup, file)?;
    }
    Ok(())
}

/// The user and group that the program is on the machine.
pub(super) fn on_the_machine(identity: Identity) -> Result<(u32, u32), SetupError> {
    match identity {
        // Root's own identity is never given to a program: all that root owns would be the program's.
        Identity::Own if geteuid().is_root() => Err(Errno::PERM).during(Step::Identity),
        Identity::Own => Ok((geteuid().as_raw(), getegid().as_raw())),
        Identity::Other { id } if id < INSIDE_ID || id == u32::MAX => {
            Err(Errno::INVAL).during(Step::Identity)
        }
        Identity::Other { id } => Ok((id, id)),
    }
}

/// Takes another identity with all capabilities kept, as the last user namespace has to be made by the one whom its ids stand for.
pub(super) fn become_user((user, group): (u32, u32)) -> Result<(), SetupError> {
    let keep = CapabilitiesSecureBits::NO_SETUID_FIXUP;
    set_capabilities_secure_bits(keep).during(Step::Identity)?;
    rustix::thread::set_thread_groups(&[]).during(Step::Identity)?;
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    rustix::thread::set_thread_res_gid(group, group, group).during(Step::Identity)?;
    rustix::thread::set_thread_res_uid(user, user, user).during(Step::Identity)?;
    // The files in /proc of a process that changed its user are root's, and with them the map that is written next.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).during(Step::Identity)
}

/// Makes a user namespace and enters it. `inside` are the user and group that stand for `outside`, this process's own; there are
/// no others. `proc` is the folder of processes, below `dir`.
pub(super) fn enter_user_namespace(
    dir: impl AsFd,
    proc: &Path,
    inside: (u32, u32),
    outside: (u32, u32),
) -> Result<(), SetupError> {
    unshare(UnshareFlags::NEWUSER).during(Step::UserNamespace)?;
    let lines = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{} {} 1", inside.0, outside.0)),
        ("gid_map", format!("{} {} 1", inside.1, outside.1)),
    ];
    for (name, line) in lines {
        let file = proc.join("self").join(name);
        write_existing(dir.as_fd(), &file, &line).during(Step::UserNamespace)?;
    }
    Ok(())
}

/// Leaves namespaces for new ones.
#[allow(
    deprecated,
    reason = "none of the flags that make `unshare` unsound is used here: no shared table of files"
)]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    Ok(rustix::thread::unshare(flags)?)
}

/// Writes a file that is there, in one go.
pub(super) fn write_existing(dir: impl AsFd, file: &Path, text: &str) -> io::Result<()> {
    let file = openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let written = rustix::io::write(&file, text.as_bytes())?;
    if written == text.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Sets limits. One that is lower already stays.
pub(super) fn limit(limits: &[ResourceLimit]) -> Result<(), SetupError> {
    for limit in limits {
        let resource = match limit.resource {
            Resource::Processes => rustix::process::Resource::Nproc,
            Resource::Data => rustix::process::Resource::Data,
            Resource::FileSize => rustix::process::Resource::Fsize,
            Resource::OpenFiles => rustix::process::Resource::Nofile,
            Resource::Core => rustix::process::Resource::Core,
            Resource::MessageQueues => rustix::process::Resource::Msgqueue,
            Resource::Locked => rustix::process::Resource::Memlock,
            Resource::Signals => rustix::process::Resource::Sigpending,
            Resource::RealTime => rustix::process::Resource::Rtprio,
        };
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(limit.value.min(most));
        let limit = Rlimit {
            current: value,
            maximum: value,
        };
        setrlimit(resource, limit).during(Step::Limits)?;
    }
    Ok(())
}

/// Gives up every capability, and every way to get one.
pub(super) fn give_up_capabilities() -> Result<(), SetupError> {
    let never = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(never).during(Step::Identity)?;
    clear_ambient_capability_set().during(Step::Identity)?;
    for number in 0..64 {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The kernel knows no more of them.
            Err(Errno::INVAL) => break,
            error @ Err(_) => error.during(Step::Identity)?,
        }
    }
    keep_capabilities(CapabilitySet::empty())
}

/// Keeps these capabilities alone.
pub(super) fn keep_capabilities(kept: CapabilitySet) -> Result<(), SetupError> {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).during(Step::Identity)
}

/// Gives up what a process that only waits does not need.
pub(super) fn give_up_rights() -> Result<(), SetupError> {
    keep_capabilities(CapabilitySet::empty())?;
    rustix::thread::set_no_new_privs(true).during(Step::Identity)
}
