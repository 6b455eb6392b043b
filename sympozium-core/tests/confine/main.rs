//! What a process has given up, tried by real processes: each attempt is made by a child, since nothing brings it back.
#![cfg(all(
    target_os = "linux",
    feature = "confine",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod calls;
mod child;
mod everyday;
mod files;
mod programs;
mod scopes;
