//! System calls that have no safe form elsewhere. The only `unsafe` of this crate.
#![allow(
    unsafe_code,
    reason = "fork, mount_setattr, signals and the loopback device have no safe binding; each block says why it is sound"
)]

use rustix::process::Pid;
use std::ffi::c_int;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Which of the two processes this is after [`fork`].
#[derive(Debug)]
pub(super) enum Forked {
    /// The new one.
    Child,
    /// The old one, with the new one's id.
    Parent(Pid),
}

/// What a mount and, if told so, everything below it is from now on.
#[derive(Debug, Clone, Copy)]
pub(super) struct MountChange<'a> {
    /// Flags to add, `MOUNT_ATTR_*`. None is ever taken away: what the machine forbids stays forbidden.
    pub(super) set: u64,
    /// Also of everything that is mounted below.
    pub(super) recursive: bool,
    /// The user namespace whose map translates owners.
    pub(super) owners: Option<BorrowedFd<'a>>,
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Makes a copy of this process. The launcher has one thread, so the copy can go on as if nothing had happened.
pub(super) fn fork() -> io::Result<Forked> {
    // SAFETY: this process has a single thread (`main` says so to its callers), so no lock is held by a thread that the copy lacks.
    let pid = check(unsafe { libc::fork() })?;
    Ok(Pid::from_raw(pid).map_or(Forked::Child, Forked::Parent))
}

/// Ends this process at once, without running what other code registered for its end.
pub(super) fn exit(code: u8) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(c_int::from(code)) }
}

/// Closes everything that was inherited other than standard input, output and error.
pub(super) fn close_inherited() {
    // Kernels before 5.9 lack the call; they lack `mount_setattr` too, so that nothing is started there anyway.
    // SAFETY: called first thing, when this process has opened nothing yet, so nobody owns the descriptors that are closed.
    let _older_kernel = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// Changes a mount that `mount` is the root of.
pub(super) fn change_mount(mount: impl AsFd, change: MountChange<'_>) -> io::Result<()> {
    let userns = change.owners.map_or(Ok(0), |fd| {
        u64::try_from(fd.as_raw_fd()).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))
    })?;
    let attr = libc::mount_attr {
        attr_set: change.set
            | if change.owners.is_some() {
                libc::MOUNT_ATTR_IDMAP
            } else {
                0
            },
        attr_clr: 0,
        propagation: 0,
        userns_fd: userns,
    };
    let recursive = if change.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a terminated string, `attr` is a `mount_attr` of the size that is given, both outlive the call.
    let changed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if changed < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set, sigaddset changes an initialised one; unknown signals are an error that changes nothing.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Holds these signals back, and gives a file from which they are read instead.
pub(super) fn signals_as_file(signals: &[c_int]) -> io::Result<OwnedFd> {
    let set = signal_set(signals);
    // SAFETY: the set is initialised and outlives the calls; the descriptor is new and owned by nobody else.
    unsafe {
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            &raw const set,
            std::ptr::null_mut(),
        ))?;
        let fd: RawFd = check(libc::signalfd(
            -1,
            &raw const set,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The number of the next signal in such a file, if there is one.
pub(super) fn next_signal(file: impl AsFd) -> Option<c_int> {
    let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(file, &mut buffer).ok()?;
    let number = buffer.get(..read)?.first_chunk::<4>()?;
    c_int::try_from(u32::from_ne_bytes(*number)).ok()
}

/// Lets every signal through, each with its usual effect: a program must not inherit what its starter ignores.
pub(super) fn reset_signals() {
    let none = signal_set(&[]);
    // The kernel's `struct sigaction` with every field zero: the default effect, no flags, no mask.
    let default = [0_u64; 4];
    // SAFETY: the array is as large as the kernel's structure, whose mask has 8 bytes, and outlives the calls; signals that can't be
    // changed are refused. By the bare call, as the C library refuses those that it keeps for itself. The set is initialised.
    unsafe {
        for signal in 1..=64 {
            let no_old = std::ptr::null_mut::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), no_old, 8_usize);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// `SIOCSIFFLAGS` of <linux/sockios.h>; the C libraries do not agree on its type.
const SET_INTERFACE_FLAGS: libc::Ioctl = 0x8914;

/// Brings the loopback device of this network namespace up.
pub(super) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: `ifreq` is plain data for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes_with_nul()) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).unwrap_or(0);
    // SAFETY: the request reads an `ifreq` that outlives the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), SET_INTERFACE_FLAGS, &raw const request) })?;
    Ok(())
}
