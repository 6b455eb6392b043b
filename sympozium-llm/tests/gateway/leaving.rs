//! How a gateway leaves: nothing is lost, and nobody waits in vain.

use crate::network::{AGENT, Served, builder, client, endpoint};
use crate::providers::{Gated, fake};
use crate::scene::{DEADLINE, call, plan, turn};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::auth::Caller;
use sympozium_core::store::InMemoryStore;
use sympozium_core::testing::{FakeAnswer, StaticAuth};
use sympozium_llm::agent::{ModelCall, TurnEvent};
use sympozium_llm::gateway::{Farewell, Gateway};
use sympozium_llm::runner::GatewayClient;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const AT_ONCE: Farewell = Farewell {
    notice: Duration::ZERO,
    patience: DEADLINE,
};

/// Serves health, and gives a client of it.
async fn watcher(gateway: &Gateway, stop: &CancellationToken) -> impl AsyncFn(&str) -> u16 + use<> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (gateway, stop) = (gateway.clone(), stop.clone());
    tokio::spawn(async move { gateway.serve_health(listener, stop).await });
    let client = reqwest::Client::new();
    async move |path: &str| {
        let answer = client
            .get(format!("http://{address}{path}"))
            .timeout(DEADLINE)
            .send();
        answer.await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_runner_talks_to_a_gateway_on_the_network() {
    let plan = plan();
    let provider = fake([FakeAnswer::text("one", 1, 1)]);
    let gateway = builder(provider, &plan, &Arc::default()).build().unwrap();
    let served = Served::start(gateway, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path(), served.address);
    assert_eq!(client.run_input().await.unwrap().run, plan.run);
    assert_eq!(turn(&client, &call("a", "hi")).await.0, "one");
    std::fs::write(folder.path().join("token"), "another").unwrap();
    let refused = client.run_input().await.unwrap_err();
    assert!(refused.to_string().contains("not valid"), "{refused}");
}

#[tokio::test]
async fn it_is_not_ready_first_then_begins_nothing_and_lets_streams_end() {
    let (plan, provider) = (plan(), Gated::new());
    let gateway = builder(provider.clone(), &plan, &Arc::default()).build().unwrap();
    let served = Served::start(gateway, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path(), served.address);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let streaming = tokio::spawn(async move {
        let call = call("a", "hi");
        let turn = sympozium_llm::agent::Turn {
            call: &call,
            messages: &call.messages,
            system: None,
            tools: &[],
        };
        let mut hear = |event: TurnEvent| tell.send(event).unwrap();
        sympozium_llm::agent::ModelClient::turn(&client, turn, &mut hear)
            .await
            .unwrap()
    });
    told.recv().await.unwrap();
    let status = watcher(&served.gateway, &served.stop).await;
    assert_eq!(status("/readyz").await, 200);
    // Runs are not told how the gateway does.
    let asked = format!("GET /metrics HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {AGENT}\r\n\r\n");
    assert!(served.head(&asked).await.1.starts_with("HTTP/1.1 404"));
    let farewell = Farewell {
        notice: Duration::from_millis(500),
        patience: DEADLINE,
    };
    let gateway = served.gateway.clone();
    let leaving = tokio::spawn(async move { gateway.retire(farewell).await });
    let unready = async { while status("/readyz").await != 503 {} };
    tokio::time::timeout(DEADLINE, unready).await.unwrap();
    assert_eq!(status("/healthz").await, 200);
    let body = serde_json::json!({"base": 0, "messages": []}).to_string();
    let refused = async {
        for step in 0.. {
            // Another step each time: one that is under way is joined.
            let new = format!(
                "POST /v1/chat HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {AGENT}\r\n\
                 idempotency-key: new-{step}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let (_, head) = served.head(&new).await;
            if head.starts_with("HTTP/1.1 503") {
                return head.to_lowercase();
            }
        }
        String::new()
    };
    let head = tokio::time::timeout(DEADLINE, refused).await.unwrap();
    assert!(
        head.contains("connection: close") && head.contains("retry-after: 1"),
        "{head}"
    );
    for _ in 0..1_000 {
        provider.let_on();
    }
    let answer = tokio::time::timeout(DEADLINE, streaming).await.unwrap().unwrap();
    assert_eq!(answer.message.text(), "first, last");
    tokio::time::timeout(DEADLINE, leaving).await.unwrap().unwrap();
    served.stop().await;
}

#[tokio::test]
async fn a_turn_that_is_given_up_is_taken_by_the_next_gateway_at_once() {
    let (plan, store) = (plan(), Arc::<InMemoryStore>::default());
    let stuck = Gated::new();
    let first = Served::start(builder(stuck.clone(), &plan, &store).build().unwrap(), 0).await;
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path(), first.address);
    let asking = tokio::spawn(async move { turn(&client, &call("a", "hi")).await });
    let begun = async {
        while stuck.calls() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, begun).await.unwrap();
    let impatient = Farewell {
        patience: Duration::from_millis(50),
        ..AT_ONCE
    };
    first.gateway.retire(impatient).await;
    let port = first.address.port();
    first.stop().await;
    let provider = fake([FakeAnswer::text("from the next", 1, 1)]);
    let next = Served::start(builder(provider, &plan, &store).build().unwrap(), port).await;
    let (answer, _) = tokio::time::timeout(DEADLINE, asking).await.unwrap().unwrap();
    assert_eq!(answer, "from the next");
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_take_turns_under_load_lose_and_repeat_nothing() {
    const CLIENTS: usize = 8;
    const TURNS: usize = 12;
    let store = Arc::<InMemoryStore>::default();
    let provider = fake((0..CLIENTS * TURNS).map(|_| FakeAnswer::text("said", 1, 1)));
    let auth = (0..CLIENTS).fold(StaticAuth::new(), |auth, number| {
        auth.token(number.to_string(), Caller::agent(Arc::new(plan())))
    });
    let auth = Arc::new(auth);
    let make = || {
        let builder = builder(provider.clone(), &plan(), &store);
        builder.authenticate(auth.clone()).build().unwrap()
    };
    let mut served = Served::start(make(), 0).await;
    let port = served.address.port();
    let mut clients = JoinSet::new();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..CLIENTS {
        let own = folder.path().join(number.to_string());
        std::fs::create_dir(&own).unwrap();
        let client =
            GatewayClient::new(endpoint(&own, served.address, &number.to_string())).patience(DEADLINE);
        clients.spawn(async move {
            for step in 0..TURNS {
                let call = ModelCall {
                    base: u32::try_from(step * 2).unwrap(),
                    ..call(&format!("turn-{step}"), "hi")
                };
                assert_eq!(turn(&client, &call).await.0, "said");
            }
        });
    }
    for _ in 0..3 {
        tokio::time::timeout(DEADLINE, served.gateway.retire(AT_ONCE))
            .await
            .unwrap();
        served.stop().await;
        served = Served::start(make(), port).await;
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(provider.requests().len(), CLIENTS * TURNS);
    served.stop().await;
}
