//! The way out of skills.

use crate::network::{AGENT, SKILL, Served, builder};
use crate::providers::fake;
use crate::scene::{DEADLINE, plan};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::run::RunPlan;
use sympozium_core::skill::{HostPort, RbacRule, Sidecar, Skill};
use sympozium_core::store::{AuditKind, AuditLog, InMemoryStore};
use sympozium_llm::gateway::{ApiServer, Farewell, Proxy, ProxySettings};
use sympozium_llm::http::Resolve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Every name leads inside.
struct Inside(IpAddr);

#[async_trait]
impl Resolve for Inside {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![self.0])
    }
}

/// A server that says everything back.
async fn echo() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (port, server)
}

fn with_pack(rbac: bool, egress: &[(&str, u16)]) -> RunPlan {
    let rule = RbacRule {
        api_groups: vec![String::new()],
        resources: vec!["pods".to_owned()],
        verbs: vec!["get".to_owned()],
    };
    let host = |(host, port): &(&str, u16)| HostPort {
        host: (*host).to_owned(),
        port: *port,
    };
    let sidecar = Sidecar {
        image: String::new(),
        command: vec![],
        env: BTreeMap::new(),
        mount_workspace: true,
        resources: BTreeMap::new(),
        tools: vec![],
        egress: egress.iter().map(host).collect(),
        rbac: if rbac { vec![rule] } else { vec![] },
        cluster_rbac: vec![],
    };
    let mut plan = plan();
    plan.skills = vec![Skill {
        pack: "ops".parse().unwrap(),
        builtin: true,
        category: None,
        documents: vec![],
        sidecar: Some(sidecar),
    }];
    plan
}

async fn served(plan: &RunPlan, settings: ProxySettings, store: &Arc<InMemoryStore>) -> Served {
    let inside = Arc::new(Inside("10.0.0.1".parse().unwrap()));
    let proxy = Proxy::with_resolver(settings, inside);
    let gateway = builder(fake([]), plan, store).proxy(proxy).build().unwrap();
    Served::start(gateway, 0).await
}

fn settings(port: u16) -> ProxySettings {
    ProxySettings {
        api_server: Some(ApiServer::new("127.0.0.1", port)),
        ..ProxySettings::default()
    }
}

fn connect(target: &str, token: Option<&str>) -> String {
    let authorization = token.map_or_else(String::new, |token| {
        let basic = BASE64_STANDARD.encode(format!("token:{token}"));
        format!("proxy-authorization: Basic {basic}\r\n")
    });
    format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{authorization}\r\n")
}

