//! What keeps runs apart from this machine, and the sentence that says so.

use super::limits::{Counts, sentence};
use super::{LocalLimits, LocalWorkspace};

/// What holds for runs in a sandbox here. Found by [`probe`](super::probe).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walls {
    /// The version of Landlock that the kernel has; none where it has none.
    pub landlock: Option<u32>,
    /// What cgroups count for a whole run; none where none can be made.
    pub counted: Option<Counts>,
    /// Whether this program is root, so that the runs' processes are another user, each run's its own.
    pub root: bool,
    /// The workspace that it was asked about.
    pub(super) workspace: LocalWorkspace,
}

impl Walls {
    /// One line for a person: what keeps runs apart, how much they may use, and what is missing.
    pub fn sentence(&self, limits: &LocalLimits) -> String {
        let landlock = self.landlock.map_or("", |_| "Landlock, ");
        let limits = sentence(limits, self.counted, &self.workspace);
        let missing = if self.landlock.is_some() {
            ""
        } else {
            " This kernel has no Landlock, which would be a second wall around files."
        };
        format!("Isolated: namespaces, {landlock}seccomp, no network; {limits}.{missing}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_holds_and_what_is_missing() {
        let walls = Walls {
            landlock: Some(7),
            counted: Some(Counts {
                memory: true,
                processes: true,
            }),
            root: true,
            workspace: LocalWorkspace::Private,
        };
        let limits = LocalLimits::default();
        assert_eq!(
            walls.sentence(&limits),
            "Isolated: namespaces, Landlock, seccomp, no network; at most 4 GiB of memory and 512 processes (cgroup), 1 GiB in \
             /workspace, 256 MiB in each /tmp."
        );
        let less = Walls {
            landlock: None,
            counted: None,
            ..walls
        };
        assert_eq!(
            less.sentence(&limits),
            "Isolated: namespaces, seccomp, no network; at most 4 GiB of memory per process and 512 processes per executor, \
             1 GiB in /workspace, 256 MiB in each /tmp; no cgroup bounds the whole. This kernel has no Landlock, which would \
             be a second wall around files."
        );
    }
}
