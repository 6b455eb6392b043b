//! An executor of commands, asked through its folder.
#![cfg(all(unix, feature = "toolbox"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, in its helpers too"
)]

#[cfg(target_os = "linux")]
mod confined;
mod way_out;
#[cfg(target_os = "linux")]
mod with_token;

use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use sympozium_core::ids::ToolName;
use sympozium_core::ipc::mailbox::{wait_for, write_json};
use sympozium_core::ipc::{ApprovalAnswer, ApprovalDecision, ExecRequest, ExecResult, FileId, approval_hash};
use sympozium_core::policy::{Policy, RunToolPolicy, ToolAction, ToolGate};
use sympozium_core::skill::TypedTool;
use sympozium_core::toolbox::{ExecClient, MAX_OUTPUT, Toolbox, ToolboxConfig, ToolboxError};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_mins(1);

/// An executor's folders, and its configuration.
struct Bench {
    folder: tempfile::TempDir,
    config: ToolboxConfig,
}

struct Working {
    stop: CancellationToken,
    task: JoinHandle<Result<(), ToolboxError>>,
}

impl Working {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["tools", "approvals", "work/sub", "state"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let config = ToolboxConfig {
            tools_dir: at("tools"),
            approvals_dir: at("approvals"),
            workspace: at("work"),
            workspace_mount: "/workspace".into(),
            shell: "/bin/sh".into(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            gate: ToolGate {
                layers: vec![Policy::local_default().gate_layer()],
                ..ToolGate::default()
            },
            typed_tools: vec![],
            sole: false,
            state_dir: Some(at("state")),
            commands: None,
            proxy: None,
        };
        Self { folder, config }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self) -> Working {
        let stop = CancellationToken::new();
        let toolbox = Toolbox::new(self.config.clone()).with_tmp(self.folder.path());
        let task = tokio::spawn(toolbox.run(stop.clone()));
        Working { stop, task }
    }

    /// As in a pod, where copies are kept for a bridge.
    fn start_recording(&self) -> Working {
        let stop = CancellationToken::new();
        let toolbox = Toolbox::new(self.config.clone()).recording();
        let task = tokio::spawn(toolbox.run(stop.clone()));
        Working { stop, task }
    }

    fn hand_over(&self, request: &ExecRequest) {
        let name = format!("exec-request-{}.json", request.id);
        write_json(&self.config.tools_dir, &name, request).unwrap();
    }

    async fn ask(&self, request: &ExecRequest) -> ExecResult {
        let client = ExecClient::new(self.config.tools_dir.clone());
        client.execute(request, &CancellationToken::new()).await.unwrap()
    }

    /// Starts an executor for this one request.
    async fn once(&self, request: &ExecRequest) -> ExecResult {
        let working = self.start();
        let result = self.ask(request).await;
        working.end().await;
        result
    }

    fn asks_people(mut self) -> Self {
        let mut policy = Policy::local_default();
        policy.tools.default_action = ToolAction::Ask;
        self.config.gate.layers = vec![policy.gate_layer()];
        self
    }

    fn approve(&self, request: &ExecRequest, answer: ApprovalAnswer) {
        let decision = ApprovalDecision {
            id: request.id.clone(),
            answer,
            sha256: approval_hash(&request.approval_form()),
            reason: String::new(),
        };
        let name = format!("{}.json", request.id);
        write_json(&self.config.approvals_dir, &name, &decision).unwrap();
    }

    async fn file(&self, name: &str) -> Vec<u8> {
        let path = self.at(name);
        let (folder, name) = (
            path.parent().unwrap(),
            path.file_name().unwrap().to_str().unwrap(),
        );
        let until = Instant::now() + DEADLINE;
        let found = wait_for(folder, name, until, &CancellationToken::new()).await;
        found.expect("the file comes in time")
    }
}

fn command(id: &str, command: &str) -> ExecRequest {
    let mut request = ExecRequest::new(FileId::new(id).unwrap());
    command.clone_into(&mut request.command);
    request
}

#[tokio::test]
async fn commands_that_are_handed_over_at_once_run_one_after_the_other() {
    let bench = Bench::new();
    for n in 0..4 {
        bench.hand_over(&command(
            &n.to_string(),
            "echo begin >> log; sleep 0.05; echo end >> log",
        ));
    }
    let working = bench.start();
    for n in 0..4 {
        bench.file(&format!("tools/exec-result-{n}.json")).await;
    }
    working.end().await;
    let log = fs::read_to_string(bench.at("work/log")).unwrap();
    assert_eq!(log, "begin\nend\n".repeat(4));
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_and_not_executed_again() {
    let bench = Bench::new();
    let request = command("1", "echo x >> marks; cat marks");
    // The second one comes to another process, which knows only what the first has written down.
    for _ in 0..2 {
        let working = bench.start();
        for _ in 0..2 {
            assert_eq!(bench.ask(&request).await.stdout, "x\n");
        }
        working.end().await;
    }
    assert_eq!(fs::read_to_string(bench.at("work/marks")).unwrap(), "x\n");
}

#[tokio::test]
async fn a_command_that_was_under_way_when_its_executor_was_killed_is_not_executed_again() {
    let bench = Bench::new();
    let request = command("1", "echo x >> marks; touch begun; sleep 1000");
    bench.hand_over(&request);
    let working = bench.start();
    bench.file("work/begun").await;
    // As by SIGKILL: nothing of it runs any more.
    working.task.abort();
    assert!(working.task.await.unwrap_err().is_cancelled());
    let again = bench.start();
    let bytes = bench.file("tools/exec-result-1.json").await;
    again.end().await;
    let result: ExecResult = serde_json::from_slice(&bytes).unwrap();
    assert!(result.refused.unwrap().contains("not executed again"));
    assert_eq!(fs::read_to_string(bench.at("work/marks")).unwrap(), "x\n");
}

#[tokio::test]
async fn a_command_whose_time_is_up_ends_with_all_that_it_started() {
    let bench = Bench::new();
    let mut request = command("1", "(sleep 1000; touch late) & echo begun; sleep 1000");
    request.timeout = Some(1);
    let result = bench.once(&request).await;
    assert_eq!(
        (result.exit_code, result.timed_out, result.stdout.as_str()),
        (124, true, "begun\n")
    );
}

#[tokio::test]
async fn what_a_command_leaves_behind_does_not_hold_up_the_next() {
    let bench = Bench::new();
    let working = bench.start();
    let began = Instant::now();
    for n in 0..3 {
        let result = bench
            .ask(&command(&n.to_string(), "sleep 1000 & echo done"))
            .await;
        assert_eq!((result.exit_code, result.stdout.as_str()), (0, "done\n"));
    }
    working.end().await;
    assert!(began.elapsed() < DEADLINE);
}

#[tokio::test]
async fn outputs_are_bounded_and_what_is_left_out_is_counted() {
    let bench = Bench::new();
    let result = bench
        .once(&command(
            "1",
            "head -c 200000 /dev/zero | tr '\\0' o; echo e >&2; exit 3",
        ))
        .await;
    assert_eq!(
        (result.exit_code, result.stderr.as_str(), result.stderr_cut),
        (3, "e\n", 0)
    );
    assert_eq!(
        (result.stdout.len(), result.stdout_cut),
        (MAX_OUTPUT, 200_000 - MAX_OUTPUT as u64)
    );
}

#[tokio::test]
async fn a_command_sees_its_own_environment_folder_and_input_only() {
    let bench = Bench::new();
    let mut request = command("1", "env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; cat");
    request.stdin = Some("the input".to_owned());
    request.work_dir = Some("/workspace/sub".to_owned());
    let result = bench.once(&request).await;
    let folder = bench.at("work/sub").canonicalize().unwrap();
    let (names, rest) = result.stdout.split_once('/').unwrap();
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<_> = names
        .split_whitespace()
        .filter(|name| !own.contains(name))
        .collect();
    assert_eq!(names, ["PATH"]);
    assert_eq!(format!("/{rest}"), format!("{}\nthe input", folder.display()));
}

#[tokio::test]
async fn a_folder_outside_of_the_workspace_is_refused() {
    let bench = Bench::new();
    std::os::unix::fs::symlink("/", bench.at("work/root")).unwrap();
    for (n, dir) in ["..", "/etc", "/workspace/../tools", "root/etc", "missing"]
        .iter()
        .enumerate()
    {
        let mut request = command(&n.to_string(), "pwd");
        request.work_dir = Some((*dir).to_owned());
        let result = bench.once(&request).await;
        assert!(
            result.refused.is_some() && result.stdout.is_empty(),
            "{dir}: {result:?}"
        );
    }
}

#[tokio::test]
async fn an_executor_decides_by_its_own_rules() {
    let mut bench = Bench::new();
    bench.config.gate.run = RunToolPolicy {
        allow: vec![],
        deny: vec!["execute_*".parse().unwrap()],
    };
    let result = bench.once(&command("1", "touch done")).await;
    assert!(result.refused.unwrap().contains("toolPolicy.deny[0]"));
    bench.config.gate = ToolGate::default();
    assert!(bench.once(&command("2", "touch done")).await.refused.is_some());
    assert!(!bench.at("work/done").exists());
}

#[tokio::test]
async fn only_what_a_person_approved_is_executed() {
    let bench = Bench::new().asks_people();
    let refused = |result: ExecResult| result.refused.unwrap();
    assert!(refused(bench.once(&command("1", "touch one")).await).contains("there is none"));
    let denied = command("2", "touch two");
    bench.approve(&denied, ApprovalAnswer::Denied);
    assert!(refused(bench.once(&denied).await).contains("denied"));
    let other = command("3", "touch three");
    bench.approve(&command("3", "touch something-else"), ApprovalAnswer::Approved);
    assert!(refused(bench.once(&other).await).contains("not what was asked"));
    let large = command("5", "touch five");
    bench.approve(&large, ApprovalAnswer::Approved);
    let path = bench.config.approvals_dir.join("5.json");
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 33)
        .unwrap();
    assert!(refused(bench.once(&large).await).contains("not readable"));
    let linked = command("6", "touch six");
    bench.approve(&linked, ApprovalAnswer::Approved);
    let (path, real) = (bench.config.approvals_dir.join("6.json"), bench.at("real.json"));
    fs::rename(&path, &real).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    assert!(refused(bench.once(&linked).await).contains("not readable"));
    let fine = command("4", "touch four");
    bench.approve(&fine, ApprovalAnswer::Approved);
    assert_eq!(bench.once(&fine).await.exit_code, 0);
    let made: Vec<_> = fs::read_dir(bench.at("work"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(made.len() == 2 && bench.at("work/four").exists(), "{made:?}");
}

#[tokio::test]
async fn a_typed_tool_runs_its_own_template_whatever_else_is_asked() {
    let mut bench = Bench::new();
    let tool = ToolName::new("say").unwrap();
    bench.config.typed_tools = vec![TypedTool {
        name: tool.clone(),
        description: String::new(),
        parameters: json!({"required": ["what"]}),
        argv: vec!["echo".to_owned(), "{{what}}".to_owned()],
        timeout_seconds: 10,
    }];
    let mut request = command("1", "touch done");
    request.tool = Some(tool);
    request.arguments = Some(json!({"what": "$(id); hi"}));
    assert_eq!(bench.once(&request).await.stdout, "$(id); hi\n");
    request.id = FileId::new("2").unwrap();
    request.arguments = Some(json!({}));
    let result = bench.once(&request).await;
    assert_eq!(result.refused.as_deref(), Some("the argument what is needed."));
    request.id = FileId::new("3").unwrap();
    request.tool = Some(ToolName::new("unknown").unwrap());
    assert!(
        bench
            .once(&request)
            .await
            .refused
            .unwrap()
            .contains("has no tool unknown")
    );
    assert!(!bench.at("work/done").exists());
}

#[tokio::test]
async fn files_that_are_no_requests_are_set_aside_and_the_next_is_executed() {
    let bench = Bench::new();
    fs::write(bench.at("tools/exec-request-bad.json"), "{").unwrap();
    let named = serde_json::to_vec(&command("1", "touch done")).unwrap();
    fs::write(bench.at("tools/exec-request-other.json"), named).unwrap();
    let working = bench.start();
    assert_eq!(bench.ask(&command("2", "echo fine")).await.stdout, "fine\n");
    working.end().await;
    assert!(bench.at("tools/rejected/exec-request-bad.json.reason").exists());
    assert!(!bench.at("work/done").exists());
}

#[tokio::test]
async fn a_command_ends_with_its_executor() {
    let bench = Bench::new();
    bench.hand_over(&command("1", "touch begun; sleep 1000"));
    let working = bench.start();
    bench.file("work/begun").await;
    tokio::time::timeout(DEADLINE, working.end())
        .await
        .expect("it ends in time");
    let bytes = bench.file("tools/exec-result-1.json").await;
    let result: ExecResult = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((result.exit_code, result.timed_out), (137, false));
}

#[tokio::test]
async fn nobody_answers_where_no_executor_is_and_what_was_given_up_is_not_executed_later() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let client = ExecClient::new(bench.config.tools_dir.clone());
    let request = command("1", "touch done");
    let asking = client.execute(&request, &cancel);
    let give_up = async {
        bench.file("tools/exec-request-1.json").await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(asking, give_up);
    assert_eq!(answer.unwrap_err().to_string(), "the command was cancelled");
    assert_eq!(bench.once(&command("2", "echo fine")).await.stdout, "fine\n");
    assert!(!bench.at("work/done").exists());
}
