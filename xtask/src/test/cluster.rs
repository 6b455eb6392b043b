//! The tests that need a real cluster, in one that lives exactly as long as they do.
//!
//! It must not outlive this program, however that ends: its first process watches a pipe that only this process holds.
//! What a killed run leaves on disk, the next one removes. Entry: [`stage`].

use std::io::PipeWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::images;
use crate::cluster::{self, Mode, Place};
use crate::counts::Counts;
use crate::repo;
use crate::stage as stages;

const NAME: &str = "test cluster";

/// The kernel ends all processes at once; a loaded machine gets this much.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// Clusters of test runs are called this and the number of the process.
const PREFIX: &str = "test-";

/// Runs the tests, or says why that is not possible here.
pub(super) fn stage() -> Counts {
    let mut counts = match cluster::go_tests() {
        Ok(mut tests) => super::run_stage("tests of the test cluster's Go code", &mut tests, Counts::from_go),
        Err(error) => super::skip("tests of the test cluster's Go code", &format!("{error:#}")),
    };
    if let Err(error) = cluster::is_possible(Mode::Full) {
        counts += super::skip(NAME, &format!("{error:#}"));
        return counts;
    }
    remove_leftovers();
    let start = Instant::now();
    counts += match Running::start() {
        Ok(running) => {
            running.smoke() + running.cargo_tests() + images::stage(&running.place) + running.end()
        }
        Err(error) => {
            stages::line(NAME, start.elapsed(), "FAILED");
            println!("{error:#}");
            Counts::FAILED
        }
    };
    counts
}

/// A cluster that ends with this value, or with this process.
struct Running {
    place: Place,
    /// Closing it ends the cluster.
    owner: Option<PipeWriter>,
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let place = Place::of(format!("{PREFIX}{}", std::process::id()).parse()?)?;
        let (reader, owner) = std::io::pipe().context("make a pipe")?;
        // From here on, dropping removes what `up` may have begun.
        let running = Self {
            place,
            owner: Some(owner),
        };
        cluster::up(&running.place, Mode::Full, Some(reader))?;
        Ok(running)
    }

    fn smoke(&self) -> Counts {
        let start = Instant::now();
        match cluster::smoke(&self.place) {
            Ok(report) => {
                let counts = report.counts();
                let word = if counts.failed == 0 { "ok" } else { "FAILED" };
                stages::line(NAME, start.elapsed(), &format!("{word} ({counts})"));
                counts
            }
            Err(error) => {
                stages::line(NAME, start.elapsed(), "FAILED");
                println!("{error:#}");
                Counts::FAILED
            }
        }
    }

    /// Those of our own tests that need a cluster.
    fn cargo_tests(&self) -> Counts {
        let mut command = repo::cargo(&[
            "test",
            "-p",
            "sympozium-k8s",
            "--all-features",
            "--no-fail-fast",
            "--tests",
            "--",
            "--ignored",
            super::ON_AN_API_SERVER,
        ]);
        command.env("KUBECONFIG", self.place.kubeconfig());
        super::run_stage("tests on the cluster", &mut command, Counts::from_cargo)
    }

    /// Ends the cluster as the death of this program would, and looks for what is left.
    fn end(mut self) -> Counts {
        let start = Instant::now();
        let result = self.ends_with_its_owner();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        stages::line(
            "a test cluster ends with its owner, and leaves nothing",
            start.elapsed(),
            word,
        );
        match result {
            Ok(()) => Counts::PASSED,
            Err(error) => {
                println!("{error:#}");
                Counts::FAILED
            }
        }
    }

    fn ends_with_its_owner(&mut self) -> anyhow::Result<()> {
        let traces = cluster::Traces::of(&self.place)?;
        drop(self.owner.take());
        let start = Instant::now();
        while traces.runs() {
            if start.elapsed() > END_DEADLINE {
                bail!(
                    "the cluster still runs {} s after its owner has gone",
                    END_DEADLINE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let processes = traces.processes();
        if !processes.is_empty() {
            bail!("processes are left: {processes:?}");
        }
        cluster::down(&self.place)?;
        let folders = traces.folders()?;
        if !folders.is_empty() {
            bail!("folders are left: {folders:?}");
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.place.dir().exists() {
            return;
        }
        if let Err(error) = cluster::down(&self.place) {
            eprintln!("the test cluster was not removed: {error:#}");
        }
    }
}

/// Clusters of test runs that are over. Their processes have ended with the runs; files and cgroups are left.
fn remove_leftovers() {
    for place in Place::all().unwrap_or_default() {
        let name = place.name().to_string();
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|number| number.parse::<u32>().ok());
        let is_over = owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if is_over && let Err(error) = cluster::down(&place) {
            eprintln!("the cluster {name} of an earlier run was not removed: {error:#}");
        }
    }
}
