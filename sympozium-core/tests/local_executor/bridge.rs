//! What becomes of the files that an agent writes.

use crate::scripts::Bench;
use serde_json::json;
use std::sync::{Arc, Mutex};
use sympozium_core::ids::RunUid;
use sympozium_core::ipc::{ApprovalRequest, approval_hash};
use sympozium_core::local::{LocalAnswer, LocalApprover, LocalEvent};
use sympozium_core::run::{RunExecutor, SandboxPlan};
use sympozium_core::testing::run_plan;

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_cluster_is_refused_with_a_receipt() {
    for (folder, file, what) in [
        ("messages", "send-a1.json", "channels need a cluster"),
        ("spawn", "request-a1.json", "that needs a cluster"),
        ("schedules", "schedule-a1.json", "schedules need a cluster"),
    ] {
        let script =
            format!(r#"echo '{{}}' | put {folder} {file}; answer "$(await receipts/a1.json | tr -d '"')""#);
        let bench = Bench::new(&script);
        let receipt = bench.answer().await;
        assert!(receipt.starts_with("{id:a1,status:refused,detail:"), "{receipt}");
        assert!(receipt.contains(what), "{receipt}");
        let refused = |event: &LocalEvent| matches!(event, LocalEvent::Refused { .. }).then_some(());
        assert_eq!(bench.told.wait(1, refused).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_told_in_its_order_to_its_last_piece_and_taken_away() {
    let script = r#"
        for n in 0 1 2 3 4 5 6 7 8 9 10 11; do
            printf '{"type":"text","content":"%s","index":%s}' $n $n | put output stream-$n.json
        done
        printf '{"phase":"responding"}' | put output status.json
        answer ok"#;
    let bench = Bench::new(script);
    let plan = run_plan("the task");
    bench.run(&plan).await;
    let chunk = |event: &LocalEvent| match event {
        LocalEvent::Stream(chunk) => Some(chunk.index),
        _ => None,
    };
    let told: Vec<u64> = bench.told.all().iter().filter_map(chunk).collect();
    assert_eq!(told, (0..12).collect::<Vec<_>>());
    assert!(
        bench
            .told
            .all()
            .iter()
            .any(|event| matches!(event, LocalEvent::Status(_)))
    );
    let output = bench.root().join(plan.run.uid.to_string()).join("ipc/output");
    let left: Vec<_> = std::fs::read_dir(output)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with("stream-")),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_used_are_told_and_harm_nothing() {
    let script = r#"
        echo '{' | put output stream-0.json
        ln -s /etc/passwd "$ipc/messages/send-1.json"
        mkfifo "$ipc/spawn/request-1.json"
        head -c 2000000 /dev/zero | put schedules schedule-1.json
        echo '{}' | put messages send-2.json
        await receipts/2.json > /dev/null
        answer ok"#;
    let bench = Bench::new(script);
    assert_eq!(bench.answer().await, "ok");
    let rejected = |event: &LocalEvent| match event {
        LocalEvent::Rejected { name, .. } => Some(name.clone()),
        _ => None,
    };
    let mut names = bench.told.wait(4, rejected).await;
    names.sort();
    assert_eq!(
        names,
        [
            "request-1.json",
            "schedule-1.json",
            "send-1.json",
            "stream-0.json"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_can_not_be_used_is_none_and_is_told() {
    for script in [
        "echo '{' | put output result.json",
        "ln -s /etc/passwd \"$ipc/output/result.json\"",
        "head -c 9000000 /dev/zero | put output result.json",
        "truncate -s 8G \"$ipc/output/result.json\"",
        "mkfifo \"$ipc/output/result.json\"",
        "mkdir \"$ipc/output/result.json\"",
    ] {
        let bench = Bench::new(script);
        assert_eq!(bench.run(&run_plan("the task")).await, (0, None), "{script}");
        let rejected =
            |event: &LocalEvent| matches!(event, LocalEvent::Rejected { name, .. } if name == "result.json");
        assert!(bench.told.all().iter().any(rejected), "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_an_agent_replaces_by_links_lead_the_host_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    let secret = r#"{"status":"success","response":"the secret"}"#;
    std::fs::write(outside.path().join("result.json"), secret).unwrap();
    let script = format!(
        r#"
        outside={}
        for folder in output messages receipts approvals; do
            mv "$ipc/$folder" "$ipc/$folder-moved" && ln -s "$outside" "$ipc/$folder"
        done
        ln -s "$outside" "$ipc/messages-moved/rejected"
        echo '{{' | put messages-moved send-1.json
        echo '{{}}' | put messages-moved send-2.json
        await receipts-moved/2.json > /dev/null
        while [ -e "$ipc/messages-moved/send-1.json" ]; do sleep 0.01; done
        printf '{{"status":"success","response":"ok"}}' > "$ipc/output-moved/result.json""#,
        outside.path().display()
    );
    let bench = Bench::new(&script);
    assert_eq!(bench.answer().await, "ok");
    let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let read = std::fs::read_to_string(outside.path().join("result.json")).unwrap();
    assert_eq!(read, secret);
}

#[derive(Default)]
struct Person(Mutex<Vec<ApprovalRequest>>);

#[async_trait::async_trait]
impl LocalApprover for Person {
    async fn decide(&self, _: RunUid, request: &ApprovalRequest) -> LocalAnswer {
        self.0.lock().unwrap().push(request.clone());
        if request.arguments == json!({"command": "good"}) {
            LocalAnswer::approved()
        } else {
            LocalAnswer::denied("not this")
        }
    }
}

/// Asks one question, and answers with what came back, for the agent and for the executor.
fn asking(arguments: &serde_json::Value, sha256: &str) -> String {
    let request = json!({
        "id": "q1", "tool": "execute_command", "arguments": arguments, "sha256": sha256,
        "policy": "p", "rule": "r", "target": "sandbox",
    });
    format!(
        r#"echo '{request}' | put approvals-out request-q1.json
        answer "$(await approvals/q1.json | tr -d '"')|$(cat "$ipc/approvals/sandbox/q1.json" | tr -d '"')""#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_the_answer_reaches_agent_and_executor() {
    for (command, word) in [("good", "approved"), ("bad", "denied")] {
        let arguments = json!({"command": command});
        let hash = approval_hash(&arguments);
        let person = Arc::new(Person::default());
        let bench = Bench::with(&asking(&arguments, &hash), "read _", |_| {}, Some(person.clone()));
        let mut plan = run_plan("the task");
        plan.sandbox = Some(SandboxPlan::default());
        let answer = bench.run(&plan).await.1.unwrap().response;
        let (agent, executor) = answer.split_once('|').unwrap();
        assert_eq!(agent, executor);
        assert!(
            agent.starts_with(&format!("{{id:q1,answer:{word},sha256:{hash}")),
            "{agent}"
        );
        assert_eq!(person.0.lock().unwrap().len(), 1);
        let asked = |event: &LocalEvent| matches!(event, LocalEvent::Asked(_) | LocalEvent::Answered { .. });
        assert_eq!(bench.told.all().into_iter().filter(asked).count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_hash_is_not_that_of_what_is_shown_is_denied_unasked() {
    let person = Arc::new(Person::default());
    let hash = approval_hash(&json!({"command": "something else"}));
    let script = asking(&json!({"command": "good"}), &hash);
    let bench = Bench::with(&script, "read _", |_| {}, Some(person.clone()));
    let mut plan = run_plan("the task");
    plan.sandbox = Some(SandboxPlan::default());
    let answer = bench.run(&plan).await.1.unwrap().response;
    assert!(answer.contains("answer:denied"), "{answer}");
    assert!(person.0.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_while_a_person_is_still_asked() {
    struct Silent;
    #[async_trait::async_trait]
    impl LocalApprover for Silent {
        async fn decide(&self, _: RunUid, _: &ApprovalRequest) -> LocalAnswer {
            std::future::pending().await
        }
    }
    let arguments = json!({"command": "good"});
    let script = asking(&arguments, &approval_hash(&arguments));
    let bench = Bench::with(&script, "read _", |_| {}, Some(Arc::new(Silent)));
    let plan = run_plan("the task");
    bench.executor.ensure(&plan).await.unwrap();
    let asked = |event: &LocalEvent| matches!(event, LocalEvent::Asked(_)).then_some(());
    bench.told.wait(1, asked).await;
    bench.executor.cancel(plan.run.uid).await.unwrap();
    assert_eq!(bench.end(plan.run.uid).await.1, None);
}
