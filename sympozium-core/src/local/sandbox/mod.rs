//! The launcher: puts one program into a sandbox of its own, by what a plan says.
//!
//! | Question | Open |
//! | --- | --- |
//! | What is a launcher told? | `plan.rs` |
//! | What does it say when a machine does not allow it? | `outcome.rs` |
//! | Which processes are there, who ends whom? | `launcher.rs` (outside), `inside.rs` (the program to be), `holder.rs` |
//! | What does a program see? | `root.rs`, `mount.rs`, `idmap.rs` |
//! | Who is it, what may it do? | `identity.rs`, `crate::confine` |
//! | Where is what the compiler cannot check? | `sys.rs` |
//!
//! A program is the first process of its own process, network, mount and IPC namespaces. These belong to the user namespace of
//! the run's holder (or to the machine's, for root); the program itself is in one below, where it has no say over them.
//!
//! What it must not do: start a thread (a process with threads can't enter a user namespace), follow a link that a program in a
//! sandbox could have made, run the program with less than the plan says.
//!
//! Entry: [`main`].

#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod holder;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod idmap;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod launcher;
#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod outcome;
mod plan;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
pub use command::{NOT_SET_UP, main};
#[cfg(target_os = "linux")]
pub use outcome::{Holds, SetupError, Step, TryOutcome};
pub use plan::{
    Access, Folder, HolderPlan, INSIDE_ID, Identity, Mount, MountKind, Resource, ResourceLimit, SandboxPlan,
};
