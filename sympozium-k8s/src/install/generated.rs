//! Keys, certificates and passwords: made once for an installation, and kept. Knows neither clock nor client.

use super::manifest::{Manifest, ManifestError, Tenure};
use super::manifests::{CA_FOLDER, DATABASE_NAME, OWNER, SEEDS, TLS_FOLDER};
use super::names::{self, BUS_KEYS, CALLOUT_CONF, DATABASE, DATABASE_PASSWORD_KEY, DATABASE_URL_KEY};
use super::options::{Database, InstallOptions};
use crate::ca::{self, CertificateError, Pair, Roots, Server, Times};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use sympozium_core::bus::nats::callout::{CalloutKeys, KeyError, TlsFiles, server_block};
use uuid::Uuid;

/// What a Secret holds.
pub type SecretData = BTreeMap<String, SecretString>;

/// Days that a server's certificate lives: it is renewed by each installation in the last half of that.
const CERTIFICATE_DAYS: i64 = 365;

/// Keys or certificates that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The installation's authority, or a certificate of it.
    #[error("make the certificates of an installation")]
    Certificate(#[source] CertificateError),
    /// The keys of the bus's callout.
    #[error("make the keys of the event bus")]
    Keys(#[source] KeyError),
    /// An object.
    #[error("write what was made")]
    Manifest(#[source] ManifestError),
}

/// How long certificates live when nobody renews them but `install`.
pub fn times() -> Times {
    let days = |days: i64| SignedDuration::from_hours(days * 24);
    Times {
        leaf: days(CERTIFICATE_DAYS),
        renew: days(CERTIFICATE_DAYS / 2),
        root: days(10 * CERTIFICATE_DAYS),
        ahead: days(2 * CERTIFICATE_DAYS),
        ..Times::default()
    }
}

/// The Secrets that are looked for before anything is made.
pub const SECRETS: [&str; 6] = [
    ca::AUTHORITY,
    names::GATEWAY_TLS,
    names::NATS_TLS,
    names::POSTGRES_TLS,
    BUS_KEYS,
    DATABASE,
];

/// The objects with keys and certificates. `there` is what the Secrets hold that are there already: it is kept, and what is
/// missing or due is made. `database_url` is an address that was given, for [`Database::External`] in our own Secret.
pub fn generated(
    options: &InstallOptions,
    there: &BTreeMap<String, SecretData>,
    database_url: Option<&SecretString>,
    now: Timestamp,
) -> Result<Vec<Manifest>, GenerateError> {
    let mut all = certificates(options, there, now)?;
    all.push(secret(
        options,
        BUS_KEYS,
        "Opaque",
        bus_keys(there.get(BUS_KEYS))?,
    )?);
    if let Some(data) = database(options, there.get(DATABASE), database_url) {
        all.push(secret(options, DATABASE, "Opaque", data)?);
    }
    Ok(all)
}

fn certificates(
    options: &InstallOptions,
    there: &BTreeMap<String, SecretData>,
    now: Timestamp,
) -> Result<Vec<Manifest>, GenerateError> {
    let servers = servers(options, there);
    let roots = there.get(ca::AUTHORITY).map(Roots::read).unwrap_or_default();
    let renewal = ca::renew(roots, &servers, now, &times()).map_err(GenerateError::Certificate)?;
    let mut all = vec![
        secret(options, ca::AUTHORITY, "Opaque", renewal.roots.write())?,
        bundle(options, &renewal.roots)?,
    ];
    let mut made: BTreeMap<String, Pair> = renewal
        .certificates
        .into_iter()
        .map(|(name, pair, _)| (name, pair))
        .collect();
    for server in servers {
        let pair = made.remove(&server.secret).or(server.certificate);
        if let Some(Pair { certificate, key }) = pair {
            let data = BTreeMap::from([
                (ca::TLS_CERTIFICATE.to_owned(), SecretString::from(certificate)),
                (ca::TLS_KEY.to_owned(), key),
            ]);
            all.push(secret(options, &server.secret, ca::TLS_TYPE, data)?);
        }
    }
    Ok(all)
}

/// The servers that have certificates.
fn servers(options: &InstallOptions, there: &BTreeMap<String, SecretData>) -> Vec<Server> {
    let database = (options.database == Database::Bundled).then_some((names::POSTGRES_TLS, names::POSTGRES));
    [
        (names::GATEWAY_TLS, names::GATEWAY),
        (names::NATS_TLS, names::NATS),
    ]
    .into_iter()
    .chain(database)
    .map(|(secret, service)| Server {
        secret: secret.to_owned(),
        names: names::service_names(service, &options.namespace),
        certificate: there.get(secret).and_then(|data| {
            Some(Pair {
                certificate: data.get(ca::TLS_CERTIFICATE)?.expose_secret().to_owned(),
                key: data.get(ca::TLS_KEY)?.clone(),
            })
        }),
    })
    .collect()
}

fn bus_keys(there: Option<&SecretData>) -> Result<SecretData, GenerateError> {
    let known = there.and_then(|data| {
        let seed = |name: &str| data.get(name).cloned();
        let [issuer, callout, system, xkey] = SEEDS;
        CalloutKeys::from_seeds(seed(issuer)?, seed(callout)?, seed(system)?, seed(xkey)?).ok()
    });
    let keys = match known {
        Some(keys) => keys,
        None => CalloutKeys::generate().map_err(GenerateError::Keys)?,
    };
    let tls = TlsFiles {
        certificate: Path::new(TLS_FOLDER).join(ca::TLS_CERTIFICATE),
        key: Path::new(TLS_FOLDER).join(ca::TLS_KEY),
    };
    let seeds = SEEDS.iter().zip(keys.seeds());
    let mut data: SecretData = seeds
        .map(|(name, seed)| ((*name).to_owned(), seed.clone()))
        .collect();
    let block = server_block(keys.public(), Some(&tls));
    data.insert(CALLOUT_CONF.to_owned(), SecretString::from(block));
    Ok(data)
}

/// `None` = the database's address is in a Secret of somebody else's.
fn database(
    options: &InstallOptions,
    there: Option<&SecretData>,
    given: Option<&SecretString>,
) -> Option<SecretData> {
    match &options.database {
        Database::Bundled => Some(bundled_database(options, there)),
        Database::External { secret, key } if secret == DATABASE => {
            let url = given.or_else(|| there.and_then(|data| data.get(key)))?;
            Some(BTreeMap::from([(key.clone(), url.clone())]))
        }
        Database::External { .. } => None,
    }
}

fn bundled_database(options: &InstallOptions, there: Option<&SecretData>) -> SecretData {
    let known = there.and_then(|data| data.get(DATABASE_PASSWORD_KEY)).cloned();
    // Random numbers of the system: 244 bits in 64 letters and digits, which need no escaping in a URL.
    let new = || SecretString::from(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
    let password = known.unwrap_or_else(new);
    let url = format!(
        "postgres://{OWNER}:{}@{}:{}/{DATABASE_NAME}?sslmode=verify-full&sslrootcert={CA_FOLDER}/{}",
        password.expose_secret(),
        names::service_host(names::POSTGRES, &options.namespace),
        names::POSTGRES_PORT,
        ca::BUNDLE_KEY
    );
    BTreeMap::from([
        (DATABASE_PASSWORD_KEY.to_owned(), password),
        (DATABASE_URL_KEY.to_owned(), SecretString::from(url)),
    ])
}

fn metadata(options: &InstallOptions, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(options.namespace.clone()),
        labels: Some(names::labels(name, &options.version)),
        ..ObjectMeta::default()
    }
}

fn secret(
    options: &InstallOptions,
    name: &str,
    kind: &str,
    data: SecretData,
) -> Result<Manifest, GenerateError> {
    let bytes =
        |(key, value): (String, SecretString)| (key, ByteString(value.expose_secret().as_bytes().to_vec()));
    let object = Secret {
        metadata: metadata(options, name),
        type_: Some(kind.to_owned()),
        data: Some(data.into_iter().map(bytes).collect()),
        ..Secret::default()
    };
    let manifest = Manifest::new(&object).map_err(GenerateError::Manifest)?;
    Ok(manifest.with(Tenure::Foundation))
}

/// What everybody trusts.
fn bundle(options: &InstallOptions, roots: &Roots) -> Result<Manifest, GenerateError> {
    let object = ConfigMap {
        metadata: metadata(options, ca::AUTHORITY),
        data: Some(BTreeMap::from([(ca::BUNDLE_KEY.to_owned(), roots.bundle())])),
        ..ConfigMap::default()
    };
    let manifest = Manifest::new(&object).map_err(GenerateError::Manifest)?;
    Ok(manifest.with(Tenure::Foundation))
}

/// Annotation of pods: of which certificate they are. Servers that read theirs only when they start get a new pod for a new
/// one; the gateway reads its own again.
const CERTIFICATE: &str = "sympozium.ai/certificate";

/// Names the certificates in the pods of bus and database.
pub(super) fn restart_with_certificates(manifests: &mut [Manifest], made: &[Manifest]) {
    for (part, name) in [
        (names::NATS, names::NATS_TLS),
        (names::POSTGRES, names::POSTGRES_TLS),
    ] {
        let secret = made.iter().find(|one| one.name() == name);
        let path = format!("/data/{}", ca::TLS_CERTIFICATE);
        let certificate = secret.and_then(|secret| secret.object.data.pointer(&path)?.as_str());
        let set = manifests
            .iter_mut()
            .find(|one| one.resource.kind == "StatefulSet" && one.name() == part);
        let metadata = set.and_then(|set| set.object.data.pointer_mut("/spec/template/metadata"));
        if let (Some(certificate), Some(metadata)) = (certificate, metadata) {
            let digest = hex::encode(Sha256::digest(certificate.as_bytes()));
            metadata["annotations"] = serde_json::json!({ CERTIFICATE: digest });
        }
    }
}
