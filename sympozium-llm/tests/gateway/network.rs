//! A gateway on the network: over TLS, with tokens, and those who come to it.

use crate::scene::{DEADLINE, gateway, limits};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use sympozium_core::auth::{Caller, Principal};
use sympozium_core::llm::LlmProvider;
use sympozium_core::run::RunPlan;
use sympozium_core::run::pod_contract::GatewayAccess;
use sympozium_core::store::InMemoryStore;
use sympozium_core::testing::StaticAuth;
use sympozium_llm::gateway::{Gateway, GatewayBuilder, ServeError, ServerTls, Stores};
use sympozium_llm::runner::{GatewayClient, GatewayEndpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub(crate) const AGENT: &str = "agent-token";
pub(crate) const SKILL: &str = "skill-token";

/// The folder with the test's certificates.
fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls_data")
}

/// A gateway that knows the agent and the pack `ops` of one run.
pub(crate) fn builder(
    provider: Arc<dyn LlmProvider>,
    plan: &RunPlan,
    store: &Arc<InMemoryStore>,
) -> GatewayBuilder {
    let plan = Arc::new(plan.clone());
    let skill = Caller {
        plan: Arc::clone(&plan),
        principal: Principal::Skill("ops".parse().unwrap()),
    };
    let auth = StaticAuth::new()
        .token(AGENT, Caller::agent(plan))
        .token(SKILL, skill);
    gateway(provider)
        .limits(limits())
        .stores(Stores::all(Arc::clone(store)))
        .authenticate(Arc::new(auth))
}

pub(crate) struct Served {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    /// Serves on that port; 0 = a free one.
    pub(crate) async fn start(gateway: Gateway, port: u16) -> Self {
        let folder = certificates();
        let (certificate, key) = (folder.join("server.pem"), folder.join("server-key.pem"));
        let tls = ServerTls::from_files(&certificate, &key).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (own, cancel) = (gateway.clone(), stop.clone());
        let server = tokio::spawn(async move { own.serve_tls(listener, &tls, cancel).await });
        Self {
            gateway,
            address,
            stop,
            server,
        }
    }

    /// Stops the listener, and waits for its connections.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.server)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn connection(&self) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(certificates().join("authority.pem")).unwrap();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    /// Sends a request head by hand; gives the connection and the head of the answer.
    pub(crate) async fn head(&self, request: &str) -> (TlsStream<TcpStream>, String) {
        let mut stream = self.connection().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        let read = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, read).await.unwrap();
        (stream, String::from_utf8(head).unwrap())
    }
}

/// What a runner is told of a gateway there, with this token.
pub(crate) fn endpoint(folder: &Path, address: SocketAddr, token: &str) -> GatewayEndpoint {
    let token_file = folder.join("token");
    std::fs::write(&token_file, token).unwrap();
    GatewayEndpoint::Tls(GatewayAccess {
        url: format!("https://localhost:{}", address.port()).parse().unwrap(),
        token_file,
        ca_file: certificates().join("authority.pem"),
    })
}

pub(crate) fn client(folder: &Path, address: SocketAddr) -> GatewayClient {
    GatewayClient::new(endpoint(folder, address, AGENT)).patience(DEADLINE)
}
