//! Chooses where groups of runs are made. Looks at the machine through [`Look`] alone, so that all kinds can be tested.

use super::text::{self, Tree, Version};
use super::{Counts, FOLDER};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder in which groups of runs can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) version: Version,
    /// The folder `sympozium`.
    pub(super) dir: PathBuf,
    /// What is counted in it.
    pub(super) counts: Counts,
}

/// What is looked at, and changed, to choose.
pub(super) trait Look {
    /// The text of a file; `None` when it can't be read.
    fn read(&self, file: &Path) -> Option<String>;
    /// True when this process may write to the file, or make folders in the folder.
    fn may_write(&self, path: &Path) -> bool;
    /// True when there is something of that name.
    fn is_there(&self, path: &Path) -> bool;
    /// Makes a folder; true when it is there then.
    fn make(&self, dir: &Path) -> bool;
    /// Writes to a file; true when the kernel took it.
    fn write(&self, file: &Path, text: &str) -> bool;
}

/// The machine itself.
pub(super) struct Disk;

impl Look for Disk {
    fn read(&self, file: &Path) -> Option<String> {
        fs::read_to_string(file).ok()
    }

    fn may_write(&self, path: &Path) -> bool {
        accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
    }

    fn is_there(&self, path: &Path) -> bool {
        path.exists()
    }

    fn make(&self, dir: &Path) -> bool {
        fs::create_dir(dir).is_ok() || dir.is_dir()
    }

    fn write(&self, file: &Path, text: &str) -> bool {
        fs::write(file, text).is_ok()
    }
}

/// The folders in which groups of runs are made, at most one per controller. Empty = nothing can be counted.
///
/// Version 2 comes first. Version 1 counts what version 2 does not, as on machines that have both.
pub(super) fn choose(mountinfo: &str, cgroup: &str, look: &impl Look) -> Vec<Part> {
    let trees = text::trees(mountinfo);
    let mut parts: Vec<Part> = unified(&trees, cgroup, look).into_iter().collect();
    for (controller, counts) in [("memory", MEMORY), ("pids", PROCESSES)] {
        if parts.iter().any(|part| covers(part.counts, counts)) {
            continue;
        }
        let Some(dir) = separate(&trees, cgroup, controller, look) else {
            continue;
        };
        // Two controllers can share one tree.
        match parts.iter_mut().find(|part| part.dir == dir) {
            Some(part) => part.counts = both(part.counts, counts),
            None => parts.push(Part {
                version: Version::One,
                dir,
                counts,
            }),
        }
    }
    parts
}

const MEMORY: Counts = Counts {
    memory: true,
    processes: false,
};
const PROCESSES: Counts = Counts {
    memory: false,
    processes: true,
};

fn both(a: Counts, b: Counts) -> Counts {
    Counts {
        memory: a.memory || b.memory,
        processes: a.processes || b.processes,
    }
}

fn covers(a: Counts, b: Counts) -> bool {
    both(a, b) == a
}

fn number(counts: Counts) -> u8 {
    u8::from(counts.memory) + u8::from(counts.processes)
}

/// Version 1: below this process's own group. Groups may have both processes and groups in them.
fn separate(trees: &[Tree], cgroup: &str, controller: &str, look: &impl Look) -> Option<PathBuf> {
    let own = text::own(cgroup, controller)?;
    trees
        .iter()
        .filter(|tree| tree.is_of(controller))
        .filter_map(|tree| tree.path(&own))
        .filter(|own| may_divide(own, look))
        .map(|own| own.join(FOLDER))
        .find(|dir| look.make(dir))
}

/// True when groups can be made in the folder `sympozium` of this group.
fn may_divide(group: &Path, look: &impl Look) -> bool {
    let dir = group.join(FOLDER);
    if look.is_there(&dir) {
        look.may_write(&dir)
    } else {
        look.may_write(group)
    }
}

/// Version 2: beside this process's own group or one above it, wherever most is counted; the nearest of equal ones.
///
/// Only groups that hold this process are looked at: to go from one group into another, an ordinary user needs to be allowed
/// to write to the `cgroup.procs` of the group that holds both.
fn unified(trees: &[Tree], cgroup: &str, look: &impl Look) -> Option<Part> {
    let own = text::own_unified(cgroup)?;
    let mut places: Vec<(PathBuf, Counts)> = trees
        .iter()
        .filter(|tree| tree.version == Version::Two)
        .filter_map(|tree| Some((tree, tree.path(&own)?)))
        .flat_map(|(tree, own)| {
            let inside = |dir: &&Path| dir.starts_with(&tree.at);
            own.ancestors()
                .take_while(inside)
                .map(Path::to_path_buf)
                .collect::<Vec<_>>()
        })
        .map(|group| {
            let counts = countable(&group, look);
            (group, counts)
        })
        .filter(|(_, counts)| number(*counts) > 0)
        .collect();
    places.sort_by_key(|(_, counts)| std::cmp::Reverse(number(*counts)));
    places
        .into_iter()
        .find_map(|(group, counts)| switch_on(&group, counts, look))
}

/// What could be counted in groups below this one.
fn countable(group: &Path, look: &impl Look) -> Counts {
    let kind = look.read(&group.join("cgroup.type"));
    // The root of all groups has no type. In threaded groups there are no processes, only threads.
    let is_root = kind.is_none();
    if kind.is_some_and(|kind| kind.trim() != "domain")
        || !look.may_write(&group.join("cgroup.procs"))
        || !may_divide(group, look)
    {
        return Counts::default();
    }
    // A controller can't be switched on in a group that has processes of its own, except in the root.
    let is_free = || {
        look.read(&group.join("cgroup.procs"))
            .is_some_and(|processes| processes.trim().is_empty())
    };
    let control = group.join("cgroup.subtree_control");
    let may_switch = look.may_write(&control) && (is_root || is_free());
    let there = look.read(&group.join("cgroup.controllers")).unwrap_or_default();
    let on = look.read(&control).unwrap_or_default();
    let usable = |name| has(&on, name) || (may_switch && has(&there, name));
    Counts {
        memory: usable("memory"),
        processes: usable("pids"),
    }
}

/// Makes the folder and has everything counted in it that can be.
fn switch_on(group: &Path, wanted: Counts, look: &impl Look) -> Option<Part> {
    let dir = group.join(FOLDER);
    if !look.make(&dir) {
        return None;
    }
    let counts = Counts {
        memory: wanted.memory && switch(group, &dir, "memory", look),
        processes: wanted.processes && switch(group, &dir, "pids", look),
    };
    (number(counts) > 0).then_some(Part {
        version: Version::Two,
        dir,
        counts,
    })
}

fn switch(group: &Path, dir: &Path, controller: &str, look: &impl Look) -> bool {
    [group, dir].into_iter().all(|group| {
        let control = group.join("cgroup.subtree_control");
        look.read(&control).is_some_and(|on| has(&on, controller))
            || look.write(&control, &format!("+{controller}"))
    })
}

fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|found| found == word)
}
