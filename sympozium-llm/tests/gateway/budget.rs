//! Budgets are never overshot: not by many runs at once, not by streams that break, not by silence about usage.

use crate::providers::{Flaky, done, fake, text};
use crate::scene::{Raw, Scene, body, call, client, gateway, kind, plan, try_turn};
use futures::FutureExt;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use sympozium_core::chat::Usage;
use sympozium_core::llm::LlmError;
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin};
use sympozium_core::run::RunPlan;
use sympozium_core::store::sql::SqlStore;
use sympozium_core::store::{
    Account, Amount, AuditLog, InMemoryStore, Ledger, Scope, SessionStore, StepLog, Window,
};
use sympozium_core::testing::FakeAnswer;
use sympozium_llm::gateway::{Price, PriceTable, Stores};
use tokio::task::JoinSet;

const RUNS: usize = 200;
const TURNS: u32 = 3;
/// Less than half of what all turns would use.
const LIMIT: u64 = 120_000;

/// 200 runs under one daily budget, each taking turns until it is refused. One gateway for each store; the stores are one
/// database.
async fn many_runs<S: SessionStore + StepLog + Ledger + AuditLog + 'static>(stores: &[Arc<S>]) {
    let provider = Flaky::new();
    let scene = |store: &Arc<S>| Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let mut scenes: Vec<_> = stores.iter().map(scene).collect();
    let mut policy = Policy::open(PolicyName("daily".to_owned()), PolicyOrigin::Namespace);
    policy.budget.per_day.tokens = Some(LIMIT);
    let mut plan = plan();
    // A namespace of its own: the database may hold other accounts.
    plan.instance.namespace = format!("t-{}", uuid::Uuid::new_v4()).parse().unwrap();
    plan.policies = vec![policy];
    let before = Window::day(jiff::Timestamp::now());
    let mut runs = JoinSet::new();
    for run in 0..RUNS {
        plan.run.uid = sympozium_core::ids::RunUid::random();
        let gateways = scenes.len();
        let client = client(&scenes[run % gateways].open(&plan));
        runs.spawn(async move { turns(&client).await });
    }
    let mut outcomes = BTreeMap::<&str, u32>::new();
    while let Some(run) = runs.join_next().await {
        for outcome in run.unwrap() {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    for scene in scenes {
        scene.stop().await;
    }
    let after = Window::day(jiff::Timestamp::now());
    assert_eq!(before, after, "the day changed meanwhile; run the test again");
    let account = Account {
        scope: Scope::Namespace(plan.instance.namespace.clone()),
        window: after,
    };
    let held = stores[0].held(&account).await.unwrap().tokens;
    let used = provider.used();
    assert!(used <= LIMIT, "{used} tokens were really used of {LIMIT}");
    assert!(held <= LIMIT, "the ledger holds {held} of {LIMIT}");
    assert!(
        used <= held,
        "{used} tokens were used, and the ledger knows of {held}"
    );
    // Something was done, something broke, and the budget was really used up.
    assert!(outcomes["answered"] > 20, "{outcomes:?}");
    assert!(provider.broken() > 20, "{outcomes:?}");
    assert!(outcomes["budget-exhausted"] > 20, "{outcomes:?}");
}

async fn turns(client: &sympozium_llm::runner::GatewayClient) -> Vec<&'static str> {
    let mut outcomes = Vec::new();
    for n in 0..TURNS {
        let mut call = call(
            &format!("turn-{n}"),
            &format!("this is question number {n} of this run"),
        );
        call.base = n * 2;
        match try_turn(client, &call, &mut Vec::new()).await {
            Ok(_) => outcomes.push("answered"),
            Err(LlmError::Refused { kind, .. }) => {
                outcomes.push(kind);
                break;
            }
            Err(error @ LlmError::Unavailable { .. }) => {
                assert!(!error.to_string().contains("store"), "{error}");
                outcomes.push("broken");
                break;
            }
            Err(LlmError::RateLimited { .. }) => {
                outcomes.push("broken");
                break;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_at_once_overshoot_a_budget_by_nothing_in_memory() {
    many_runs(&[Arc::new(InMemoryStore::new())]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_at_once_overshoot_a_budget_by_nothing_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&folder.path().join("s.db")).await.unwrap();
    many_runs(&[Arc::new(store)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs a PostgreSQL server in SYMPOZIUM_TEST_POSTGRES"]
async fn many_runs_of_two_gateways_overshoot_a_budget_by_nothing_in_postgres() {
    let server = std::env::var("SYMPOZIUM_TEST_POSTGRES").expect("SYMPOZIUM_TEST_POSTGRES has to be set");
    let mut url: url::Url = server.parse().expect("SYMPOZIUM_TEST_POSTGRES has to be a URL");
    let name = format!("sympozium_test_{}", uuid::Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    url.set_path(&name);
    let mut stores = Vec::new();
    for _ in 0..2 {
        let store = SqlStore::postgres(&SecretString::from(url.as_str())).await;
        stores.push(Arc::new(store.unwrap()));
    }
    let result = AssertUnwindSafe(many_runs(&stores)).catch_unwind().await;
    let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    sqlx::query(drop).execute(&mut admin).await.unwrap();
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// A plan whose run may use so many tokens.
fn capped(tokens: u64) -> RunPlan {
    let mut plan = plan();
    plan.policies[0].budget.per_run.tokens = Some(tokens);
    plan
}

#[tokio::test]
async fn output_is_lowered_to_what_is_left_and_then_refused_by_policy_and_rule() {
    let provider = fake([FakeAnswer::text("one", 150, 50)]);
    let store = Arc::new(InMemoryStore::new());
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store)));
    let plan = capped(400);
    let raw = Raw::new(&scene.open(&plan));
    assert_eq!(raw.chat("a", &body("hi")).await.0, 200);
    let request = provider.requests()[0].clone();
    let mut asked = request.clone();
    asked.max_tokens = Some(500);
    let bytes = u32::try_from(serde_json::to_vec(&asked).unwrap().len()).unwrap();
    assert_eq!(request.max_tokens, Some(400 - bytes));
    let next =
        serde_json::json!({"base": 2, "messages": [sympozium_core::chat::Message::user("x".repeat(300))]});
    let refused = raw.chat("b", &next).await;
    assert_eq!((refused.0, kind(&refused)), (429, "budget-exhausted"));
    assert_eq!(
        (&refused.1["policy"], &refused.1["rule"]),
        (&"local-default".into(), &"budget.perRun".into())
    );
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn silence_about_usage_and_broken_streams_cost_what_was_reserved() {
    let busy = LlmError::RateLimited {
        after: None,
        detail: "busy".to_owned(),
    };
    let gone = LlmError::Interrupted {
        detail: "gone".to_owned(),
    };
    let late = LlmError::Unavailable {
        status: 503,
        after: None,
        detail: "in the stream".to_owned(),
    };
    let provider = fake([
        // Cost nothing: the provider took nothing on.
        FakeAnswer::Error(busy),
        // Cost all: nobody says how much.
        FakeAnswer::Events(vec![Ok(text("ha")), Err(gone)]),
        FakeAnswer::Events(vec![Err(late)]),
        FakeAnswer::Events(vec![Ok(text("said")), Ok(done(None))]),
    ]);
    let store = Arc::new(InMemoryStore::new());
    let mut scene = Scene::new(gateway(provider.clone()).stores(Stores::all(store.clone())));
    let (plan, _, raw) = scene.run();
    assert_eq!(raw.chat("a", &body("hi")).await.0, 200);
    let bound: u64 = provider.requests()[1..]
        .iter()
        .map(|request| serde_json::to_vec(request).unwrap().len() as u64 + 500)
        .sum();
    let account = Account {
        scope: Scope::Run(plan.run.uid),
        window: Window::Total,
    };
    assert_eq!(
        (
            provider.requests().len(),
            store.held(&account).await.unwrap().tokens
        ),
        (4, bound)
    );
}

#[tokio::test]
async fn money_needs_a_price_and_is_metered_by_it() {
    let mut plan = plan();
    plan.policies[0].budget.per_run.micro_usd = Some(10_000);
    let provider = fake([FakeAnswer::text("one", 100, 10)]);
    let mut scene = Scene::new(gateway(provider.clone()));
    let refused = Raw::new(&scene.open(&plan)).chat("a", &body("hi")).await;
    assert_eq!((refused.0, kind(&refused)), (403, "policy-refused"));
    assert!(provider.requests().is_empty());
    let price = Price {
        input: 2_000_000,
        cache_read: None,
        cache_write: None,
        output: 8_000_000,
    };
    let prices = PriceTable(BTreeMap::from([("fake/m".to_owned(), price)]));
    let store = Arc::new(InMemoryStore::new());
    let mut scene = Scene::new(
        gateway(provider)
            .prices(prices)
            .stores(Stores::all(store.clone())),
    );
    let raw = Raw::new(&scene.open(&plan));
    assert_eq!(raw.chat("a", &body("hi")).await.0, 200);
    let account = Account {
        scope: Scope::Run(plan.run.uid),
        window: Window::Total,
    };
    assert_eq!(
        store.held(&account).await.unwrap(),
        Amount {
            tokens: 110,
            micro_usd: 280
        }
    );
    let next =
        serde_json::json!({"base": 2, "messages": [sympozium_core::chat::Message::user("x".repeat(9_000))]});
    let refused = raw.chat("b", &next).await;
    assert_eq!((refused.0, kind(&refused)), (429, "budget-exhausted"));
}

#[tokio::test]
async fn a_repeated_step_costs_nothing() {
    let store = Arc::new(InMemoryStore::new());
    let usage = Usage {
        input_tokens: 7,
        output_tokens: 2,
        ..Usage::default()
    };
    let answer = FakeAnswer::Events(vec![Ok(text("one")), Ok(done(Some(usage)))]);
    let mut scene = Scene::new(gateway(fake([answer])).stores(Stores::all(store.clone())));
    let (plan, _, raw) = scene.run();
    for _ in 0..3 {
        assert_eq!(raw.chat("a", &body("hi")).await.0, 200);
    }
    let account = Account {
        scope: Scope::Run(plan.run.uid),
        window: Window::Total,
    };
    assert_eq!(store.held(&account).await.unwrap().tokens, 9);
}
