//! What processes of a run are given, and what is left of them.

use crate::scripts::{Bench, processes_of};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use sympozium_core::ids::PackName;
use sympozium_core::local::{LocalEvent, LocalExecutor, LocalProcess, LocalWorkspace};
use sympozium_core::memory::{InMemoryMemories, Memory, MemoryStore};
use sympozium_core::run::{MemoryPlan, RunExecutor, RunnerConfig, SandboxPlan};
use sympozium_core::testing::run_plan;
use sympozium_core::toolbox::ToolboxConfig;

fn sandbox() -> LocalProcess {
    LocalProcess::Toolbox(PackName::new("sandbox").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_made_from_nothing() {
    let bench = Bench::new(r#"answer "$(env | cut -d= -f1 | sort | tr '\n' ' ')""#);
    let listed = ["HOME", "LANG", "PATH", "SYMPOZIUM_RUN", "TERM", "TMPDIR"];
    let leaks = std::env::vars().any(|(name, _)| !listed.contains(&name.as_str()));
    assert!(leaks, "there is something to leak");
    // PWD, OLDPWD, SHLVL and _ are the shell's own.
    let names = bench.answer().await;
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<&str> = names
        .split_whitespace()
        .filter(|name| !own.contains(name))
        .collect();
    assert_eq!(names, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_its_folders_and_its_configuration_names_them() {
    let bench = Bench::new(r#"cp "$2" "$(dirname "$2")/../workspace/seen"; answer ok; read _"#);
    let mut plan = run_plan("the task");
    plan.memory = Some(MemoryPlan { max_bytes: 1000 });
    plan.sandbox = Some(SandboxPlan::default());
    let memories = InMemoryMemories::new();
    let memory = Memory {
        text: "## A\nb\n".to_owned(),
        version: String::new(),
    };
    memories.save(&plan.instance, memory).await.unwrap();
    let executor = bench.executor.memories(Arc::new(memories));
    executor.ensure(&plan).await.unwrap();
    let dir = bench.folder.path().join("runs").join(plan.run.uid.to_string());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let read = |path: &str| std::fs::read(dir.join(path)).unwrap();
    // Within the private folder, the user of a sandbox may read it.
    assert_eq!(mode(&dir.join("runner/config.json")), 0o644);
    let runner: RunnerConfig = serde_json::from_slice(&read("runner/config.json")).unwrap();
    assert_eq!(runner.workspace.dir, dir.join("workspace"));
    assert_eq!(read("memory/MEMORY.md"), b"## A\nb\n");
    let toolbox: ToolboxConfig = serde_json::from_slice(&read("exec/sandbox/config.json")).unwrap();
    assert_eq!(toolbox.workspace, dir.join("workspace"));
    assert!(toolbox.tools_dir.is_dir() && toolbox.approvals_dir.is_dir());
    executor.shutdown().await.unwrap();
    assert!(!dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_workspace_stays_when_the_run_goes() {
    let given = tempfile::tempdir().unwrap();
    let dir = given.path().to_owned();
    let change = |settings: &mut sympozium_core::local::LocalSettings| {
        settings.workspace = LocalWorkspace::Given { dir, read_only: true };
    };
    let bench = Bench::with(
        r#"answer "$(grep -o '"readOnly":true' "$2" | head -1 | tr -d '"')""#,
        "read _",
        change,
        None,
    );
    assert_eq!(bench.answer().await, "readOnly:true");
    let warned = |event: &LocalEvent| matches!(event, LocalEvent::Shortfall(text) if text.contains("File tools only read"));
    assert!(bench.told.all().iter().any(warned));
    bench.executor.shutdown().await.unwrap();
    assert!(given.path().is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_bounded_and_the_end_of_a_complaint_is_told() {
    let bench =
        Bench::new("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo the end >&2; exit 9");
    let plan = run_plan("the task");
    assert_eq!(bench.run(&plan).await, (9, None));
    let ended = |event: &LocalEvent| match event {
        LocalEvent::Ended {
            process: LocalProcess::Runner,
            complaint,
            ..
        } => Some(complaint.clone()),
        _ => None,
    };
    let complaint = bench.told.wait(1, ended).await.remove(0);
    assert!(
        complaint.ends_with("the end") && complaint.len() <= 4096,
        "{}",
        complaint.len()
    );
    let log = |name: &str| {
        let path = bench
            .root()
            .join(plan.run.uid.to_string())
            .join("runner")
            .join(name);
        std::fs::metadata(path).unwrap().len()
    };
    assert_eq!((log("stdout.log"), log("stderr.log")), (1 << 20, 1 << 20));
}

/// Hides a process from its group and session, as well as a shell can.
const HIDE: &str = r#"
hide() { setsid sh -c 'trap "" TERM HUP; (trap "" TERM HUP; sleep 1000) & sleep 1000' > /dev/null 2>&1 & }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_run_started_ends_with_it() {
    for (agent, cancel) in [
        ("hide; answer ok", false),
        ("hide; kill -9 $$", false),
        (
            "hide; echo up | put output stream-0.json; trap '' TERM; while :; do sleep 0.01; done",
            true,
        ),
    ] {
        let toolbox = format!("{HIDE}\nhide; read _");
        let bench = Bench::with(&format!("{HIDE}\n{agent}"), &toolbox, |_| {}, None);
        let mut plan = run_plan("the task");
        plan.sandbox = Some(SandboxPlan::default());
        bench.executor.ensure(&plan).await.unwrap();
        if cancel {
            let rejected = |event: &LocalEvent| matches!(event, LocalEvent::Rejected { .. }).then_some(());
            bench.told.wait(1, rejected).await;
            assert!(processes_of(plan.run.uid).len() >= 3, "{agent}");
            bench.executor.cancel(plan.run.uid).await.unwrap();
        }
        bench.end(plan.run.uid).await;
        assert_eq!(processes_of(plan.run.uid), Vec::<String>::new(), "{agent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_killed_at_once_when_it_is_wished() {
    let bench = Bench::with(
        "trap '' TERM; echo up | put output stream-0.json; while :; do sleep 0.01; done",
        "read _",
        |settings| {
            settings.grace = std::time::Duration::from_hours(1);
        },
        None,
    );
    let plan = run_plan("the task");
    bench.executor.ensure(&plan).await.unwrap();
    let rejected = |event: &LocalEvent| matches!(event, LocalEvent::Rejected { .. }).then_some(());
    bench.told.wait(1, rejected).await;
    bench.executor.cancel(plan.run.uid).await.unwrap();
    bench.executor.kill(plan.run.uid).await;
    assert_eq!(bench.end(plan.run.uid).await, (137, None));
    assert_eq!(processes_of(plan.run.uid), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_is_started_again_a_few_times() {
    let bench = Bench::with("read _", "exit 7", |_| {}, None);
    let mut plan = run_plan("the task");
    plan.sandbox = Some(SandboxPlan::default());
    bench.executor.ensure(&plan).await.unwrap();
    let ended = |event: &LocalEvent| match event {
        LocalEvent::Ended {
            process, exit_code, ..
        } if *process == sandbox() => Some(*exit_code),
        _ => None,
    };
    assert_eq!(bench.told.wait(4, ended).await, [7, 7, 7, 7]);
    bench.executor.cancel(plan.run.uid).await.unwrap();
    bench.end(plan.run.uid).await;
    let started =
        |event: &LocalEvent| matches!(event, LocalEvent::Started { process, .. } if *process == sandbox());
    assert_eq!(bench.told.all().into_iter().filter(started).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_end_when_their_owner_is_gone() {
    let bench = Bench::new("echo up | put output stream-0.json; read _");
    let plan = run_plan("the task");
    bench.executor.ensure(&plan).await.unwrap();
    let rejected = |event: &LocalEvent| matches!(event, LocalEvent::Rejected { .. }).then_some(());
    bench.told.wait(1, rejected).await;
    let (root, run) = (bench.root(), plan.run.uid);
    drop(bench.executor);
    let gone = async {
        while !processes_of(run).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::scripts::DEADLINE, gone)
        .await
        .expect("the agent ends in time");
    LocalExecutor::sweep(&root).unwrap();
}
