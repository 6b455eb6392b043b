//! `cargo xtask cluster`: a real Kubernetes of this machine's own, for tests. See `docs/test-cluster.md`.
//!
//! Each cluster is one process tree in namespaces of its own, so several live side by side, none reaches beyond the
//! machine, and killing its first process leaves nothing. It must not touch what it did not make: files are below one
//! folder per cluster, processes are known by number and start. Entry: [`command`]; other stages use [`up()`] and
//! [`down()`].

mod args;
mod binary;
mod cgroup;
mod components;
mod down;
mod env;
mod files;
mod init;
mod inside;
mod layout;
mod load;
mod needs;
mod place;
mod plan;
mod record;
mod request;
mod smoke;
mod state;
mod status;
mod traces;
mod up;

use std::process::Command;

use anyhow::Context;

use args::{Action, Request};
pub(crate) use down::down;
pub(crate) use place::Place;
pub(crate) use request::Mode;
pub(crate) use smoke::{images, smoke};
pub(crate) use traces::Traces;
pub(crate) use up::up;

/// Does what the words ask for.
pub(crate) fn command(words: &[String]) -> anyhow::Result<()> {
    let Request { action, name } = args::parse(words)?;
    if let Action::Init(order) = action {
        return init::run(&order);
    }
    let place = name.map(Place::of).transpose()?;
    if action == Action::Status {
        return match place {
            Some(place) => status::one(&place),
            None => status::all(),
        };
    }
    let place = place.context("a name is missing")?;
    match action {
        Action::Up(mode) => {
            up(&place, mode, None)?;
            println!("eval \"$(cargo xtask cluster env --name {})\"", place.name());
            Ok(())
        }
        Action::Down => down(&place),
        Action::Env => env::print(&place),
        Action::LoadImages(files) => load::images(&place, &files),
        Action::Smoke => smoke(&place).and_then(smoke::Report::verdict),
        Action::Status | Action::Init(_) => Ok(()),
    }
}

/// Installs what a cluster needs, or says in a sentence what is in the way. What fails after this is a failure.
pub(crate) fn is_possible(mode: Mode) -> anyhow::Result<()> {
    needs::ensure(mode)?;
    binary::is_possible()
}

/// The path of a kubectl of the cluster's version; builds it when it is not there, which needs Go.
pub(crate) fn kubectl() -> anyhow::Result<std::path::PathBuf> {
    binary::kubectl()
}

/// The tests of the cluster's own Go code; an error says what is in the way.
pub(crate) fn go_tests() -> anyhow::Result<Command> {
    binary::tests()
}
