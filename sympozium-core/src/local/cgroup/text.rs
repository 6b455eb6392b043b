//! What the kernel says in `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::path::{Component, Path, PathBuf};

/// A version of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A mounted tree of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) version: Version,
    /// The group that is seen at the mount point.
    root: PathBuf,
    /// The mount point.
    pub(super) at: PathBuf,
    /// For version 1: the options of the file system, among them its controllers.
    options: Vec<String>,
}

impl Tree {
    /// True when this is the tree of that controller of version 1.
    pub(super) fn is_of(&self, controller: &str) -> bool {
        self.version == Version::One && self.options.iter().any(|option| option == controller)
    }

    /// Where a group is seen; `None` when this mount does not show it.
    pub(super) fn path(&self, group: &Path) -> Option<PathBuf> {
        if group.components().any(|part| part == Component::ParentDir) {
            // Outside of this process's cgroup namespace.
            return None;
        }
        let below = group.strip_prefix(&self.root).ok()?;
        Some(self.at.components().chain(below.components()).collect())
    }
}

/// The mounted trees. Those that are mounted last come first: they may cover others.
pub(super) fn trees(mountinfo: &str) -> Vec<Tree> {
    mountinfo.lines().rev().filter_map(tree).collect()
}

fn tree(line: &str) -> Option<Tree> {
    let (mount, system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, at) = (mount.next()?, mount.next()?);
    let mut system = system.split(' ');
    let version = match system.next()? {
        "cgroup" => Version::One,
        "cgroup2" => Version::Two,
        _ => return None,
    };
    let options = system.nth(1)?.split(',').map(str::to_owned).collect();
    Some(Tree {
        version,
        root: unescape(root).into(),
        at: unescape(at).into(),
        options,
    })
}

/// Spaces, tabs, line ends and backslashes are written as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The group of this process in the tree of version 2.
pub(super) fn own_unified(cgroup: &str) -> Option<PathBuf> {
    groups(cgroup)
        .find(|(controllers, _)| controllers.is_empty())
        .map(|(_, path)| path)
}

/// The group of this process in the tree of that controller of version 1.
pub(super) fn own(cgroup: &str, controller: &str) -> Option<PathBuf> {
    groups(cgroup)
        .find(|(controllers, _)| controllers.split(',').any(|name| name == controller))
        .map(|(_, path)| path)
}

fn groups(cgroup: &str) -> impl Iterator<Item = (&str, PathBuf)> {
    cgroup.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        path.starts_with('/').then(|| (controllers, PathBuf::from(path)))
    })
}
