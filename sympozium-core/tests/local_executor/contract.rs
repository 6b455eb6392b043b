//! Both executors keep the contract.

use crate::scripts::Bench;
use sympozium_core::run::{RunExecutor, RunPlan};
use sympozium_core::testing::{AgentDoes, ExecutorFixture, FakeExecutor, run_executor, run_plan};

const AGENT: &str = r#"
case $AGENT_DOES in
    answer) answer 42 ;;
    fail) printf '{"status":"error","error":"it went wrong"}' | put output result.json; exit 1 ;;
    die) kill -9 $$ ;;
    work) trap 'exit 130' TERM; while :; do sleep 0.01; done ;;
    ignore) trap '' TERM; while :; do sleep 0.01; done ;;
esac
"#;

impl ExecutorFixture for Bench {
    fn executor(&self) -> &dyn RunExecutor {
        &self.executor
    }

    fn plan(&self, agent: AgentDoes) -> RunPlan {
        let mut plan = run_plan("the task");
        plan.env
            .insert("AGENT_DOES".to_owned(), agent.as_str().to_owned());
        plan
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_executor_keeps_its_contract_and_leaves_nothing() {
    let bench = Bench::new(AGENT);
    run_executor(&bench).await;
    let left: Vec<_> = std::fs::read_dir(bench.root()).unwrap().flatten().collect();
    let names: Vec<_> = left.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(names, [".lock"]);
    assert!(bench.gateway.open.lock().unwrap().is_empty());
}

struct Fake(FakeExecutor);

impl ExecutorFixture for Fake {
    fn executor(&self) -> &dyn RunExecutor {
        &self.0
    }

    fn plan(&self, agent: AgentDoes) -> RunPlan {
        run_plan(agent.as_str())
    }
}

#[tokio::test]
async fn the_executor_without_processes_keeps_its_contract() {
    let does = |plan: &RunPlan| {
        let mut all = AgentDoes::ALL.into_iter();
        all.find(|agent| agent.as_str() == plan.task).unwrap()
    };
    run_executor(&Fake(FakeExecutor::new(does))).await;
}
