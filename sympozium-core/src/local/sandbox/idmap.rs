//! User namespaces that nobody lives in: their maps translate the owners of files.

use super::identity::{unshare, write_existing};
use super::mount::Owner;
use super::sys::{self, Forked};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::UnshareFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A namespace whose map shows what belongs to `on_disk` as belonging to `shown`. `proc` is the folder of processes.
pub(super) fn namespace(proc: &OwnedFd, on_disk: Owner, shown: Owner) -> io::Result<OwnedFd> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    match sys::fork()? {
        Forked::Child => {
            drop(read);
            wait_in_a_namespace(&write)
        }
        Forked::Parent(pid) => {
            drop(write);
            let made = describe(proc, pid, &read, on_disk, shown);
            // It does nothing but wait, and exists until it is waited for.
            kill_process(pid, Signal::KILL)?;
            waitpid(Some(pid), WaitOptions::empty())?;
            made
        }
    }
}

/// The process without which there is no namespace: makes it, says how that went, and waits to be killed.
fn wait_in_a_namespace(told: &OwnedFd) -> ! {
    let made = unshare(UnshareFlags::NEWUSER);
    let errno = made.err().and_then(|error| error.raw_os_error()).unwrap_or(0);
    if rustix::io::write(told, &errno.to_ne_bytes()).is_err() {
        sys::exit(1);
    }
    loop {
        // Whoever made this process kills it; if that one dies, so do all processes of its namespace.
        let _interrupted = rustix::event::poll(&mut [], None);
    }
}

fn describe(proc: &OwnedFd, pid: Pid, told: &OwnedFd, on_disk: Owner, shown: Owner) -> io::Result<OwnedFd> {
    let mut errno = [0; 4];
    let read = rustix::io::read(told, &mut errno)?;
    match i32::from_ne_bytes(errno) {
        0 if read == errno.len() => {}
        0 => return Err(Errno::IO.into()),
        errno => return Err(io::Error::from_raw_os_error(errno)),
    }
    let folder = Path::new(&pid.as_raw_nonzero().to_string()).to_owned();
    write_existing(
        proc,
        &folder.join("uid_map"),
        &format!("{} {} 1", on_disk.0, shown.0),
    )?;
    write_existing(
        proc,
        &folder.join("gid_map"),
        &format!("{} {} 1", on_disk.1, shown.1),
    )?;
    let namespace = folder.join("ns/user");
    Ok(openat(
        proc,
        &namespace,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}
