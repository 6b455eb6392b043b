//! A run whose runner is killed at any moment, and asked again, ends as if nothing had happened.

use crate::by_hand::{ByHand, exit_code, in_time, kill, read};
use crate::model::{Model, Says};
use serde_json::json;
use std::sync::Arc;
use sympozium_core::chat::Message;
use sympozium_core::run::ResultStatus;

/// A run in which each replay would go another way if it were not recorded: files change after they were read, commands
/// leave marks and print something new each time.
fn turns() -> Vec<Says> {
    vec![
        Says::Calls(vec![
            ("list_directory", json!({"path": "."})),
            ("read_file", json!({"path": "notes.txt"})),
        ]),
        Says::Calls(vec![
            (
                "execute_command",
                json!({"command": "echo one >> marks; sleep 0.05; date +%N"}),
            ),
            ("write_file", json!({"path": "notes.txt", "content": "changed"})),
        ]),
        Says::Calls(vec![
            ("read_file", json!({"path": "notes.txt"})),
            (
                "execute_command",
                json!({"command": "echo two >> marks; date +%N"}),
            ),
        ]),
        Says::Words("All of it is done."),
    ]
}

fn bench(model: Arc<Model>) -> ByHand {
    let bench = ByHand::new(model);
    std::fs::write(bench.workspace().join("notes.txt"), "first").unwrap();
    bench
}

/// Checks that the run went through once, whatever was killed.
fn check(bench: &ByHand, when: &str) {
    let result = bench.result();
    assert_eq!(
        (result.status, result.response.as_str(), result.error),
        (ResultStatus::Success, "All of it is done.", None),
        "{when}"
    );
    assert_eq!(
        bench.model.asked().len(),
        4,
        "the model is asked once per turn; killed {when}"
    );
    assert_eq!(result.metrics.tool_calls, 6, "{when}");
}

/// The results of tools that the model was given, as it saw them in its last turn.
fn results(bench: &ByHand) -> Vec<String> {
    let last = bench.model.asked().pop().unwrap();
    let results = last.messages.iter().flat_map(Message::results);
    results.map(|result| result.content.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_after_any_piece_of_its_stream_goes_the_same_way_again() {
    for piece in 0.. {
        let bench = bench(Model::new(turns()));
        let toolbox = bench.start_toolbox();
        let mut runner = bench.start_runner();
        let reached = bench.streamed(piece, &mut runner).await;
        kill(runner).await;
        if reached {
            assert_eq!(
                exit_code(bench.start_runner()).await,
                Some(0),
                "killed after piece {piece}"
            );
        }
        check(&bench, &format!("after piece {piece}"));
        assert_eq!(
            read(&bench.workspace().join("marks")),
            "one\ntwo\n",
            "commands run once; {piece}"
        );
        let seen = results(&bench);
        assert_eq!(
            (seen[1].as_str(), seen[4].as_str()),
            ("first", "changed"),
            "{piece}"
        );
        kill(toolbox).await;
        bench.end().await;
        if !reached {
            assert!(piece > 12, "two pieces per call and one for the answer: {piece}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_while_the_model_thinks_joins_the_turn_that_is_under_way() {
    for turn in 0..4 {
        let bench = bench(Model::held_back(turns(), turn));
        let toolbox = bench.start_toolbox();
        let runner = bench.start_runner();
        in_time("the question", bench.model.wait_for_question(turn + 1)).await;
        kill(runner).await;
        let again = bench.start_runner();
        for _ in turn..4 {
            bench.model.go_on();
        }
        assert_eq!(exit_code(again).await, Some(0), "killed in turn {turn}");
        check(&bench, &format!("in turn {turn}"));
        kill(toolbox).await;
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runner_and_executor_killed_together_execute_no_command_twice() {
    // Pieces 4 to 7 are those of the turn with the slow command.
    for piece in 4..11 {
        let bench = bench(Model::new(turns()));
        let toolbox = bench.start_toolbox();
        let mut runner = bench.start_runner();
        bench.streamed(piece, &mut runner).await;
        kill(runner).await;
        kill(toolbox).await;
        let toolbox = bench.start_toolbox();
        assert_eq!(
            exit_code(bench.start_runner()).await,
            Some(0),
            "killed after piece {piece}"
        );
        check(&bench, &format!("after piece {piece}"));
        // A command that was under way counts as executed: it may have left its mark or not.
        let marks = read(&bench.workspace().join("marks"));
        for mark in ["one", "two"] {
            assert!(marks.matches(mark).count() <= 1, "{piece}: {marks}");
        }
        let seen = results(&bench);
        if !marks.contains("two") {
            assert!(seen[5].contains("not executed again"), "{piece}: {seen:?}");
        }
        kill(toolbox).await;
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_has_ended_and_is_asked_again_gives_the_same_answer() {
    let bench = bench(Model::new(turns()));
    let toolbox = bench.start_toolbox();
    for _ in 0..3 {
        assert_eq!(exit_code(bench.start_runner()).await, Some(0));
        check(&bench, "at its end");
    }
    assert_eq!(read(&bench.workspace().join("marks")), "one\ntwo\n");
    kill(toolbox).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_runner_says_so_and_ends_its_turn() {
    let bench = bench(Model::held_back(turns(), 0));
    let runner = bench.start_runner();
    in_time("the question", bench.model.wait_for_question(1)).await;
    let pid = rustix::process::Pid::from_raw(runner.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(exit_code(runner).await, Some(130));
    let result = bench.result();
    assert_eq!(
        (result.status, result.error.as_deref()),
        (ResultStatus::Error, Some("the run was cancelled"))
    );
    bench.model.go_on();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_ends_with_whoever_started_it_and_takes_its_commands_along() {
    let turns = vec![Says::Calls(vec![(
        "execute_command",
        json!({"command": "setsid sh -c 'trap \"\" TERM HUP; echo $$ > pid; while :; do sleep 0.01; done'"}),
    )])];
    let bench = ByHand::new(Model::new(turns));
    let mut toolbox = bench.start_bound_toolbox();
    let runner = bench.start_runner();
    let pid = in_time("the command", bench.file("pid")).await;
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    assert!(
        rustix::process::test_kill_process(pid).is_ok(),
        "the command runs"
    );
    // The kernel closes the other end too when the owner is killed.
    drop(toolbox.stdin.take());
    assert_eq!(exit_code(toolbox).await, Some(0));
    assert!(
        rustix::process::test_kill_process(pid).is_err(),
        "the command is gone"
    );
    kill(runner).await;
    bench.end().await;
}
