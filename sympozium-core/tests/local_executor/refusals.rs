//! What can't be carried out here, and what does not hold here.

use crate::scripts::{Bench, FileGateway, settings};
use std::collections::BTreeMap;
use std::sync::Arc;
use sympozium_core::error::{Classify, chain};
use sympozium_core::ids::PackName;
use sympozium_core::local::{LocalExecutor, LocalIsolation, LocalProgram, LocalWorkspace, shortfalls};
use sympozium_core::run::{ForeignAgent, Observed, RunExecutor, RunPlan, SandboxPlan};
use sympozium_core::skill::{HostPort, RbacRule, Sidecar, Skill, SkillDocument};
use sympozium_core::testing::run_plan;

fn skill(pack: &str, bins: &[&str]) -> Skill {
    Skill {
        pack: PackName::new(pack).unwrap(),
        builtin: false,
        category: None,
        documents: vec![SkillDocument {
            name: "how".to_owned(),
            description: None,
            content: "Do it.".to_owned(),
            requires_bins: bins.iter().map(|bin| (*bin).to_owned()).collect(),
            requires_tools: vec![],
        }],
        sidecar: Some(Sidecar {
            image: "img".to_owned(),
            command: vec!["x".to_owned()],
            env: BTreeMap::new(),
            mount_workspace: false,
            resources: [("cpu".to_owned(), "1".to_owned())].into(),
            tools: vec![],
            egress: vec![HostPort {
                host: "h".to_owned(),
                port: 1,
            }],
            rbac: vec![RbacRule {
                api_groups: vec![],
                resources: vec!["pods".to_owned()],
                verbs: vec!["get".to_owned()],
            }],
            cluster_rbac: vec![],
        }),
    }
}

/// The refusal of a plan, after which nothing may be there.
async fn refusal(bench: &Bench, plan: &RunPlan) -> String {
    let error = bench.executor.ensure(plan).await.unwrap_err();
    assert_eq!(error.kind(), "unsupported", "{}", chain(&error));
    assert_eq!(
        bench.executor.observe(plan.run.uid).await.unwrap(),
        Observed::Nothing
    );
    assert!(!bench.root().join(plan.run.uid.to_string()).exists());
    error.to_string()
}

#[tokio::test]
async fn a_program_that_a_skill_needs_is_looked_for_before_anything_starts() {
    let bench = Bench::new("answer ok");
    let mut plan = run_plan("the task");
    plan.skills = vec![skill("digest", &["sh", "no-such-program-here"])];
    assert_eq!(
        refusal(&bench, &plan).await,
        "this run can't be carried out here: the skill digest/how needs the program no-such-program-here, which is not in \
         /usr/local/bin, /usr/bin, /bin"
    );
    plan.skills = vec![skill("digest", &["sh", "/bin/sh"])];
    assert_eq!(bench.run(&plan).await.0, 0);
}

#[tokio::test]
async fn images_name_clashes_and_long_paths_are_refused() {
    let bench = Bench::new("answer ok");
    let mut plan = run_plan("the task");
    plan.agent = Some(ForeignAgent {
        image: "their/agent".to_owned(),
        command: vec!["x".to_owned()],
        args: vec![],
    });
    assert!(refusal(&bench, &plan).await.contains("their/agent"));
    plan.agent = None;
    plan.skills = vec![skill("sandbox", &[])];
    plan.sandbox = Some(SandboxPlan::default());
    assert!(refusal(&bench, &plan).await.contains("sandbox"));
    let long = Bench::with(
        "answer ok",
        "read _",
        |s| s.root = s.root.join("x".repeat(100)),
        None,
    );
    assert!(refusal(&long, &run_plan("the task")).await.contains("107 bytes"));
}

