//! The launcher of sandboxes on this very machine, started by root and by an ordinary user. The programs under test are
//! those of `/usr`.
#![cfg(target_os = "linux")]

mod ends;
mod holder;
mod owners;
mod seen;
mod start;
mod tries;
