//! What a cluster could leave behind: processes, its cgroup, its folder. Tests look for it after the end.

use std::path::PathBuf;

use anyhow::Context;

use super::place::Place;
use super::record::Record;
use super::{cgroup, status};

/// Where to look for one cluster, taken while it runs.
#[derive(Debug)]
pub(crate) struct Traces {
    place: Place,
    record: Record,
    /// What the link `/proc/<pid>/ns/pid` of the first process says.
    namespace: PathBuf,
}

impl Traces {
    /// Of a running cluster.
    pub(crate) fn of(place: &Place) -> anyhow::Result<Self> {
        let record = Record::read(&place.record())?.context("the cluster has no record")?;
        let namespace = status::namespace(record.pid).context("the cluster does not run")?;
        Ok(Self {
            place: place.clone(),
            record,
            namespace,
        })
    }

    /// Whether its first process still runs.
    pub(crate) fn runs(&self) -> bool {
        self.record.is_alive()
    }

    /// Processes that are left, by their numbers outside.
    pub(crate) fn processes(&self) -> Vec<i32> {
        status::processes_in(&self.namespace)
    }

    /// Folders that are left.
    pub(crate) fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut folders = cgroup::folders(&self.place.cgroup())?;
        folders.extend([self.place.dir().to_path_buf(), self.place.lock()]);
        Ok(folders.into_iter().filter(|folder| folder.exists()).collect())
    }
}
