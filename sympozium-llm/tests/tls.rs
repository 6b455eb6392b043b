//! TLS: a server's certificate is judged, though certificates are read late.
#![cfg(feature = "http")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use sympozium_core::error::chain;
use sympozium_llm::http::{AddressRules, GuardedClient};
use url::Url;

/// Tells the child process where the server is.
const CHILD: &str = "TLS_TEST_PORT";

/// A server that shows the test certificate, and answers every request with `ok`.
fn server() -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls_data/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls_data/server-key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the process of the test.
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            // A client that trusts nobody goes away in the middle.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    port
}

async fn get(host: &str, port: u16) -> Result<String, String> {
    let rules = AddressRules::public_only().allow(host, port);
    let client = GuardedClient::new(rules).unwrap();
    let url = Url::parse(&format!("https://{host}:{port}/")).unwrap();
    let request = client.request(http::Method::GET, url).unwrap();
    let answer = request.send().await.map_err(|error| chain(&error))?;
    answer.text().await.map_err(|error| chain(&error))
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let error = get("localhost", server()).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

/// Which authorities a machine trusts is told to a process when it starts, so the test runs itself in one of its own.
#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken_for_its_own_name_alone() {
    if let Ok(port) = std::env::var(CHILD) {
        let port = port.parse().unwrap();
        assert_eq!(get("localhost", port).await.as_deref(), Ok("ok"));
        let error = get("127.0.0.1", port).await.unwrap_err();
        assert!(error.contains("not valid for name"), "{error}");
        return;
    }
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls_data/authority.pem");
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_certificate_of_a_trusted_authority_is_taken_for_its_own_name_alone",
        ])
        .env("SSL_CERT_FILE", authority)
        .env_remove("SSL_CERT_DIR")
        .env(CHILD, server().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
