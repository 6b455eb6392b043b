//! Looks whether a sandbox can be made here, by making one.

use super::{LocalSettings, NoWalls, Walls};

/// Tries what runs with [`LocalIsolation::Full`](super::LocalIsolation::Full) need, by starting the launcher once. Blocks for
/// some milliseconds; leaves nothing.
///
/// # Errors
/// Says what is missing here, and what to do about it.
pub fn probe(settings: &LocalSettings) -> Result<Walls, NoWalls> {
    let _ = settings;
    Err(NoWalls::not_linux())
}
