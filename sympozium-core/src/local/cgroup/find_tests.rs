//! Which place is chosen, on machines that are only text.

use super::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// A tree of groups in memory. Folders that are made in version 2 get files as the kernel would give them.
#[derive(Default)]
struct Fake {
    files: RefCell<BTreeMap<PathBuf, String>>,
    dirs: RefCell<BTreeSet<PathBuf>>,
    writable: Vec<PathBuf>,
    /// Writes to these are refused although their permissions allow them.
    refused: Vec<PathBuf>,
}

impl Fake {
    fn dir(self, dir: &str) -> Self {
        self.dirs.borrow_mut().insert(dir.into());
        self
    }

    /// A group of version 2, with what its type, controllers, subtree control and processes say.
    fn group(self, dir: &str, kind: &str, controllers: &str, on: &str, processes: &str) -> Self {
        {
            let mut files = self.files.borrow_mut();
            let mut file =
                |name: &str, text: &str| files.insert(Path::new(dir).join(name), format!("{text}\n"));
            if kind != "root" {
                file("cgroup.type", kind);
            }
            file("cgroup.controllers", controllers);
            file("cgroup.subtree_control", on);
            file("cgroup.procs", processes);
        }
        self.dir(dir)
    }

    /// Everything below this folder belongs to the user.
    fn owned(mut self, dir: &str) -> Self {
        self.writable.push(dir.into());
        self
    }

    fn refusing(mut self, file: &str) -> Self {
        self.refused.push(file.into());
        self
    }

    fn text(&self, file: &str) -> String {
        self.read(Path::new(file)).unwrap_or_default()
    }
}

impl Look for Fake {
    fn read(&self, file: &Path) -> Option<String> {
        self.files.borrow().get(file).cloned()
    }

    fn may_write(&self, path: &Path) -> bool {
        (self.is_there(path)) && self.writable.iter().any(|dir| path.starts_with(dir))
    }

    fn is_there(&self, path: &Path) -> bool {
        self.dirs.borrow().contains(path) || self.files.borrow().contains_key(path)
    }

    fn make(&self, dir: &Path) -> bool {
        if self.is_there(dir) {
            return true;
        }
        let Some(parent) = dir.parent() else { return false };
        if !self.may_write(parent) {
            return false;
        }
        let on = self.read(&parent.join("cgroup.subtree_control"));
        self.dirs.borrow_mut().insert(dir.into());
        if let Some(on) = on {
            let mut files = self.files.borrow_mut();
            files.insert(dir.join("cgroup.controllers"), on);
            files.insert(dir.join("cgroup.subtree_control"), String::new());
        }
        true
    }

    fn write(&self, file: &Path, text: &str) -> bool {
        if !self.may_write(file) || self.refused.iter().any(|refused| refused == file) {
            return false;
        }
        let word = text.trim_start_matches('+');
        let mut files = self.files.borrow_mut();
        let on = files.entry(file.into()).or_default();
        on.push(' ');
        on.push_str(word);
        true
    }
}

const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const ALL: Counts = Counts {
    memory: true,
    processes: true,
};

fn two(dir: &str, counts: Counts) -> Vec<Part> {
    vec![Part {
        version: Version::Two,
        dir: dir.into(),
        counts,
    }]
}

fn one(dir: &str, counts: Counts) -> Part {
    Part {
        version: Version::One,
        dir: dir.into(),
        counts,
    }
}

/// What systemd makes of a machine: a session over SSH, and the user's own manager with a terminal in it.
fn systemd() -> Fake {
    let root = "/sys/fs/cgroup";
    let user = format!("{root}/user.slice/user-1000.slice");
    let manager = format!("{user}/user@1000.service");
    let every = "cpuset cpu io memory pids";
    Fake::default()
        .group(root, "root", every, every, "1\n2")
        .group(&format!("{root}/user.slice"), "domain", every, "memory pids", "")
        .group(&user, "domain", "memory pids", "memory pids", "")
        .group(
            &format!("{user}/session-3.scope"),
            "domain",
            "memory pids",
            "",
            "700",
        )
        .group(&manager, "domain", "memory pids", "memory pids", "")
        .group(&format!("{manager}/app.slice"), "domain", "memory pids", "", "")
        .group(
            &format!("{manager}/app.slice/term.scope"),
            "domain",
            "",
            "",
            "800",
        )
}

