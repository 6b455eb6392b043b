//! A runner that trusts nothing but our own authority, and a gateway with a certificate of it, through a change of roots.
#![cfg(all(feature = "gateway", feature = "runner"))]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::auth::Caller;
use sympozium_core::run::pod_contract::GatewayAccess;
use sympozium_core::store::InMemoryStore;
use sympozium_core::testing::{StaticAuth, run_plan};
use sympozium_k8s::ca::{Due, Pair, Roots, Server, Times, renew};
use sympozium_llm::gateway::{Gateway, ServerTls, Stores};
use sympozium_llm::runner::{GatewayClient, GatewayEndpoint, GatewayError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Roots and the gateway's certificate, as they stand on disk.
struct Authority {
    roots: Roots,
    server: Server,
}

impl Authority {
    /// Looks after everything at that time, and writes what comes of it.
    fn look(&mut self, folder: &Path, now: Timestamp) -> Vec<Due> {
        let roots = std::mem::take(&mut self.roots);
        let renewal = renew(roots, std::slice::from_ref(&self.server), now, &Times::default()).unwrap();
        self.roots = renewal.roots;
        std::fs::write(folder.join("ca.crt"), self.roots.bundle()).unwrap();
        let made = renewal.certificates.into_iter();
        made.map(|(_, pair, due)| {
            write(folder, &pair);
            self.server.certificate = Some(pair);
            due
        })
        .collect()
    }
}

fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("tls.crt"), &pair.certificate).unwrap();
    std::fs::write(folder.join("tls.key"), pair.key.expose_secret()).unwrap();
}

fn gateway() -> Gateway {
    let plan = Arc::new(run_plan("the task"));
    let auth = StaticAuth::new().token("t0ken", Caller::agent(plan));
    let provider = sympozium_core::testing::FakeProvider::new("fake".parse().unwrap(), []);
    Gateway::builder()
        .provider("fake".parse().unwrap(), Arc::new(provider))
        .stores(Stores::all(Arc::new(InMemoryStore::new())))
        .authenticate(Arc::new(auth))
        .build()
        .unwrap()
}

/// Asks the gateway over a new connection, trusting what the file holds.
async fn ask(folder: &Path, address: SocketAddr, host: &str, ca: &str) -> Result<String, GatewayError> {
    let client = GatewayClient::new(GatewayEndpoint::Tls(GatewayAccess {
        url: format!("https://{host}:{}", address.port()).parse().unwrap(),
        token_file: folder.join("token"),
        ca_file: folder.join(ca),
    }));
    let input = client.patience(Duration::ZERO).run_input().await;
    input.map(|input| input.task)
}

#[tokio::test]
async fn a_runner_follows_its_authority_through_a_change_of_roots() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("token"), "t0ken\n").unwrap();
    let mut authority = Authority {
        roots: Roots::default(),
        server: Server {
            secret: "sympozium-gateway-tls".to_owned(),
            names: vec!["localhost".to_owned()],
            certificate: None,
        },
    };
    let now = Timestamp::now();
    // The first root was made long ago, so that its end comes near now.
    let began = now - SignedDuration::from_hours(24 * 600);
    assert_eq!(authority.look(folder, began), [Due::Missing]);
    assert_eq!(
        authority.look(folder, now - SignedDuration::from_hours(24 * 10)),
        [Due::Expires]
    );
    std::fs::copy(folder.join("ca.crt"), folder.join("both.crt")).unwrap();
    let first = authority.roots.current.as_ref().unwrap().certificate.clone();
    std::fs::write(folder.join("first.crt"), first).unwrap();

    let tls = ServerTls::from_files(&folder.join("tls.crt"), &folder.join("tls.key"))
        .await
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (cancel, own_tls) = (stop.clone(), tls.clone());
    let server = tokio::spawn(async move { gateway().serve_tls(listener, &own_tls, cancel).await });

    for ca in ["ca.crt", "first.crt", "both.crt"] {
        assert_eq!(
            ask(folder, address, "localhost", ca).await.unwrap(),
            "the task",
            "{ca}"
        );
    }
    let other_name = ask(folder, address, "127.0.0.1", "ca.crt").await.unwrap_err();
    assert!(matches!(other_name, GatewayError::Connect { .. }), "{other_name}");

    // The next root was published ten days ago; now certificates come from it.
    assert_eq!(authority.look(folder, now), [Due::Root]);
    tls.reload().await.unwrap();
    for ca in ["ca.crt", "both.crt"] {
        assert_eq!(
            ask(folder, address, "localhost", ca).await.unwrap(),
            "the task",
            "{ca}"
        );
    }
    let untrusted = ask(folder, address, "localhost", "first.crt").await.unwrap_err();
    assert!(matches!(untrusted, GatewayError::Connect { .. }), "{untrusted}");

    // What can't be used leaves the certificate in place.
    std::fs::write(folder.join("tls.key"), "nothing").unwrap();
    assert!(tls.reload().await.is_err());
    assert!(ask(folder, address, "localhost", "ca.crt").await.is_ok());
    stop.cancel();
    server.await.unwrap().unwrap();
}
