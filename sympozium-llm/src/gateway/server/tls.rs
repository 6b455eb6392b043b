//! The gateway's certificate, from files that change.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use sympozium_core::error::{BoxError, Classify, Retry, chain};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. Certificates are renewed days before their end.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[error("use the certificate in {} with the key in {}", .certificate.display(), .key.display())]
pub struct TlsSetupError {
    certificate: PathBuf,
    key: PathBuf,
    #[source]
    source: BoxError,
}

impl Classify for TlsSetupError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        "tls-setup"
    }
}

/// A server's certificate chain and key, both PEM files, as a mounted Secret of type `kubernetes.io/tls` has them.
///
/// New connections get what the files held when they were looked at last; what can't be used leaves the certificate
/// before it in place. TLS 1.3 and 1.2, HTTP/1.1.
#[derive(Clone)]
pub struct ServerTls {
    files: Arc<Files>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
}

/// What the files held.
#[derive(Clone, PartialEq, Eq)]
struct Held {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate in use.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl ServerTls {
    /// Reads the files.
    pub async fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsSetupError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            provider: Arc::new(aws_lc_rs::default_provider()),
        };
        let failed = |source: BoxError| TlsSetupError {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let held = files.read().await.map_err(failed)?;
        let certified = files.certified(&held).map_err(failed)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&files.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.into()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files: Arc::new(files),
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Takes up what the files hold, whenever that changes.
    pub(super) async fn follow(&self, cancel: CancellationToken) {
        let mut before = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = cancel.cancelled() => return,
            }
            let found = self.files.read().await.ok();
            // What could not be used is told once, and not at every look.
            if found.is_none() || found != before {
                if let Err(error) = self.reload().await {
                    tracing::warn!(error = chain(&error), "the certificate before it stays in use");
                }
                before = found;
            }
        }
    }

    /// Takes up what the files hold now. When that can't be used, the certificate before it stays in use.
    pub async fn reload(&self) -> Result<(), TlsSetupError> {
        let files = &self.files;
        let failed = |source: BoxError| TlsSetupError {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        };
        let held = files.read().await.map_err(failed)?;
        let certified = files.certified(&held).map_err(failed)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }
}

impl Files {
    async fn read(&self) -> Result<Held, BoxError> {
        Ok(Held {
            certificate: tokio::fs::read(&self.certificate).await?,
            key: tokio::fs::read(&self.key).await?,
        })
    }

    fn certified(&self, held: &Held) -> Result<CertifiedKey, BoxError> {
        let chain = CertificateDer::pem_slice_iter(&held.certificate).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&held.key)?;
        // Refuses a chain that is empty, and a key that does not belong to it.
        Ok(CertifiedKey::from_der(chain, key, &self.provider)?)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("certificate", &self.files.certificate)
            .finish_non_exhaustive()
    }
}
