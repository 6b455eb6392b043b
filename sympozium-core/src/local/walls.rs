//! What keeps runs apart from this machine, and the sentence that says so.

use super::LocalLimits;

/// What holds for runs in a sandbox here. Found by [`probe`](super::probe).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walls {
    /// The version of Landlock that the kernel has; none where it has none.
    pub landlock: Option<u32>,
    /// Whether the runs' processes are another user than this program, which is root.
    pub root: bool,
}

impl Walls {
    /// One line for a person: what keeps runs apart, how much they may use, and what is missing.
    pub fn sentence(&self, limits: &LocalLimits) -> String {
        let _ = limits;
        let landlock = self.landlock.map_or("", |_| "Landlock, ");
        let mut text = format!("Isolated: namespaces, {landlock}seccomp, no network.");
        if self.landlock.is_none() {
            text.push_str(" This kernel has no Landlock, which would be a second wall around files.");
        }
        text
    }
}
