//! The limits of each process, see setrlimit(2). They hold whether or not a cgroup counts the whole.
//!
//! What they can't bound, and what does: pages in pipes, files in memory and inotify watches are memory of the cgroup where
//! there is one; System V and POSIX IPC end with the sandbox's IPC namespace; keys and memory that nobody counts are refused
//! as system calls. Counts that the kernel keeps per user (inotify instances, pages in pipes) are the run's own as root,
//! because its user is; a run of an ordinary user shares them with that user.

use super::limits::{Counts, LocalLimits};
use super::sandbox::{Resource, ResourceLimit};

/// Enough for the timers of a large program. Each queued signal is kernel memory.
const SIGNALS: u64 = 4096;
/// Room for keys in memory that is never swapped out.
const LOCKED_BYTES: u64 = 64 << 10;
/// Hardly a program uses message queues, and they are kernel memory.
const QUEUE_BYTES: u64 = 64 << 10;

/// The limits of each process of a run. `counted` = what cgroups count, `None` where there are none.
///
/// Memory is held to by `RLIMIT_DATA`, and only where no cgroup does it: programs of Go, Node and Java reserve far more
/// address space than they use, so that `RLIMIT_AS` would stop them from starting.
pub fn process_limits(limits: &LocalLimits, counted: Option<Counts>) -> Vec<ResourceLimit> {
    let mut all = vec![
        (Resource::Processes, limits.processes),
        (Resource::FileSize, limits.file_size),
        (Resource::OpenFiles, limits.open_files),
        (Resource::Core, 0),
        (Resource::MessageQueues, QUEUE_BYTES),
        (Resource::Locked, LOCKED_BYTES),
        (Resource::Signals, SIGNALS),
        // A process with a real-time priority keeps everybody else from running at all.
        (Resource::RealTime, 0),
    ];
    if !counted.is_some_and(|counts| counts.memory) {
        all.push((Resource::Data, limits.memory));
    }
    all.into_iter()
        .map(|(resource, value)| ResourceLimit { resource, value })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(limits: &[ResourceLimit], resource: Resource) -> Option<u64> {
        limits
            .iter()
            .find(|limit| limit.resource == resource)
            .map(|limit| limit.value)
    }

    #[test]
    fn memory_is_held_to_per_process_only_where_no_cgroup_counts_it() {
        let limits = LocalLimits::default();
        let counts = |memory, processes| Some(Counts { memory, processes });
        for (counted, data) in [
            (None, Some(limits.memory)),
            (counts(false, false), Some(limits.memory)),
            (counts(false, true), Some(limits.memory)),
            (counts(true, false), None),
            (counts(true, true), None),
        ] {
            let all = process_limits(&limits, counted);
            assert_eq!(value(&all, Resource::Data), data, "{counted:?}");
        }
    }

    #[test]
    fn every_process_has_the_limits_that_no_cgroup_can_give() {
        let limits = LocalLimits {
            processes: 65,
            file_size: 66,
            open_files: 67,
            ..LocalLimits::default()
        };
        for counted in [
            None,
            Some(Counts {
                memory: true,
                processes: true,
            }),
        ] {
            let all = process_limits(&limits, counted);
            for (resource, wanted) in [
                (Resource::Processes, 65),
                (Resource::FileSize, 66),
                (Resource::OpenFiles, 67),
                (Resource::Core, 0),
                (Resource::MessageQueues, 65_536),
                (Resource::Locked, 65_536),
                (Resource::Signals, 4096),
                (Resource::RealTime, 0),
            ] {
                assert_eq!(value(&all, resource), Some(wanted), "{resource:?}");
            }
        }
    }
}
