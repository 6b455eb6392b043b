//! How a runner ends, against a fake gateway: exit code, result, and what the gateway was asked.

use super::fake_gateway::{FakeGateway, Play, State};
use super::{GatewayEndpoint, RunnerConfig, RunnerExit, run};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ipc::Layout;
use sympozium_core::ipc::mailbox::make_folders;
use sympozium_core::run::{AgentResult, FolderMount, LimitHit, ResultStatus};
use tokio_util::sync::CancellationToken;

fn config(folder: &Path) -> RunnerConfig {
    for name in ["workspace", "state", "skills"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let layout = Layout::new(folder.join("ipc"));
    make_folders(&layout, &[]).unwrap();
    let mount = |name: &str| FolderMount {
        mount: Path::new("/").join(name),
        dir: folder.join(name),
        read_only: false,
    };
    RunnerConfig {
        gateway: GatewayEndpoint::Unix(folder.join("gateway.sock")),
        ipc: folder.join("ipc"),
        workspace: mount("workspace"),
        folders: vec![],
        skills: Some(mount("skills")),
        memory_file: Some(folder.join("MEMORY.md")),
        state_dir: folder.join("state"),
        approval_wait_seconds: 1,
    }
}

struct Ended {
    exit: RunnerExit,
    result: AgentResult,
    gateway: FakeGateway,
}

/// Runs against these plays; `set` changes what the gateway says, `before` what the runner finds.
async fn work(
    plays: Vec<Play>,
    set: impl FnOnce(&mut State),
    before: impl FnOnce(&Path, &CancellationToken),
) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let gateway = FakeGateway::start(folder.path(), plays);
    gateway.with(set);
    let config = config(folder.path());
    let cancel = CancellationToken::new();
    before(folder.path(), &cancel);
    let result = Layout::new(&config.ipc).result();
    let exit = tokio::time::timeout(Duration::from_mins(1), run(config, cancel)).await;
    Ended {
        exit: exit.expect("the runner ends"),
        result: serde_json::from_slice(&std::fs::read(result).unwrap()).unwrap(),
        gateway,
    }
}

fn nothing(_: &mut State) {}
fn as_it_is(_: &Path, _: &CancellationToken) {}

#[tokio::test]
async fn an_answer_is_a_success() {
    let ended = work(vec![Play::Says("It is 42.".to_owned())], nothing, as_it_is).await;
    assert_eq!(ended.exit, RunnerExit::Success);
    assert_eq!(
        (ended.result.status, ended.result.response.as_str()),
        (ResultStatus::Success, "It is 42.")
    );
    assert_eq!(
        (
            ended.result.metrics.input_tokens,
            ended.result.metrics.output_tokens
        ),
        (10, 5)
    );
}

