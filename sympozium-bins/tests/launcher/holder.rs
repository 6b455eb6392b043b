//! The process that keeps a run's private file systems.

use crate::start::{
    Started, USER, Who, bind, command, everybody, identity, open_folder, output, plan, root_here, run, said,
    text, until,
};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use sympozium_core::local::sandbox::{Access, Folder, HolderPlan};
use tempfile::TempDir;

struct Held {
    place: TempDir,
    holder: Started,
}

impl Held {
    fn new(who: Who) -> Self {
        let place = open_folder();
        let folders: Vec<_> = ["workspace", "ipc"].map(|name| place.path().join(name)).into();
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
            if root_here() && who == Who::User {
                std::os::unix::fs::chown(folder, Some(USER), Some(USER)).unwrap();
            }
        }
        let folder = |at: PathBuf| Folder {
            at,
            bytes: 1 << 20,
            files: 50,
        };
        let plan = HolderPlan {
            identity: identity(who),
            cgroups: vec![],
            folders: folders.into_iter().map(folder).collect(),
        };
        Self {
            holder: Started::holder(who, &plan),
            place,
        }
    }

    /// A file of the run's place, as the host program sees it.
    fn outside(&self, path: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid()));
        root.join(self.place.path().strip_prefix("/").unwrap()).join(path)
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    fn plan(&self, who: Who, script: &str) -> sympozium_core::local::sandbox::SandboxPlan {
        let mut plan = plan(who, script);
        plan.holder = Some(self.holder.pid());
        plan.mounts
            .push(bind(self.inside("workspace"), "/workspace", Access::ReadWrite));
        plan
    }
}

#[test]
fn what_one_program_leaves_the_next_one_and_the_host_program_find_and_nobody_else() {
    for who in everybody() {
        let mut held = Held::new(who);
        said(who, &held.plan(who, "echo words > /workspace/file"));
        assert_eq!(
            said(who, &held.plan(who, "cat /workspace/file; id -un")),
            "words\nagent",
            "{who:?}"
        );
        assert_eq!(
            std::fs::read_to_string(held.outside("workspace/file")).unwrap(),
            "words\n"
        );
        let mut writes = command(who, "/bin/sh");
        writes
            .args(["-c", "printf given > \"$0\""])
            .arg(held.outside("workspace/other"));
        assert!(output(&mut writes).status.success(), "{who:?}");
        assert_eq!(
            said(who, &held.plan(who, "cat /workspace/other")),
            "given",
            "{who:?}"
        );
        let on_the_machine = std::fs::read_dir(held.inside("workspace")).unwrap();
        assert_eq!(
            on_the_machine.count(),
            0,
            "{who:?}: nothing is mounted where others see it"
        );
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(held.place.path().to_str().unwrap()), "{mounts}");
        drop(held.holder.stdin.take());
        assert_eq!(held.holder.code(), Some(0));
    }
}

#[test]
fn files_of_a_run_belong_to_its_own_user() {
    for who in everybody() {
        let held = Held::new(who);
        said(who, &held.plan(who, "echo x > /workspace/file"));
        let owner = std::fs::metadata(held.outside("workspace/file")).unwrap().uid();
        let expected = match who {
            Who::Root => crate::start::HIGH,
            Who::User if root_here() => USER,
            Who::User => rustix::process::geteuid().as_raw(),
        };
        assert_eq!(owner, expected, "{who:?}");
    }
}

#[test]
fn a_full_folder_is_full_for_the_run_alone() {
    for who in everybody() {
        let held = Held::new(who);
        let bytes = "head -c 5000000 /dev/zero > /workspace/large 2>/dev/null || stat -c %s /workspace/large";
        assert_eq!(said(who, &held.plan(who, bytes)), "1048576", "{who:?}");
        let files =
            "rm /workspace/large; i=0; while (: > /workspace/$i) 2>/dev/null; do i=$((i+1)); done; echo $i";
        let count: u32 = said(who, &held.plan(who, files)).parse().unwrap();
        assert!((40..=50).contains(&count), "{who:?}: {count}");
    }
}

#[test]
fn links_that_a_program_left_are_never_followed_by_the_launcher() {
    for who in everybody() {
        let held = Held::new(who);
        let script = "ln -s /etc /workspace/link; mkdir /workspace/real; ln -s ../real /workspace/real/loop; \
                      ln -s /tmp /workspace/approvals";
        said(who, &held.plan(who, script));
        for from in ["workspace/link", "workspace/link/passwd", "workspace/real/loop"] {
            let mut plan = held.plan(who, "ls /seen");
            plan.mounts
                .push(bind(held.inside(from), "/seen", Access::ReadOnly));
            let output = run(who, &plan);
            assert_eq!(output.status.code(), Some(125), "{who:?}: {from}");
            assert!(text(&output.stderr).contains("os error 40"), "{output:?}");
        }
        for at in [
            "/workspace/approvals",
            "/workspace/approvals/below",
            "/workspace/link/passwd",
        ] {
            let mut plan = held.plan(who, "ls /tmp");
            plan.mounts.push(bind("/usr", at, Access::ReadOnly));
            let output = run(who, &plan);
            assert_eq!(output.status.code(), Some(125), "{who:?}: {at}");
        }
    }
}

#[test]
fn a_read_only_view_can_lie_over_a_part_of_a_folder_that_can_be_written() {
    for who in everybody() {
        let held = Held::new(who);
        said(
            who,
            &held.plan(who, "mkdir /workspace/in; echo x > /workspace/in/x"),
        );
        let mut plan = held.plan(who, "cat /workspace/in/x; ! (: > /workspace/in/y) 2>/dev/null && ! rmdir /workspace/in 2>/dev/null && : > /workspace/z");
        plan.mounts.push(bind(
            held.inside("workspace/in"),
            "/workspace/in",
            Access::ReadOnly,
        ));
        assert_eq!(said(who, &plan), "x", "{who:?}");
    }
}

#[test]
fn a_killed_holder_takes_its_folders_with_it() {
    for who in everybody() {
        let held = Held::new(who);
        said(who, &held.plan(who, ": > /workspace/x"));
        let outside = held.outside("workspace/x");
        assert!(outside.exists());
        held.holder.signal(rustix::process::Signal::KILL);
        until("the end of the folders", || !outside.exists());
        assert!(
            Path::new(&held.inside("workspace"))
                .read_dir()
                .unwrap()
                .next()
                .is_none()
        );
    }
}
