//! Which process of a run sees, reads and changes what.

use super::*;
use crate::local::machine::Part;

const PLACE: &str = "/runs/r";

fn enclosure(workspace: LocalWorkspace) -> Enclosure {
    Enclosure {
        holder: 77,
        identity: Identity::Other { id: 0x7A00_0001 },
        cgroups: vec!["/sys/fs/cgroup/memory/r/cgroup.procs".into()],
        process_limits: Vec::new(),
        memory_is_counted: true,
        machine: Machine::new(
            vec![
                ("/usr".into(), Part::Folder),
                ("/bin".into(), Part::Link("usr/bin".into())),
            ],
            Vec::new(),
        ),
        place: PLACE.into(),
        workspace,
        workspace_owner: Some((1001, 1002)),
    }
}

fn pack(name: &str) -> PackName {
    PackName::new(name).unwrap()
}

fn plan_of(process: &LocalProcess, workspace: LocalWorkspace, sees_workspace: bool) -> SandboxPlan {
    let view = View {
        enclosure: &enclosure(workspace),
        process,
        packs: &[pack("k"), pack("other")],
        limits: &LocalLimits::default(),
        sees_workspace,
        program: Path::new("/opt/x/sympozium"),
        args: vec!["runner".to_owned()],
        env: BTreeMap::new(),
        config: Path::new("/runs/r/c.json"),
        socket: Path::new("/runs/r/gateway.sock"),
    };
    view.plan()
}

fn runner(workspace: LocalWorkspace) -> SandboxPlan {
    plan_of(&LocalProcess::Runner, workspace, true)
}

fn toolbox(workspace: LocalWorkspace, sees_workspace: bool) -> SandboxPlan {
    plan_of(&LocalProcess::Toolbox(pack("k")), workspace, sees_workspace)
}

/// What is bound from the run's folder: `where < from`, and how.
fn bound(plan: &SandboxPlan) -> Vec<String> {
    let binds = plan.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Bind {
            from, access, exec, ..
        } => {
            let from = from.strip_prefix(PLACE).ok()?;
            let access = match access {
                Access::ReadOnly => "ro",
                Access::ReadWrite => "rw",
            };
            let exec = if *exec { " exec" } else { "" };
            Some(format!(
                "{} < {} {access}{exec}",
                mount.at.display(),
                from.display()
            ))
        }
        _ => None,
    });
    binds.collect()
}

#[test]
fn the_agent_sees_the_mailbox_as_in_a_pod() {
    assert_eq!(
        bound(&runner(LocalWorkspace::Private)),
        [
            "/workspace < workspace rw exec",
            "/skills < skills ro",
            "/state < state/runner rw",
            "/run/sympozium/config.json < c.json ro",
            "/memory < memory ro",
            "/run/sympozium/gateway.sock < gateway.sock ro",
            "/ipc/output < ipc/output rw",
            "/ipc/messages < ipc/messages rw",
            "/ipc/spawn < ipc/spawn rw",
            "/ipc/schedules < ipc/schedules rw",
            "/ipc/approvals-out < ipc/approvals-out rw",
            "/ipc/input < ipc/input ro",
            "/ipc/receipts < ipc/receipts ro",
            "/ipc/approvals < ipc/approvals ro",
            "/ipc/tools/k < ipc/tools/k rw",
            "/ipc/tools/other < ipc/tools/other rw",
        ]
    );
}

#[test]
fn an_executor_sees_its_own_requests_and_answers_and_no_socket() {
    assert_eq!(
        bound(&toolbox(LocalWorkspace::Private, true)),
        [
            "/workspace < workspace rw exec",
            "/skills < skills ro",
            "/state < state/of-k rw",
            "/run/sympozium/config.json < c.json ro",
            "/ipc/tools < ipc/tools/k rw",
            "/ipc/approvals < ipc/approvals/k ro",
        ]
    );
    let without = toolbox(LocalWorkspace::Private, false);
    assert!(bound(&without).iter().all(|line| !line.starts_with(WORKSPACE)));
    assert!(without.mounts.iter().any(|mount| mount.at == Path::new(WORK)));
}

#[test]
fn a_given_workspace_is_shown_as_the_programs_own_and_may_be_read_only() {
    for read_only in [true, false] {
        let dir = PathBuf::from("/data/w");
        let given = LocalWorkspace::Given {
            dir: dir.clone(),
            read_only,
        };
        for plan in [runner(given.clone()), toolbox(given, true)] {
            let mount = plan.mounts.iter().find(|mount| mount.at == Path::new(WORKSPACE));
            let access = if read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            };
            let expected = MountKind::Bind {
                from: dir.clone(),
                access,
                exec: true,
                owner: Some((1001, 1002)),
                optional: false,
            };
            assert_eq!(mount.map(|mount| &mount.kind), Some(&expected));
            assert_eq!(plan.files.write.contains(&WORKSPACE.into()), !read_only);
            assert_eq!(plan.files.read.contains(&WORKSPACE.into()), read_only);
        }
    }
}

#[test]
fn commands_reach_nothing_of_the_mailbox_the_state_and_the_program() {
    let machine = enclosure(LocalWorkspace::Private).machine;
    let rules = commands(&machine, &LocalWorkspace::Private, true);
    let all: Vec<_> = rules.read.iter().chain(&rules.write).collect();
    for hidden in [IPC, STATE, OURS, MEMORY, "/", "/run"] {
        assert!(
            all.iter().all(|path| !path.starts_with(hidden) || hidden == "/"),
            "{hidden}"
        );
        assert!(!all.contains(&&PathBuf::from(hidden)), "{hidden}");
    }
    assert_eq!(rules.write, ["/dev", TMP, WORKSPACE].map(PathBuf::from));
}

#[test]
fn the_agent_writes_only_where_it_may_in_the_mailbox() {
    let files = runner(LocalWorkspace::Private).files;
    for (path, may) in [
        ("/ipc/output", true),
        ("/ipc/tools/k", true),
        ("/ipc/approvals-out", true),
        (STATE, true),
        (IPC, false),
        ("/ipc/approvals", false),
        ("/ipc/receipts", false),
        ("/ipc/input", false),
        (SKILLS, false),
        (OURS, false),
    ] {
        assert_eq!(files.write.contains(&path.into()), may, "{path}");
    }
}

#[test]
fn a_program_is_started_by_its_own_name_with_its_configuration() {
    let plan = runner(LocalWorkspace::Private);
    assert_eq!(plan.program, Path::new("/run/sympozium/bin/sympozium"));
    assert_eq!(
        plan.args,
        [
            "runner",
            "--config",
            "/run/sympozium/config.json",
            "--end-with-stdin"
        ]
    );
    assert_eq!(plan.holder, Some(77));
    assert_eq!(plan.syscalls.profile, SyscallProfile::Runner);
    let plan = toolbox(LocalWorkspace::Private, true);
    assert_eq!(plan.syscalls.profile, SyscallProfile::Commands);
    assert!(plan.syscalls.uncounted_memory);
}

#[test]
fn every_parent_is_mounted_before_what_is_in_it() {
    let plan = runner(LocalWorkspace::Private);
    for (index, mount) in plan.mounts.iter().enumerate() {
        let later = plan.mounts.iter().skip(index + 1);
        assert!(
            later.into_iter().all(|later| !mount.at.starts_with(&later.at)),
            "{:?}",
            mount.at
        );
    }
}

#[test]
fn what_only_the_holder_has_is_reached_through_it() {
    let held = enclosure(LocalWorkspace::Private).held(Path::new("/runs/r/ipc"));
    assert_eq!(held, Path::new("/proc/77/root/runs/r/ipc"));
}