#[test]
fn a_user_in_a_terminal_of_his_own_manager_gets_the_nearest_group_that_is_free_of_processes() {
    let manager = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
    let fake = systemd().owned(manager);
    let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n";
    assert_eq!(
        choose(UNIFIED, own, &fake),
        two(&format!("{manager}/app.slice/sympozium"), ALL)
    );
    for group in ["app.slice", "app.slice/sympozium"] {
        let on = fake.text(&format!("{manager}/{group}/cgroup.subtree_control"));
        assert!(has(&on, "memory") && has(&on, "pids"), "{group}: {on}");
    }
    let term = format!("{manager}/app.slice/term.scope/cgroup.subtree_control");
    assert_eq!(fake.text(&term), "\n", "the group with processes is left alone");
}

#[test]
fn a_user_whose_session_is_not_his_own_managers_finds_no_place() {
    // He may make groups below his manager, but may not move a process from his session to there.
    let fake = systemd().owned("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service");
    let own = "0::/user.slice/user-1000.slice/session-3.scope\n";
    assert_eq!(choose(UNIFIED, own, &fake), []);
}

#[test]
fn root_in_a_session_stays_below_the_slice_of_that_session() {
    let fake = systemd().owned("/sys/fs/cgroup");
    let own = "0::/user.slice/user-1000.slice/session-3.scope\n";
    assert_eq!(
        choose(UNIFIED, own, &fake),
        two("/sys/fs/cgroup/user.slice/user-1000.slice/sympozium", ALL)
    );
}

#[test]
fn the_root_of_all_groups_may_be_divided_although_it_has_processes() {
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "root", "memory pids", "", "1\n2")
        .owned("/sys/fs/cgroup");
    assert_eq!(
        choose(UNIFIED, "0::/\n", &fake),
        two("/sys/fs/cgroup/sympozium", ALL)
    );
    assert_eq!(
        fake.text("/sys/fs/cgroup/cgroup.subtree_control"),
        "\n memory pids"
    );
}

#[test]
fn the_root_of_a_container_with_processes_in_it_is_not_divided() {
    // Its only group holds this process; a controller could be switched on only after moving it.
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "domain", "memory pids", "", "1\n0")
        .owned("/sys/fs/cgroup");
    assert_eq!(choose(UNIFIED, "0::/\n", &fake), []);
    assert!(!fake.is_there(Path::new("/sys/fs/cgroup/sympozium")));
}

#[test]
fn a_read_only_tree_is_no_place() {
    let fake = Fake::default().group("/sys/fs/cgroup", "root", "memory pids", "memory pids", "1");
    assert_eq!(choose(UNIFIED, "0::/\n", &fake), []);
}

#[test]
fn a_container_that_sees_the_machines_tree_uses_the_part_that_it_is_shown() {
    let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "domain", "memory pids", "memory pids", "")
        .group("/sys/fs/cgroup/init", "domain", "memory pids", "", "1")
        .owned("/sys/fs/cgroup");
    assert_eq!(
        choose(mounts, "0::/docker/abc/init\n", &fake),
        two("/sys/fs/cgroup/sympozium", ALL)
    );
    for elsewhere in [
        "0::/docker/other\n",
        "0::/../other\n",
        "0::/docker/abc/../other\n",
    ] {
        assert_eq!(choose(mounts, elsewhere, &fake), [], "{elsewhere}");
    }
}

#[test]
fn threaded_groups_are_no_place() {
    for kind in ["threaded", "domain threaded", "domain invalid"] {
        let fake = Fake::default()
            .group("/sys/fs/cgroup", kind, "memory pids", "memory pids", "")
            .owned("/sys/fs/cgroup");
        assert_eq!(choose(UNIFIED, "0::/\n", &fake), [], "{kind}");
    }
}

#[test]
fn one_controller_is_better_than_none_and_two_are_better_than_a_near_one() {
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "root", "pids", "pids", "1")
        .owned("/sys/fs/cgroup");
    assert_eq!(
        choose(UNIFIED, "0::/\n", &fake),
        two("/sys/fs/cgroup/sympozium", PROCESSES)
    );
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "root", "memory pids", "memory pids", "1")
        .group("/sys/fs/cgroup/a", "domain", "pids", "pids", "")
        .group("/sys/fs/cgroup/a/b", "domain", "pids", "", "9")
        .owned("/sys/fs/cgroup");
    assert_eq!(
        choose(UNIFIED, "0::/a/b\n", &fake),
        two("/sys/fs/cgroup/sympozium", ALL)
    );
}

