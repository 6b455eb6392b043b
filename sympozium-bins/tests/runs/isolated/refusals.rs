//! Runs that can't be started: what is said, and that nothing is left.

use crate::by_hand::in_time;
use crate::isolated_bench::{Bench, groups, processes, settings};
use crate::local::{Sockets, plan};
use crate::model::Model;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sympozium_core::error::chain;
use sympozium_core::local::{LocalExecutor, LocalProgram, LocalSettings, LocalWorkspace, NoWalls};
use sympozium_core::run::{ExecError, RunExecutor};

/// What is said of a run that can't be started. Nothing is left of it.
async fn refusal(change: impl FnOnce(&mut LocalSettings)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("r");
    let mut settings = settings(&root);
    change(&mut settings);
    let executor = LocalExecutor::new(settings, Arc::new(Sockets::new(&Model::new(vec![]))));
    let plan = plan();
    let error = in_time("the refusal", executor.ensure(&plan)).await.unwrap_err();
    assert!(!root.join(plan.run.uid.to_string()).exists());
    assert!(groups(plan.run.uid).is_empty() && processes(plan.run.uid).is_empty());
    if let ExecError::NoSandbox { source } = &error {
        assert!(source.downcast_ref::<NoWalls>().is_some());
    }
    chain(&error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_would_show_other_runs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    let said = refusal(|settings| {
        settings.root = dir.join("r");
        settings.workspace = LocalWorkspace::Given {
            dir,
            read_only: false,
        };
    })
    .await;
    assert!(said.contains("one within the other"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launcher_that_does_not_work_is_named() {
    if Bench::saying(vec![]).is_none() {
        return;
    }
    let launcher = |program: &str, args: &[&str]| {
        let launcher = LocalProgram::new(program, args);
        refusal(move |settings| settings.programs.sandbox = launcher)
    };
    let said = launcher("/nowhere/launcher", &[]).await;
    assert!(
        said.contains("/nowhere/launcher") && said.contains("No such file"),
        "{said}"
    );
    let said = launcher("/bin/sh", &["-c", "echo '{rubbish'; echo broken >&2"]).await;
    assert!(said.contains("/bin/sh") && said.contains("broken"), "{said}");
    let said = launcher("/bin/sh", &["-c", "while :; do echo rubbish; done"]).await;
    assert!(said.contains("/bin/sh") && said.contains("understood"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    if Bench::saying(vec![]).is_none() {
        return;
    }
    let nowhere = || LocalProgram::new("/nowhere/program", Vec::<String>::new());
    for said in [
        refusal(|settings| settings.programs.runner = nowhere()).await,
        refusal(|settings| settings.programs.toolbox = nowhere()).await,
    ] {
        assert!(
            said.contains("/nowhere/program") && said.contains("No such file"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_does_not_work_is_named() {
    let Some(bench) = Bench::saying(vec![]) else {
        return;
    };
    for (script, expected) in [
        ("echo rubbish; exec sleep 1000", "rubbish"),
        ("echo broken >&2; exit 3", "broken"),
        ("exit 0", "without a word"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder.path().join("r"));
        settings.programs.sandbox = LocalProgram::new("/bin/sh", ["-c", script]);
        let sockets = Arc::new(Sockets::new(&Model::new(vec![])));
        let executor = LocalExecutor::new(settings, sockets).walls(bench.walls.clone());
        let plan = plan();
        let begun = Instant::now();
        let error = in_time("the refusal", executor.ensure(&plan)).await.unwrap_err();
        let said = chain(&error);
        assert!(
            said.contains("start the holder") && said.contains(expected),
            "{said}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(processes(plan.run.uid).is_empty() && groups(plan.run.uid).is_empty());
    }
}