#[tokio::test]
async fn skills_and_memory_reach_the_model_only_when_the_run_has_them() {
    let given = |folder: &Path, _: &CancellationToken| {
        std::fs::write(folder.join("skills/how.md"), "Do it with care.").unwrap();
        std::fs::write(folder.join("MEMORY.md"), "## Team\nAsk Ana.").unwrap();
    };
    for memory in [None, Some(4096)] {
        let set = |state: &mut State| state.input.memory_max_bytes = memory;
        let ended = work(vec![Play::Says("Yes.".to_owned())], set, given).await;
        let turn = ended.gateway.with(|state| state.seen.turns.remove(0).1);
        let task = turn.messages[0].text();
        assert!(turn.system.unwrap().contains("Do it with care."));
        assert_eq!(task.contains("Ask Ana."), memory.is_some());
        assert!(task.ends_with("the task"));
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_reason() {
    for kind in [
        ProblemKind::BudgetExhausted,
        ProblemKind::ModelNotAllowed,
        ProblemKind::RunEnded,
    ] {
        let problem = Problem::new(kind, "A rule says no.");
        let refuse = problem.clone();
        let at_start = work(vec![], |state| state.refuse_run = Some(refuse), as_it_is).await;
        let later = work(vec![Play::Problem(problem)], nothing, as_it_is).await;
        for ended in [at_start, later] {
            assert_eq!(ended.exit, RunnerExit::Refused, "{kind:?}");
            assert_eq!(ended.result.status, ResultStatus::Error);
            assert!(
                ended.result.error.unwrap().contains("A rule says no."),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_can_not_be_worked_with_is_bad_input() {
    let no_workspace = |folder: &Path, _: &CancellationToken| {
        std::fs::remove_dir(folder.join("workspace")).unwrap();
    };
    let huge_skill = |folder: &Path, _: &CancellationToken| {
        std::fs::write(folder.join("skills/how.md"), "x".repeat(600 * 1024)).unwrap();
    };
    let bad_request = |state: &mut State| {
        state.refuse_run = Some(Problem::new(ProblemKind::BadRequest, "That makes no sense."));
    };
    let all = [
        work(vec![], nothing, no_workspace).await,
        work(vec![], nothing, huge_skill).await,
        work(vec![], bad_request, as_it_is).await,
    ];
    for ended in all {
        assert_eq!(ended.exit, RunnerExit::BadInput, "{:?}", ended.result);
        assert!(ended.result.error.is_some());
        assert_eq!(ended.gateway.with(|state| state.seen.model_calls), 0);
    }
}

#[tokio::test]
async fn a_cancelled_runner_says_so_also_while_it_waits_for_its_run() {
    let not_ready = |state: &mut State| state.not_ready = usize::MAX;
    let ended = work(vec![], not_ready, |_, cancel| cancel.cancel()).await;
    assert_eq!(ended.exit, RunnerExit::Cancelled);
    let ended = work(vec![Play::Hangs], nothing, |_, cancel| cancel.cancel()).await;
    assert_eq!(ended.exit, RunnerExit::Cancelled);
    assert_eq!(ended.result.error.as_deref(), Some("the run was cancelled"));
}

#[tokio::test]
async fn time_that_is_up_ends_with_what_there_is() {
    for (left, exit, words) in [(0, RunnerExit::Deadline, ""), (300, RunnerExit::Success, "hm")] {
        let ended = work(
            vec![Play::Hangs],
            |state| state.input.remaining_ms = left,
            as_it_is,
        )
        .await;
        assert_eq!((ended.exit, ended.result.response.as_str()), (exit, words));
        assert_eq!(ended.result.limit, Some(LimitHit::Deadline));
    }
}

#[tokio::test]
async fn a_limit_ends_in_an_answer_and_is_reported() {
    let call = || Play::Calls(vec![("list_directory".to_owned(), json!({"path": "."}))]);
    let plays = vec![call(), Play::Says("As far as I got.".to_owned())];
    let ended = work(plays, |state| state.input.max_turns = 1, as_it_is).await;
    assert_eq!(ended.exit, RunnerExit::Success);
    assert_eq!(
        (ended.result.response.as_str(), ended.result.limit),
        ("As far as I got.", Some(LimitHit::Turns))
    );
}

/// Bytes of all model requests of a run with that many file-tool turns before its answer.
async fn bytes_sent(turns: usize) -> usize {
    let round = |turn: usize| {
        let path = format!("notes-{turn}.txt");
        let (name, arguments) = match turn % 3 {
            0 => ("write_file", json!({"path": path, "content": "x".repeat(500)})),
            1 => ("read_file", json!({"path": format!("notes-{}.txt", turn - 1)})),
            _ => ("list_directory", json!({"path": "/skills"})),
        };
        Play::Calls(vec![(name.to_owned(), arguments)])
    };
    let mut plays: Vec<_> = (0..turns).map(round).collect();
    plays.push(Play::Says("Done.".to_owned()));
    let ended = work(plays, |state| state.input.max_turns = 100, as_it_is).await;
    assert_eq!(ended.exit, RunnerExit::Success, "{:?}", ended.result);
    let bytes = ended.gateway.with(|state| std::mem::take(&mut state.seen.bytes));
    assert_eq!(bytes.len(), turns + 1);
    bytes.iter().sum()
}

#[tokio::test]
async fn what_a_runner_sends_grows_linearly_with_its_turns() {
    let (few, some, many) = (bytes_sent(9).await, bytes_sent(27).await, bytes_sent(81).await);
    let (first, second) = ((some - few) / 18, (many - some) / 54);
    // Each further turn costs what the ones before it did; a conversation sent anew would cost more each time.
    assert!(
        second * 10 <= first * 11,
        "{few}, {some}, {many}: {first} bytes a turn, then {second}"
    );
}
