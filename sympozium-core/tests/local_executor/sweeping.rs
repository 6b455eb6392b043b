//! What a dead owner leaves behind, and who may remove it.

use crate::scripts::{Bench, processes_of};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use sympozium_core::error::chain;
use sympozium_core::ids::RunUid;
use sympozium_core::local::LocalExecutor;
use sympozium_core::run::RunExecutor;
use sympozium_core::testing::run_plan;

#[tokio::test(flavor = "multi_thread")]
async fn the_folders_of_dead_owners_go_and_those_of_living_ones_stay() {
    let bench = Bench::new("read _");
    let living = run_plan("the task");
    bench.executor.ensure(&living).await.unwrap();
    let dead = RunUid::random();
    let (left, strange) = (
        bench.root().join(dead.to_string()),
        bench.root().join("not-a-run"),
    );
    fs::create_dir_all(left.join("workspace/closed/deep")).unwrap();
    fs::write(left.join("owner.lock"), "").unwrap();
    fs::set_permissions(left.join("workspace/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::create_dir(&strange).unwrap();
    let mut stray = Command::new("sleep")
        .arg("1000")
        .env("SYMPOZIUM_RUN", dead.to_string())
        .spawn()
        .unwrap();
    let swept = LocalExecutor::sweep(&bench.root()).unwrap();
    assert_eq!((swept.removed, swept.left), (vec![left.clone()], vec![]));
    assert!(!left.exists() && strange.is_dir());
    assert!(!stray.wait().unwrap().success());
    assert!(bench.root().join(living.run.uid.to_string()).is_dir());
    assert!(!processes_of(living.run.uid).is_empty());
    bench.executor.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_living_owner_is_not_taken_over_and_that_of_a_dead_one_is() {
    let bench = Bench::new("read _");
    let plan = run_plan("the task");
    bench.executor.ensure(&plan).await.unwrap();
    let settings = crate::scripts::settings(&bench.root(), "answer again", "read _");
    let other = LocalExecutor::new(settings, bench.gateway.clone());
    let error = other.ensure(&plan).await.unwrap_err();
    assert!(
        chain(&error).contains("another process carries out this run"),
        "{}",
        chain(&error)
    );
    bench.executor.shutdown().await.unwrap();
    fs::create_dir_all(bench.root().join(plan.run.uid.to_string()).join("old")).unwrap();
    other.ensure(&plan).await.unwrap();
    assert!(!bench.root().join(plan.run.uid.to_string()).join("old").exists());
    other.shutdown().await.unwrap();
}

#[test]
fn where_nothing_is_nothing_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let swept = LocalExecutor::sweep(&folder.path().join("no-such-folder")).unwrap();
    assert_eq!((swept.removed.len(), swept.left.len()), (0, 0));
}
