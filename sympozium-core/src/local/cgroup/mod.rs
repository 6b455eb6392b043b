//! Groups of processes whose memory and number the kernel bounds together: one per run, in `sympozium/<run UID>`, below or
//! beside the group of this process. Version 1, version 2, or one controller of each.
//!
//! What it must not do: move a process that is not a run's, switch on a controller where that would need it, touch a group
//! that is not in a folder named `sympozium`.
//!
//! All functions block for short times; [`Group::kill`], [`Group::remove`] and [`Base::sweep`] for up to some seconds.

mod find;
mod group;
mod text;

pub use super::limits::Counts;
pub use group::Group;

use super::LocalLimits;
use crate::ids::RunUid;
use find::{Disk, Part};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The folder, in a group that this process may divide, in which groups of runs are.
const FOLDER: &str = "sympozium";

/// An empty group of this age has no run that is still about to start in it.
const OLD: Duration = Duration::from_secs(600);

/// Which version of cgroups bounds runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each controller has a tree of its own.
    V1,
    /// One tree for all controllers.
    V2,
    /// One controller is in the tree of version 2, the other in one of version 1.
    Mixed,
}

/// Where groups of runs can be made. See [`Base::find`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    parts: Vec<Part>,
}

impl Base {
    /// Finds where this process may make groups and have their memory or processes counted; the place that counts most wins.
    /// Makes the folder `sympozium` there and switches its controllers on. `None` = there is no such place: no controllers,
    /// not delegated to this user, read-only (as in most containers), or only to be had by moving other processes.
    pub fn find() -> Option<Self> {
        let mountinfo = fs::read("/proc/self/mountinfo").ok()?;
        let own = fs::read("/proc/self/cgroup").ok()?;
        let mountinfo = String::from_utf8_lossy(&mountinfo);
        let parts = find::choose(&mountinfo, &String::from_utf8_lossy(&own), &Disk);
        (!parts.is_empty()).then_some(Self { parts })
    }

    /// What is counted for each run.
    pub fn counts(&self) -> Counts {
        Counts {
            memory: self.parts.iter().any(|part| part.counts.memory),
            processes: self.parts.iter().any(|part| part.counts.processes),
        }
    }

    /// Which version of cgroups it is.
    pub fn kind(&self) -> Kind {
        let of = |version| self.parts.iter().any(|part| part.version == version);
        match (of(text::Version::One), of(text::Version::Two)) {
            (true, true) => Kind::Mixed,
            (true, false) => Kind::V1,
            (false, _) => Kind::V2,
        }
    }

    /// Makes the group of a run. What an earlier process left of the same run is killed and removed first.
    pub fn make(&self, run: RunUid, limits: &LocalLimits) -> io::Result<Group> {
        let group = self.group(run);
        group.clear()?;
        group.create(limits).inspect_err(|_| {
            // The error that is reported is the first one.
            let _ = group.clear();
        })?;
        Ok(group)
    }

    /// Kills and removes the groups of runs that are not alive, and removes empty ones that are older than ten minutes.
    /// `is_alive` has to be true of a run that somebody else may own: other processes make their groups in the same place.
    pub fn sweep(&self, is_alive: impl Fn(RunUid) -> bool) {
        for part in &self.parts {
            for run in runs_in(&part.dir) {
                let dir = part.dir.join(run.to_string());
                if !is_alive(run) {
                    // What can't be removed now is found again by the next sweep.
                    let _ = self.group(run).clear();
                } else if is_old(&dir) {
                    // Fails, as it should, when a process is in it.
                    let _ = fs::remove_dir(&dir);
                }
            }
        }
    }

    fn group(&self, run: RunUid) -> Group {
        Group::new(&self.parts, run)
    }
}

fn runs_in(dir: &Path) -> Vec<RunUid> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let run: RunUid = name.to_str()?.parse().ok()?;
            // UUIDs can be written in several ways; only ours is ours.
            (run.to_string().as_str() == name).then_some(run)
        })
        .collect()
}

/// A clock that went backwards makes a group young.
fn is_old(dir: &Path) -> bool {
    fs::metadata(dir)
        .and_then(|data| data.modified())
        .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > OLD))
}
