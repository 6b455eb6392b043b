//! A folder of the machine, whose owner's files are the program's own.

use crate::start::{Who, everybody, mount, open_folder, plan, run, said, text};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use sympozium_core::local::sandbox::{Access, MountKind, SandboxPlan};

const OWNER: u32 = 54_322;

fn given(folder: &Path, script: &str) -> SandboxPlan {
    let mut plan = plan(Who::Root, script);
    let kind = MountKind::Bind {
        from: folder.to_owned(),
        access: Access::ReadWrite,
        exec: true,
        owner: Some((OWNER, OWNER)),
        optional: false,
    };
    plan.mounts.push(mount("/workspace", kind));
    plan
}

/// Whether this machine, and the file system of its temporary folder, can do it.
fn possible() -> bool {
    let possible = everybody().contains(&Who::Root) && {
        let folder = open_folder();
        let output = run(Who::Root, &given(folder.path(), "true"));
        println!("{}", text(&output.stderr));
        output.status.success()
    };
    if !possible {
        println!("skipped: owners can't be mapped here");
    }
    possible
}

#[test]
fn files_made_inside_belong_to_the_folders_owner_outside() {
    if !possible() {
        return;
    }
    let folder = open_folder();
    std::fs::write(folder.path().join("roots"), "root's").unwrap();
    std::fs::write(folder.path().join("theirs"), "theirs").unwrap();
    chown(folder.path(), Some(OWNER), Some(OWNER)).unwrap();
    chown(folder.path().join("theirs"), Some(OWNER), Some(OWNER)).unwrap();
    let script = "cd /workspace; stat -c %u . theirs; echo new > new; echo more >> theirs; \
                  (echo x >> roots) 2>/dev/null || echo refused; cat roots";
    assert_eq!(
        said(Who::Root, &given(folder.path(), script)),
        "1000\n1000\nrefused\nroot's"
    );
    let owner = |name: &str| {
        let meta = std::fs::metadata(folder.path().join(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    assert_eq!(owner("new"), (OWNER, OWNER));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("theirs")).unwrap(),
        "theirsmore\n"
    );
}

#[test]
fn no_program_that_runs_as_its_owner_can_be_left_outside() {
    if !possible() {
        return;
    }
    let folder = open_folder();
    chown(folder.path(), Some(OWNER), Some(OWNER)).unwrap();
    let script = "cd /workspace; cp /bin/true t; chmod u+s t 2>/dev/null; chmod g+s t 2>/dev/null; chmod 4755 t 2>/dev/null; \
                  cp /bin/true u; install -m 6755 /bin/true v 2>/dev/null; perl -e 'sysopen(F, \"w\", 65, 04755)' 2>/dev/null; true";
    said(Who::Root, &given(folder.path(), script));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
        seen += 1;
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0, "{:?}: {mode:o}", entry.path());
    }
    assert!(seen >= 2);
}

#[test]
fn an_ordinary_user_cannot_map_owners() {
    if !everybody().contains(&Who::User) {
        return;
    }
    let folder = open_folder();
    let mut plan = given(folder.path(), "true");
    plan.identity = crate::start::identity(Who::User);
    let output = run(Who::User, &plan);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("map the owner of"), "{output:?}");
}
