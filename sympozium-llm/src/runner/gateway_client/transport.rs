//! From an endpoint to a stream of bytes, and what a request says about who sends it.
//!
//! The installation's own authorities are all that is trusted: the system's certificates are never read, which takes longer
//! than everything else at a runner's start.

use super::{GatewayEndpoint, GatewayError};
use http::HeaderValue;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::run::pod_contract::GatewayAccess;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use url::Url;

/// How long connecting and the handshake may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest token.
const MAX_TOKEN: usize = 16 << 10;

/// Bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection.
pub(super) async fn open(endpoint: &GatewayEndpoint) -> Result<Box<dyn Stream>, GatewayError> {
    match endpoint {
        GatewayEndpoint::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(source) => Err(GatewayError::Connect {
                at: path.display().to_string(),
                source,
            }),
        },
        GatewayEndpoint::Tls(access) => {
            let whole = tls(access);
            let late = |_| GatewayError::Connect {
                at: access.url.to_string(),
                source: io::ErrorKind::TimedOut.into(),
            };
            tokio::time::timeout(CONNECT, whole).await.map_err(late)?
        }
    }
}

async fn tls(access: &GatewayAccess) -> Result<Box<dyn Stream>, GatewayError> {
    let (host, port) = place(&access.url)?;
    let connector = TlsConnector::from(Arc::new(trust(&access.ca_file)?));
    let name = ServerName::try_from(host.clone()).map_err(|error| GatewayError::Setup {
        detail: format!("{host} is no name that a certificate can have: {error}"),
    })?;
    let failed = |source| GatewayError::Connect {
        at: access.url.to_string(),
        source,
    };
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let stream = connector.connect(name, stream).await.map_err(failed)?;
    Ok(Box::new(stream))
}

/// The host, as one connects to it, and the port.
fn place(url: &Url) -> Result<(String, u16), GatewayError> {
    let bad = |what: &str| GatewayError::Setup {
        detail: format!("the gateway's address {url} {what}"),
    };
    if url.scheme() != "https" {
        return Err(bad("has to begin with https://"));
    }
    let host = url.host().ok_or_else(|| bad("has no host"))?;
    let host = match host {
        url::Host::Domain(name) => name.to_owned(),
        url::Host::Ipv4(ip) => ip.to_string(),
        url::Host::Ipv6(ip) => ip.to_string(),
    };
    Ok((host, url.port_or_known_default().unwrap_or(443)))
}

/// Trusts the certificates in that file and no others. Read for each connection: authorities are replaced while runs last.
fn trust(file: &Path) -> Result<ClientConfig, GatewayError> {
    let bad = |detail: String| GatewayError::Setup {
        detail: format!("the certificates in {} {detail}", file.display()),
    };
    let pem = std::fs::read(file).map_err(|error| bad(format!("can't be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(format!("are not PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| bad(format!("can't be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(bad("are none".to_owned()));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(format!("can't be used: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The header that says who is asking; `None` where the socket says it. Read for each request: tokens are renewed.
pub(super) fn authorization(endpoint: &GatewayEndpoint) -> Result<Option<HeaderValue>, GatewayError> {
    let GatewayEndpoint::Tls(access) = endpoint else {
        return Ok(None);
    };
    let bad = |detail: String| GatewayError::Setup {
        detail: format!("the token in {} {detail}", access.token_file.display()),
    };
    let text = std::fs::read_to_string(&access.token_file)
        .map_err(|error| bad(format!("can't be read: {error}")))?;
    let token = text.trim();
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Err(bad("is empty or far too long".to_owned()));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| bad("holds what can't be sent".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What a request says in `Host`.
pub(super) fn host(endpoint: &GatewayEndpoint) -> String {
    match endpoint {
        GatewayEndpoint::Unix(_) => "gateway".to_owned(),
        GatewayEndpoint::Tls(access) => {
            let host = access.url.host_str().unwrap_or("gateway");
            match access.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(folder: &Path, url: &str) -> GatewayAccess {
        GatewayAccess {
            url: Url::parse(url).unwrap(),
            token_file: folder.join("token"),
            ca_file: folder.join("ca.crt"),
        }
    }

    #[test]
    fn a_token_is_read_again_for_each_request_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = GatewayEndpoint::Tls(access(folder.path(), "https://g:8443"));
        assert!(authorization(&endpoint).is_err());
        for token in ["first", "second\n"] {
            std::fs::write(folder.path().join("token"), token).unwrap();
            let value = authorization(&endpoint).unwrap().unwrap();
            assert_eq!(value, format!("Bearer {}", token.trim()).as_str());
            assert!(value.is_sensitive());
        }
        for wrong in ["", " \n", "canary\u{7}"] {
            std::fs::write(folder.path().join("token"), wrong).unwrap();
            let error = authorization(&endpoint).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
        assert_eq!(host(&endpoint), "g:8443");
        assert_eq!(authorization(&GatewayEndpoint::Unix("/s".into())).unwrap(), None);
    }

    #[test]
    fn only_https_addresses_are_gateways() {
        let at = |url: &str| place(&Url::parse(url).unwrap()).ok();
        assert_eq!(at("https://gateway"), Some(("gateway".to_owned(), 443)));
        assert_eq!(at("https://[::1]:8443"), Some(("::1".to_owned(), 8443)));
        assert_eq!(at("http://gateway"), None);
    }

    #[test]
    fn certificates_that_are_none_are_refused_by_the_name_of_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        assert!(trust(&file).unwrap_err().to_string().contains("ca.crt"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(trust(&file).is_err());
        std::fs::write(&file, include_bytes!("../../../tests/tls_data/authority.pem")).unwrap();
        assert!(trust(&file).is_ok());
    }
}
