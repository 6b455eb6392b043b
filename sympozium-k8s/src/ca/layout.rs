//! Where an installation keeps its authority: the keys of Secrets and of the ConfigMap. Pure.

use super::issue::Pair;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The Secret with the roots and their keys, and the ConfigMap with the roots alone. Both in the installation's namespace.
pub const AUTHORITY: &str = "sympozium-ca";
/// Key of the ConfigMap: all roots that may be met, in PEM.
pub const BUNDLE_KEY: &str = "ca.crt";
/// Keys of a Secret with a server's certificate, as in every Secret of type `kubernetes.io/tls`.
pub const TLS_CERTIFICATE: &str = "tls.crt";
/// Its key.
pub const TLS_KEY: &str = "tls.key";
/// The type of such a Secret.
pub const TLS_TYPE: &str = "kubernetes.io/tls";

const CURRENT: (&str, &str) = ("ca.crt", "ca.key");
const NEXT: (&str, &str) = ("next.crt", "next.key");
const OLD: &str = "old.crt";
const END: &str = "-----END CERTIFICATE-----";

/// The roots of an installation.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// The one that signs.
    pub current: Option<Pair>,
    /// The one that will.
    pub next: Option<Pair>,
    /// Those that signed, without their keys, in PEM.
    pub old: Vec<String>,
}

impl Roots {
    /// Reads the data of the Secret. A certificate without its key, or the other way round, is none.
    pub fn read(data: &BTreeMap<String, SecretString>) -> Self {
        let text = |name: &str| data.get(name).filter(|text| !text.expose_secret().is_empty());
        let pair = |(certificate, key): (&str, &str)| {
            Some(Pair {
                certificate: text(certificate)?.expose_secret().to_owned(),
                key: text(key)?.clone(),
            })
        };
        Self {
            current: pair(CURRENT),
            next: pair(NEXT),
            old: text(OLD).map_or_else(Vec::new, |text| split(text.expose_secret())),
        }
    }

    /// The data of the Secret.
    pub fn write(&self) -> BTreeMap<String, SecretString> {
        let pair = |names: (&str, &str), pair: Option<&Pair>| {
            pair.into_iter()
                .flat_map(move |pair| {
                    [
                        (names.0.to_owned(), SecretString::from(pair.certificate.clone())),
                        (names.1.to_owned(), pair.key.clone()),
                    ]
                })
                .collect::<Vec<_>>()
        };
        let old = (!self.old.is_empty()).then(|| (OLD.to_owned(), SecretString::from(self.old.concat())));
        pair(CURRENT, self.current.as_ref())
            .into_iter()
            .chain(pair(NEXT, self.next.as_ref()))
            .chain(old)
            .collect()
    }

    /// All roots that may be met, in PEM: what everybody trusts.
    pub fn bundle(&self) -> String {
        let pairs = [&self.current, &self.next].into_iter().flatten();
        let all = pairs
            .map(|pair| pair.certificate.as_str())
            .chain(self.old.iter().map(String::as_str));
        all.fold(String::new(), |bundle, pem| bundle + pem.trim_end() + "\n")
    }
}

/// Each certificate of a file with several.
fn split(pem: &str) -> Vec<String> {
    pem.split_inclusive(END)
        .filter(|one| one.contains(END))
        .map(|one| format!("{}\n", one.trim()))
        .collect()
}
