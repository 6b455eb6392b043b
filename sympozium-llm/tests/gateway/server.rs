//! Who gets in, how many at once, and how it ends.

use crate::providers::{Gated, fake};
use crate::scene::{DEADLINE, Raw, Scene, body, gateway, kind, limits, plan, until};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::testing::FakeAnswer;
use sympozium_llm::gateway::{GatewayLimits, ListenerAuth, RunSocket, ServeError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_socket_is_its_owners_alone_and_goes_with_its_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.sock");
    let gateway = gateway(fake([]))
        .authenticate(Arc::new(ListenerAuth::default()))
        .build()
        .unwrap();
    let socket = RunSocket::bind(&path).unwrap();
    let found = fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left beside it"
    );
    let stop = CancellationToken::new();
    let served = tokio::spawn({
        let stop = stop.clone();
        async move { gateway.serve_socket(socket, "r", stop).await }
    });
    assert_eq!(Raw::new(&path).get("/healthz").await, (200, "ok".into()));
    stop.cancel();
    tokio::time::timeout(DEADLINE, served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_gateways_socket_is_replaced_and_a_live_ones_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let live = RunSocket::bind(&path).unwrap();
    assert!(matches!(RunSocket::bind(&path), Err(ServeError::InUse { .. })));
    assert!(path.exists());
    drop(live);
    fs::write(&path, "a file of somebody's").unwrap();
    assert!(matches!(RunSocket::bind(&path), Err(ServeError::Bind { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody's");
    assert!(matches!(
        RunSocket::bind("/nowhere/at/all".as_ref()),
        Err(ServeError::Bind { .. })
    ));
}

#[tokio::test]
async fn a_listener_is_known_by_its_name_until_its_run_ends() {
    let mut scene = Scene::new(gateway(fake([FakeAnswer::text("one", 1, 1)])));
    let (plan, _, raw) = scene.run();
    assert_eq!(raw.get("/v1/run").await.0, 200);
    scene.runs.end(&plan.run.uid.to_string());
    let refused = raw.get("/v1/run").await;
    assert_eq!((refused.0, kind(&refused)), (403, "run-ended"));
    let stranger = crate::scene::plan();
    let path = scene.open(&stranger);
    let nobody = Scene::new(gateway(fake([])));
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let other = path.with_extension("other");
    let socket = RunSocket::bind(&other).unwrap();
    let server = nobody.gateway.clone();
    tokio::spawn(async move { server.serve_socket(socket, "unheard-of", stop).await });
    for path in ["/v1/run", "/v1/models"] {
        assert_eq!(Raw::new(&other).get(path).await.0, 401, "{path}");
    }
    for path in ["/v1/chat", "/v1/chat/completions", "/v1/fetch"] {
        assert_eq!(Raw::new(&other).post(path, &body("hi")).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn what_is_too_large_too_slow_or_nowhere_is_refused() {
    let limits = GatewayLimits {
        max_body: 2_000,
        receive: Duration::from_millis(200),
        ..limits()
    };
    let mut scene = Scene::new(gateway(fake([])).limits(limits));
    let path = scene.open(&plan());
    let raw = Raw::new(&path);
    let large = raw.chat("s", &body(&"x".repeat(2_000))).await;
    assert_eq!((large.0, kind(&large)), (413, "too-large"));
    for (method, path) in [
        ("GET", "/v1/chat"),
        ("GET", "/"),
        ("POST", "/v1/run"),
        ("GET", "/metrics"),
    ] {
        let missing = crate::scene::said(raw.to(method.parse().unwrap(), path)).await;
        assert_eq!((missing.0, kind(&missing)), (404, "not-found"), "{method} {path}");
    }
    let slow = "POST /v1/chat HTTP/1.1\r\nhost: g\r\ncontent-length: 50\r\n\r\n{";
    assert!(exchange(&path, slow).await.contains("did not arrive within"));
    // A head that never ends: the connection is closed.
    let answer = exchange(&path, "GET /healthz HTTP/1.1\r\nhost: g\r\nx-").await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

/// Sends that, and reads until the other side has nothing more to say.
async fn exchange(path: &std::path::Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    let read = async {
        while !String::from_utf8_lossy(&answer).contains("did not arrive") {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(n) => answer.extend_from_slice(&piece[..n]),
            }
        }
    };
    tokio::time::timeout(DEADLINE, read).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn one_connection_more_than_allowed_waits_for_its_turn() {
    let provider = Gated::new();
    let limits = GatewayLimits {
        max_connections: 1,
        ..limits()
    };
    let mut scene = Scene::new(gateway(provider.clone()).limits(limits));
    let path = scene.open(&plan());
    let mut first = Raw::new(&path).streamed("s", &body("hi")).await;
    until(&mut first, "first").await;
    let second = Raw::new(&path);
    let mut waiting = Box::pin(second.get("/healthz"));
    assert!(
        tokio::time::timeout(Duration::from_millis(200), &mut waiting)
            .await
            .is_err()
    );
    provider.let_on();
    until(&mut first, "\"done\"").await;
    drop(first);
    assert_eq!(waiting.await.0, 200);
}

#[tokio::test]
async fn a_stopped_listener_lets_answers_end_within_its_patience() {
    let provider = Gated::new();
    let limits = GatewayLimits {
        drain: Duration::from_millis(100),
        ..limits()
    };
    let mut scene = Scene::new(gateway(provider.clone()).limits(limits));
    let path = scene.open(&plan());
    let mut stream = Raw::new(&path).streamed("s", &body("hi")).await;
    until(&mut stream, "first").await;
    let gateway = scene.gateway.clone();
    let stopped = tokio::spawn(scene.stop());
    // The connection is cut, and the turn goes on until it is recorded.
    while let Ok(Some(_)) = stream.chunk().await {}
    provider.let_on();
    tokio::time::timeout(DEADLINE, stopped).await.unwrap().unwrap();
    gateway.drain().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn metrics_are_shown_to_whoever_is_not_a_run() {
    let auth = Arc::new(ListenerAuth::default());
    let gateway = gateway(fake([]))
        .metrics(|| "up 1\n".to_owned())
        .authenticate(auth)
        .build()
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let folder = tempfile::tempdir().unwrap();
    let socket = RunSocket::bind(&folder.path().join("s")).unwrap();
    let served = tokio::spawn({
        let (gateway, stop) = (gateway.clone(), stop.clone());
        async move {
            tokio::join!(
                gateway.serve_tcp(listener, stop.clone()),
                gateway.serve_socket(socket, "r", stop)
            )
        }
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let said = client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(said, "up 1\n");
    assert_eq!(Raw::new(&folder.path().join("s")).get("/metrics").await.0, 404);
    stop.cancel();
    let (tcp, unix) = tokio::time::timeout(DEADLINE, served).await.unwrap().unwrap();
    assert!(tcp.is_ok() && unix.is_ok());
}
