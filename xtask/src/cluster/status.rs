//! `cluster status`: what runs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::files;
use super::place::Place;
use super::record::Record;
use super::request::{Mode, Order};
use super::state::{Phase, State};

/// Says what every cluster does.
pub(super) fn all() -> anyhow::Result<()> {
    let places = Place::all()?;
    if places.is_empty() {
        println!("there is no cluster: cargo xtask cluster up");
    }
    for place in places {
        print!("{}", describe(&place)?.0);
    }
    Ok(())
}

/// Says what one cluster does; an error when it does not run.
pub(super) fn one(place: &Place) -> anyhow::Result<()> {
    let (text, is_ready) = describe(place)?;
    print!("{text}");
    if !is_ready {
        bail!("the cluster {} is not ready", place.name());
    }
    Ok(())
}

/// The text, and whether the cluster is ready.
fn describe(place: &Place) -> anyhow::Result<(String, bool)> {
    let record = Record::read(&place.record())?.filter(Record::is_alive);
    let order: Option<Order> = files::read_json(&place.request())?;
    let state: Option<State> = files::read_json(&place.state())?;
    let seen = Seen {
        name: place.name().to_string(),
        first: record.as_ref().map(|record| record.pid),
        mode: order.map(|order| order.mode),
        state,
        outside: record
            .map(|record| outside_numbers(record.pid))
            .unwrap_or_default(),
    };
    let text = format!("{}  logs in {}\n", seen.text(), place.logs().display());
    Ok((text, seen.is_ready()))
}

/// What was found out about one cluster.
struct Seen {
    name: String,
    /// The number of the first process, when it runs.
    first: Option<i32>,
    mode: Option<Mode>,
    state: Option<State>,
    /// Process numbers outside, by those inside.
    outside: BTreeMap<i32, i32>,
}

impl Seen {
    fn is_ready(&self) -> bool {
        self.first.is_some()
            && self
                .state
                .as_ref()
                .is_some_and(|state| state.phase == Phase::Ready)
    }

    fn text(&self) -> String {
        let mode = match self.mode {
            Some(Mode::ControlPlane) => "control plane only",
            Some(Mode::Full) => "control plane and node",
            None => "nothing",
        };
        let phase = match (self.first, self.state.as_ref().map(|state| &state.phase)) {
            (_, Some(Phase::Failed(why))) => format!("failed: {why}"),
            (None, _) => "does not run".to_owned(),
            (Some(pid), Some(Phase::Ready)) => format!("ready, first process {pid}"),
            (Some(pid), Some(Phase::Starting(step))) => {
                format!("starting, first process {pid}, waits until {step}")
            }
            (Some(pid), None) => format!("starting, first process {pid}"),
        };
        let mut text = format!("{} ({mode}): {phase}\n", self.name);
        let components = self
            .state
            .iter()
            .filter(|_| self.first.is_some())
            .flat_map(|state| &state.components);
        for (component, running) in components {
            let pid = self
                .outside
                .get(&running.pid)
                .map_or_else(|| "ended".to_owned(), ToString::to_string);
            let _ = writeln!(
                text,
                "  {:<24} {pid:>8}  restarted {}",
                component.name(),
                running.restarts
            );
        }
        text
    }
}

/// The process namespace of a process.
pub(super) fn namespace(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Processes whose namespace it is. Those of pods have namespaces of their own.
pub(super) fn processes_in(wanted: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| namespace(*pid).is_some_and(|found| found == wanted))
        .collect()
}

/// Process numbers outside, by those inside: the last number of `NSpid` is the one inside.
fn outside_numbers(first: i32) -> BTreeMap<i32, i32> {
    let processes = namespace(first)
        .map(|wanted| processes_in(&wanted))
        .unwrap_or_default();
    let inside = |pid: i32| inside_number(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    processes
        .into_iter()
        .filter_map(|pid| Some((inside(pid)?, pid)))
        .collect()
}

fn inside_number(status: &str) -> Option<i32> {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::components::Component;
    use super::super::state::Running;
    use super::*;

    fn seen() -> Seen {
        let components = BTreeMap::from([
            (Component::Etcd, Running { pid: 7, restarts: 0 }),
            (Component::Kubelet, Running { pid: 9, restarts: 2 }),
        ]);
        Seen {
            name: "default".to_owned(),
            first: Some(4000),
            mode: Some(Mode::Full),
            state: Some(State {
                phase: Phase::Ready,
                components,
            }),
            outside: BTreeMap::from([(7, 4007)]),
        }
    }

    #[test]
    fn a_program_is_shown_with_the_number_that_can_be_killed() {
        let text = seen().text();
        assert!(
            text.starts_with("default (control plane and node): ready, first process 4000\n"),
            "{text}"
        );
        assert!(
            text.contains("etcd                         4007  restarted 0"),
            "{text}"
        );
        assert!(
            text.contains("kubelet                     ended  restarted 2"),
            "{text}"
        );
    }

    #[test]
    fn a_cluster_whose_first_process_is_gone_is_not_ready() {
        let gone = Seen {
            first: None,
            ..seen()
        };
        assert!(!gone.is_ready());
        assert_eq!(gone.text(), "default (control plane and node): does not run\n");
    }

    #[test]
    fn a_failure_says_what_did_not_come_to_pass() {
        let state = State {
            phase: Phase::Failed("no etcd".to_owned()),
            components: BTreeMap::new(),
        };
        let failed = Seen {
            first: None,
            state: Some(state),
            ..seen()
        };
        assert!(failed.text().contains("failed: no etcd"), "{}", failed.text());
        assert!(!failed.is_ready());
    }

    #[test]
    fn the_number_inside_is_the_last_one() {
        assert_eq!(inside_number("Name:\tx\nNSpid:\t4007\t7\n"), Some(7));
        assert_eq!(inside_number("Name:\tx\n"), None);
    }
}
