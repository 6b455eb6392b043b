//! What commands need to get out of their pod: the gateway's proxy, a token for it, and whom to trust.

use super::redact::Redaction;
use crate::error::{Classify, Retry, chain};
use crate::ipc::mailbox::{MailboxError, read_whole, write_bytes};
use crate::run::pod_contract::GatewayAccess;
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::path::{Path, PathBuf};
use url::Url;

/// The user's name beside the token, as the proxy knows it.
pub(super) const USER: &str = "token";
/// The file of all certificates to trust.
const BUNDLE: &str = "sympozium-ca-certificates.crt";
/// The longest token, in bytes.
const MAX_TOKEN: u64 = 16 << 10;
/// The largest file of certificates.
const MAX_CERTIFICATES: u64 = 4 << 20;
/// Where images have the certificates that they trust.
const IMAGE_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Why commands can't be let out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A file can't be used.
    #[error("use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: MailboxError,
    },
    /// A file that has to be there is not.
    #[error("use {path}: there is no such file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The token is none.
    #[error("use {path}: it holds no token")]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The gateway's address can't hold a user and a password.
    #[error("use {url} as a proxy: it is no address of one")]
    NoProxy {
        /// The address.
        url: Url,
    },
}

impl Classify for ProxyError {
    fn retry(&self) -> Retry {
        match self {
            Self::File { source, .. } => source.retry(),
            Self::Missing { .. } | Self::NoToken { .. } => Retry::Backoff,
            Self::NoProxy { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::File { source, .. } => source.kind(),
            Self::Missing { .. } => "missing",
            Self::NoToken { .. } => "no-token",
            Self::NoProxy { .. } => "no-proxy",
        }
    }
}

/// The way out.
#[derive(Debug)]
pub(super) struct Proxy {
    access: GatewayAccess,
    bundle: PathBuf,
}

/// What one command gets.
#[derive(Debug)]
pub(super) struct WayOut {
    pub(super) env: [(&'static str, SecretString); 2],
    pub(super) redaction: Redaction,
}

impl Proxy {
    /// Writes down whom commands trust, once: the image's own certificates and those of the installation.
    pub(super) fn open(access: GatewayAccess, tmp: &Path) -> Result<Self, ProxyError> {
        let ours = certificates(&access.ca_file)?;
        let image = IMAGE_BUNDLES.iter().map(Path::new).find(|path| path.is_file());
        let image = image.map(certificates).transpose()?;
        let all = joined(image.unwrap_or_default(), &ours);
        write_bytes(tmp, BUNDLE, &all).map_err(file(&tmp.join(BUNDLE)))?;
        Ok(Self {
            access,
            bundle: tmp.join(BUNDLE),
        })
    }

    /// What the next command gets. The token is read each time: it is renewed while the run lasts.
    pub(super) fn way_out(&self) -> Result<WayOut, ProxyError> {
        let token = read_token(&self.access.token_file)?;
        let proxy = address(&self.access.url, &token)?;
        Ok(WayOut {
            env: [
                ("HTTPS_PROXY", proxy),
                ("SSL_CERT_FILE", self.bundle.display().to_string().into()),
            ],
            redaction: Redaction::of_token(&token),
        })
    }
}

/// A sentence for the model.
pub(super) fn no_way_out(error: &ProxyError) -> String {
    format!("The command could not be given its way out: {}.", chain(error))
}

/// The proxy's address, with the token as its password.
fn address(gateway: &Url, token: &SecretString) -> Result<SecretString, ProxyError> {
    let no_proxy = || ProxyError::NoProxy { url: gateway.clone() };
    let mut url = gateway.clone();
    url.set_username(USER).map_err(|()| no_proxy())?;
    url.set_password(Some(token.expose_secret()))
        .map_err(|()| no_proxy())?;
    // Some clients take a path for a part of the host.
    Ok(url.as_str().trim_end_matches('/').to_owned().into())
}

/// Reads a token.
pub(super) fn read_token(path: &Path) -> Result<SecretString, ProxyError> {
    let no_token = || ProxyError::NoToken {
        path: path.to_owned(),
    };
    let bytes = read(path, MAX_TOKEN)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| no_token())?.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(no_token());
    }
    Ok(text.to_owned().into())
}

fn certificates(path: &Path) -> Result<Vec<u8>, ProxyError> {
    read(path, MAX_CERTIFICATES)
}

/// Kubernetes makes files of a volume links to what is valid now.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, ProxyError> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ProxyError::Missing {
                path: path.to_owned(),
            });
        }
        Err(source) => return Err(file(path)(MailboxError::io("find", path)(source))),
    };
    let found = read_whole(&real, most).map_err(file(path))?;
    found.ok_or_else(|| ProxyError::Missing {
        path: path.to_owned(),
    })
}

fn file(path: &Path) -> impl FnOnce(MailboxError) -> ProxyError {
    let path = path.to_owned();
    move |source| ProxyError::File { path, source }
}

fn joined(mut all: Vec<u8>, ours: &[u8]) -> Vec<u8> {
    if !all.is_empty() && !all.ends_with(b"\n") {
        all.push(b'\n');
    }
    all.extend_from_slice(ours);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn access(folder: &Path) -> GatewayAccess {
        fs::write(folder.join("token"), "ey.J-a_b\n").unwrap();
        fs::write(folder.join("ca.crt"), "OURS\n").unwrap();
        GatewayAccess {
            url: "https://gateway.sympozium:8443".parse().unwrap(),
            token_file: folder.join("token"),
            ca_file: folder.join("ca.crt"),
        }
    }

    #[test]
    fn a_command_gets_the_token_of_the_moment_and_all_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::open(access(folder.path()), folder.path()).unwrap();
        let env = |n: usize| proxy.way_out().unwrap().env[n].1.expose_secret().to_owned();
        assert_eq!(env(0), "https://token:ey.J-a_b@gateway.sympozium:8443");
        fs::write(folder.path().join("token"), "p@ss/w:d").unwrap();
        assert_eq!(env(0), "https://token:p%40ss%2Fw%3Ad@gateway.sympozium:8443");
        let bundle = fs::read_to_string(env(1)).unwrap();
        assert!(bundle.ends_with("OURS\n"), "{bundle}");
        if let Some(image) = IMAGE_BUNDLES.iter().find(|path| Path::new(path).is_file()) {
            assert!(bundle.len() > 5 && bundle.starts_with(&fs::read_to_string(image).unwrap()));
        }
        assert!(
            !format!("{:?}", proxy.way_out()).contains("p@ss"),
            "it is not shown"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fine = access(folder.path());
        let proxy = Proxy::open(fine.clone(), folder.path()).unwrap();
        for text in ["", " \n", "two words"] {
            fs::write(&fine.token_file, text).unwrap();
            let error = proxy.way_out().unwrap_err();
            assert!(matches!(error, ProxyError::NoToken { .. }), "{text:?}: {error}");
        }
        fs::remove_file(&fine.token_file).unwrap();
        assert!(no_way_out(&proxy.way_out().unwrap_err()).contains("there is no such file"));
        let without = GatewayAccess {
            ca_file: folder.path().join("missing"),
            ..fine
        };
        let error = Proxy::open(without, folder.path()).unwrap_err();
        assert!(matches!(error, ProxyError::Missing { .. }), "{error}");
    }

    #[test]
    fn certificates_are_not_run_together() {
        assert_eq!(joined(b"a".to_vec(), b"b\n"), b"a\nb\n");
        assert_eq!(joined(b"a\n".to_vec(), b"b"), b"a\nb");
        assert_eq!(joined(vec![], b"b"), b"b");
    }
}
