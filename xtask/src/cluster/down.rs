//! `cluster down`: ends a cluster and removes all that it made.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::cgroup;
use super::place::Place;
use super::record::Record;
use crate::stage;

/// The kernel ends every process of the namespaces before the first one is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the cluster. It is no error when there is none.
pub(crate) fn down(place: &Place) -> anyhow::Result<()> {
    let start = Instant::now();
    let lock = lock(place)?;
    let existed = place.dir().exists();
    remove(place)?;
    if existed {
        stage::line(&format!("cluster {} down", place.name()), start.elapsed(), "ok");
    } else {
        println!("there is no cluster {}", place.name());
    }
    // Last, and still held: whoever waits for it finds a file without a name, and looks again.
    let removed = std::fs::remove_file(place.lock());
    drop(lock);
    removed.context("remove the lock")
}

/// Kills the first process and with it all others; mounts and links go with the namespaces. Then cgroups and files.
pub(super) fn remove(place: &Place) -> anyhow::Result<()> {
    if let Some(record) = Record::read(&place.record())? {
        record.kill(PATIENCE)?;
    }
    cgroup::remove(&place.cgroup())?;
    match std::fs::remove_dir_all(place.dir()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", place.dir().display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Waits until no other command makes or removes this cluster.
pub(super) fn lock(place: &Place) -> anyhow::Result<File> {
    loop {
        let file = File::create(place.lock()).context("create the lock of the cluster")?;
        file.lock().context("wait for another command on the cluster")?;
        if is_in_place(&file, place) {
            return Ok(file);
        }
    }
}

/// Whether the file that is held is still the one that others would hold.
fn is_in_place(file: &File, place: &Place) -> bool {
    use std::os::unix::fs::MetadataExt;
    let held = file.metadata().map(|data| data.ino());
    let named = std::fs::metadata(place.lock()).map(|data| data.ino());
    matches!((held, named), (Ok(held), Ok(named)) if held == named)
}