#[test]
fn what_the_kernel_refuses_to_switch_on_is_not_said_to_be_counted() {
    let fake = Fake::default()
        .group("/sys/fs/cgroup", "root", "memory pids", "", "1")
        .owned("/sys/fs/cgroup")
        .refusing("/sys/fs/cgroup/sympozium/cgroup.subtree_control");
    assert_eq!(choose(UNIFIED, "0::/\n", &fake), []);
}

const SEPARATE: &str = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn version_1_is_used_where_version_2_has_no_controllers() {
    let fake = Fake::default()
        .dir("/sys/fs/cgroup/memory/outer/inner")
        .dir("/sys/fs/cgroup/pids")
        .group("/sys/fs/cgroup/unified", "root", "hugetlb", "", "1")
        .owned("/sys/fs/cgroup");
    let own = "9:name=systemd:/\n8:pids:/\n4:memory:/outer/inner\n0::/\n";
    assert_eq!(
        choose(SEPARATE, own, &fake),
        [
            one("/sys/fs/cgroup/memory/outer/inner/sympozium", MEMORY),
            one("/sys/fs/cgroup/pids/sympozium", PROCESSES)
        ]
    );
    assert!(!fake.is_there(Path::new("/sys/fs/cgroup/unified/sympozium")));
}

#[test]
fn each_version_counts_what_the_other_one_does_not() {
    let fake = Fake::default()
        .dir("/sys/fs/cgroup/memory")
        .dir("/sys/fs/cgroup/pids")
        .group("/sys/fs/cgroup/unified", "root", "pids", "", "1")
        .owned("/sys/fs/cgroup");
    let found = choose(SEPARATE, "8:pids:/\n4:memory:/\n0::/\n", &fake);
    assert_eq!(found.len(), 2);
    assert_eq!(found[..1], two("/sys/fs/cgroup/unified/sympozium", PROCESSES));
    assert_eq!(found[1], one("/sys/fs/cgroup/memory/sympozium", MEMORY));
    assert_eq!(
        super::super::Base { parts: found }.kind(),
        super::super::Kind::Mixed
    );
}

#[test]
fn two_controllers_in_one_tree_share_one_folder() {
    let mounts = "35 31 0:32 / /cg\\040roups/both rw - cgroup cgroup rw,memory,pids\n";
    let fake = Fake::default().dir("/cg roups/both").owned("/cg roups/both");
    assert_eq!(
        choose(mounts, "4:memory,pids:/\n", &fake),
        [one("/cg roups/both/sympozium", ALL)]
    );
}

#[test]
fn a_user_gets_a_folder_of_version_1_that_root_gave_to_him() {
    let own = "8:pids:/\n4:memory:/\n";
    let given = Fake::default()
        .dir("/sys/fs/cgroup/memory")
        .dir("/sys/fs/cgroup/memory/sympozium")
        .dir("/sys/fs/cgroup/pids")
        .owned("/sys/fs/cgroup/memory/sympozium");
    assert_eq!(
        choose(SEPARATE, own, &given),
        [one("/sys/fs/cgroup/memory/sympozium", MEMORY)]
    );
    // The folder of somebody else is none.
    let foreign = Fake::default()
        .dir("/sys/fs/cgroup/memory")
        .dir("/sys/fs/cgroup/memory/sympozium")
        .dir("/sys/fs/cgroup/pids");
    assert_eq!(choose(SEPARATE, own, &foreign), []);
}

#[test]
fn text_that_makes_no_sense_is_no_place() {
    let fake = Fake::default().owned("/");
    for (mounts, own) in [
        ("", ""),
        (UNIFIED, ""),
        (UNIFIED, "0::\n"),
        (UNIFIED, "0::relative\n"),
        ("30 23 0:26\n - \n - cgroup2\n", "0::/\n"),
        (SEPARATE, "4:memory\n:::\n\n8\n"),
        ("30 23 0:26 / /x rw - cgroup2 cgroup2", "0::/\n"),
    ] {
        assert_eq!(choose(mounts, own, &fake), [], "{mounts:?} {own:?}");
    }
}