/// Status and problem of a refusal.
async fn refusal(served: &Served, target: &str, token: Option<&str>) -> (String, Value) {
    let (mut stream, head) = served.head(&connect(target, token)).await;
    let length = head.to_lowercase();
    let length = length
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    assert!(head.contains("application/problem+json"), "{head}");
    (head, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_pack_with_rights_talks_to_the_api_server_until_its_run_ends() {
    let (port, _echo) = echo().await;
    let (plan, store) = (with_pack(true, &[]), Arc::new(InMemoryStore::new()));
    let served = served(&plan, settings(port), &store).await;
    for name in ["127.0.0.1", "kubernetes.default.svc"] {
        let target = format!("{name}:{port}");
        let (mut stream, head) = served.head(&connect(&target, Some(SKILL))).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        stream.write_all(b"hello").await.unwrap();
        let mut said = [0; 5];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello");
    }
    let (mut open, _) = served
        .head(&connect(&format!("127.0.0.1:{port}"), Some(SKILL)))
        .await;
    served.gateway.end_run(plan.run.uid);
    let end = tokio::time::timeout(DEADLINE, open.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let (_, problem) = refusal(&served, &format!("127.0.0.1:{port}"), Some(SKILL)).await;
    assert_eq!(problem["type"], "urn:sympozium:problem:run-ended");
    let records = store.read(plan.run.uid, None, 10).await.unwrap().items;
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.kind == AuditKind::Tunnel));
    assert_eq!(records[0].detail["pack"], "ops");
    assert_eq!(records[0].detail["rule"], "sidecar.rbac");
    served.stop().await;
}

#[tokio::test]
async fn who_is_not_known_is_asked_for_credentials() {
    let (port, _echo) = echo().await;
    let plan = with_pack(true, &[]);
    let served = served(&plan, settings(port), &Arc::new(InMemoryStore::new())).await;
    for token in [None, Some("other"), Some(AGENT)] {
        let (head, problem) = refusal(&served, &format!("127.0.0.1:{port}"), token).await;
        assert!(head.starts_with("HTTP/1.1 407"), "{head}");
        assert!(
            head.to_lowercase().contains("proxy-authenticate: basic"),
            "{head}"
        );
        assert_eq!(problem["status"], 407);
    }
    // And a skill's token opens nothing else.
    let run = format!("GET /v1/run HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {SKILL}\r\n\r\n");
    assert!(served.head(&run).await.1.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn nothing_inside_is_reached_but_the_api_server_and_that_only_with_rights() {
    let (port, _echo) = echo().await;
    let inside = [
        ("127.0.0.1", port),
        ("169.254.169.254", 80),
        ("10.0.0.1", 443),
        ("rebinding.example", 443),
        ("localhost", port),
        ("kubernetes.default.svc", port),
        ("metadata.google.internal", 80),
    ];
    // The pack names them all, and no policy says no.
    let plan = with_pack(false, &inside);
    let store = Arc::new(InMemoryStore::new());
    let served = served(&plan, settings(port), &store).await;
    for (host, port) in inside {
        let (head, problem) = refusal(&served, &format!("{host}:{port}"), Some(SKILL)).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{host}: {head}");
        assert_eq!(problem["type"], "urn:sympozium:problem:egress-refused", "{host}");
    }
    for other in [
        "other.example:443",
        "rebinding.example:80",
        "[::1]:80",
        "2130706433:80",
    ] {
        let (head, _) = refusal(&served, other, Some(SKILL)).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{other}: {head}");
    }
    let records = store.read(plan.run.uid, None, 100).await.unwrap().items;
    assert_eq!(records.len(), inside.len() + 4);
}

#[tokio::test]
async fn a_run_has_so_many_tunnels_and_they_end_when_nothing_passes() {
    let (port, _echo) = echo().await;
    let plan = with_pack(true, &[]);
    let settings = ProxySettings {
        per_run: 2,
        idle: Duration::from_millis(500),
        ..settings(port)
    };
    let served = served(&plan, settings, &Arc::new(InMemoryStore::new())).await;
    let target = format!("127.0.0.1:{port}");
    let (mut first, _) = served.head(&connect(&target, Some(SKILL))).await;
    let (_second, _) = served.head(&connect(&target, Some(SKILL))).await;
    let (head, _) = refusal(&served, &target, Some(SKILL)).await;
    assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    let end = tokio::time::timeout(DEADLINE, first.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    let again = async {
        while !served
            .head(&connect(&target, Some(SKILL)))
            .await
            .1
            .starts_with("HTTP/1.1 200")
        {}
    };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
}

#[tokio::test]
async fn tunnels_are_cut_when_the_gateway_has_waited_long_enough() {
    let (port, _echo) = echo().await;
    let plan = with_pack(true, &[]);
    let served = served(&plan, settings(port), &Arc::new(InMemoryStore::new())).await;
    let (mut open, _) = served
        .head(&connect(&format!("127.0.0.1:{port}"), Some(SKILL)))
        .await;
    let farewell = Farewell {
        notice: Duration::ZERO,
        patience: Duration::from_millis(50),
    };
    tokio::time::timeout(DEADLINE, served.gateway.retire(farewell))
        .await
        .unwrap();
    let end = tokio::time::timeout(DEADLINE, open.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    served.stop().await;
}
