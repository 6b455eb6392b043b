//! `--sandbox` and `--limit`: how runs are kept apart from this machine, and how much of it they may use.
//!
//! What the machine allows is tried once per program, before anything is made; what it does not allow refuses the run.

use super::args::Isolation;
use crate::cli::failure::Failure;
use sympozium_core::local::{LocalIsolation, LocalLimits, LocalSettings, Walls, probe};

/// What `--sandbox` and `--limit` ask for. Pure.
pub(super) fn wanted(mode: Isolation, limits: &[String]) -> Result<(LocalIsolation, LocalLimits), Failure> {
    let isolation = match mode {
        Isolation::Auto | Isolation::Full => LocalIsolation::Full,
        Isolation::None => LocalIsolation::None,
    };
    if isolation == LocalIsolation::None && !limits.is_empty() {
        return Err(Failure::input(
            "--limit has no effect with --sandbox none, because only a sandbox holds a run to its limits: leave out one of them.",
        ));
    }
    let mut all = LocalLimits::default();
    let mut given: Vec<&str> = Vec::new();
    for limit in limits {
        let Some((name, amount)) = limit.split_once('=') else {
            return Err(Failure::input(format!(
                "--limit {limit:?} is not of the form NAME=AMOUNT, such as memory=2Gi; the names are {}.",
                names()
            )));
        };
        if given.contains(&name) {
            return Err(Failure::input(format!("--limit {name} is given twice.")));
        }
        all.set(name, amount)
            .map_err(|error| Failure::input(format!("--limit {limit:?}: {error}.")))?;
        given.push(name);
    }
    Ok((isolation, all))
}

fn names() -> String {
    LocalLimits::names().collect::<Vec<_>>().join(", ")
}

/// The walls that this machine can put around runs; nothing when none are wished.
pub(super) fn walls(settings: &LocalSettings) -> Result<Option<Walls>, Failure> {
    match settings.isolation {
        LocalIsolation::None => Ok(None),
        LocalIsolation::Full => probe(settings)
            .map(Some)
            .map_err(|refusal| Failure::input(refusal.to_string())),
    }
}

/// How it is called where programs read it.
pub(super) const fn name(isolation: LocalIsolation) -> &'static str {
    match isolation {
        LocalIsolation::Full => "full",
        LocalIsolation::None => "none",
    }
}