#[tokio::test]
async fn a_run_that_can_not_be_started_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Arc::new(FileGateway {
        broken: true,
        ..FileGateway::default()
    });
    let executor = LocalExecutor::new(settings(folder.path(), "answer ok", "read _"), gateway);
    let plan = run_plan("the task");
    let error = executor.ensure(&plan).await.unwrap_err();
    assert!(
        chain(&error).ends_with("the gateway is out of order"),
        "{}",
        chain(&error)
    );
    assert!(!folder.path().join(plan.run.uid.to_string()).exists());

    let change = |s: &mut sympozium_core::local::LocalSettings| {
        s.programs.runner = LocalProgram::new("/no/such/program", ["x"]);
    };
    let bench = Bench::with("", "read _", change, None);
    let mut plan = run_plan("the task");
    plan.sandbox = Some(SandboxPlan::default());
    let error = bench.executor.ensure(&plan).await.unwrap_err();
    assert!(
        chain(&error).starts_with("start /no/such/program as runner of run"),
        "{}",
        chain(&error)
    );
    assert!(!bench.root().join(plan.run.uid.to_string()).exists());
    assert!(bench.gateway.open.lock().unwrap().is_empty());
    assert_eq!(crate::scripts::processes_of(plan.run.uid), Vec::<String>::new());
}

#[test]
fn what_does_not_hold_here_is_said() {
    let mut plan = run_plan("the task");
    let settings = settings(std::path::Path::new("/r"), "", "");
    assert_eq!(shortfalls(&plan, &settings).len(), 1);
    plan.skills = vec![skill("p", &[])];
    plan.sandbox = Some(SandboxPlan {
        image: Some("box".to_owned()),
        requests: [("cpu".to_owned(), "1".to_owned())].into(),
        limits: BTreeMap::new(),
    });
    let said = shortfalls(&plan, &settings).join("\n");
    for part in [
        "not isolated",
        "image img is not used",
        "the image's command is not started",
        "a folder of their own",
        "its resource limits",
        "egress",
        "API server",
        "image box is not used",
        "sandbox's resource limits",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn what_does_not_hold_in_a_sandbox_is_less() {
    let mut plan = run_plan("the task");
    let mut settings = settings(std::path::Path::new("/r"), "", "");
    settings.isolation = LocalIsolation::Full;
    assert_eq!(shortfalls(&plan, &settings), Vec::<String>::new());
    settings.workspace = LocalWorkspace::Given {
        dir: "/w".into(),
        read_only: false,
    };
    plan.skills = vec![skill("p", &[])];
    plan.sandbox = Some(SandboxPlan {
        image: Some("box".to_owned()),
        requests: [("cpu".to_owned(), "1".to_owned())].into(),
        limits: BTreeMap::new(),
    });
    assert_eq!(
        shortfalls(&plan, &settings),
        [
            "Skill p: its image img is not used, commands use this machine's programs.",
            "Skill p: its resource limits are not enforced, those of the whole run are.",
            "Skill p: the image's command is not started.",
            "Skill p: its egress list opens nothing, commands have no network here.",
            "Skill p: it gets no rights at an API server.",
            "The sandbox's image box is not used: commands use this machine's programs.",
            "The sandbox's resource limits are not enforced, those of the whole run are.",
        ]
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_no_sandbox_shows_is_named_with_its_place() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let tool = home.path().join("my-tool");
    std::fs::write(&tool, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let change = |s: &mut sympozium_core::local::LocalSettings| {
        s.isolation = LocalIsolation::Full;
        s.search_path.push(home.path().to_owned());
    };
    let bench = Bench::with("answer ok", "read _", change, None);
    let mut plan = run_plan("the task");
    plan.skills = vec![skill("digest", &["sh", "my-tool"])];
    let refused = refusal(&bench, &plan).await;
    let wanted = format!(
        "needs the program my-tool, which is at {} where a sandbox does not see it; install it below /usr",
        tool.display()
    );
    assert!(refused.contains(&wanted), "{refused}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_a_launcher_that_works_nothing_is_isolated_and_nothing_starts() {
    let change = |s: &mut sympozium_core::local::LocalSettings| s.isolation = LocalIsolation::Full;
    let bench = Bench::with("answer ok", "read _", change, None);
    let plan = run_plan("the task");
    let error = bench.executor.ensure(&plan).await.unwrap_err();
    assert_eq!(error.kind(), "no-sandbox", "{}", chain(&error));
    assert!(chain(&error).contains("--sandbox none"), "{}", chain(&error));
    assert!(!bench.root().join(plan.run.uid.to_string()).exists());
    assert!(bench.gateway.open.lock().unwrap().is_empty());
}
