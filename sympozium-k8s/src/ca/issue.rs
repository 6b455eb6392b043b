//! Making and reading certificates. Needs randomness, and knows no clock.

use super::decide::{LeafFacts, Life, Times};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::net::IpAddr;
use sympozium_core::error::BoxError;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// The name that roots have. Their keys tell them apart.
const NAME: &str = "Sympozium";

/// A certificate that could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct CertificateError {
    step: &'static str,
    #[source]
    source: BoxError,
}

pub(super) fn failed<E: Into<BoxError>>(step: &'static str) -> impl FnOnce(E) -> CertificateError {
    move |source| CertificateError {
        step,
        source: source.into(),
    }
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: SecretString,
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(failed("write a certificate's time"))
}

fn valid(
    params: &mut CertificateParams,
    now: Timestamp,
    life: SignedDuration,
    times: &Times,
) -> Result<(), CertificateError> {
    let until = now
        .saturating_add(life)
        .map_err(failed("reckon a certificate's end"))?;
    let from = now
        .saturating_sub(times.skew)
        .map_err(failed("reckon a certificate's beginning"))?;
    params.not_before = moment(from)?;
    params.not_after = moment(until)?;
    Ok(())
}

/// A new root, that may sign servers' certificates and no further authorities.
pub fn root(now: Timestamp, times: &Times) -> Result<Pair, CertificateError> {
    let key = KeyPair::generate().map_err(failed("make a root's key"))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, NAME);
    // Two roots of one name would be mistaken for each other while chains are built.
    let made = format!("{NAME} root of {}", now.strftime("%Y-%m-%dT%H:%M:%SZ"));
    params.distinguished_name.push(DnType::CommonName, made);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, times.root, times)?;
    let certificate = params.self_signed(&key).map_err(failed("sign a root"))?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: SecretString::from(key.serialize_pem()),
    })
}

/// A server's certificate for these names, DNS names or addresses, signed by a root. Never valid for longer than the root.
pub fn leaf(root: &Pair, names: &[String], now: Timestamp, times: &Times) -> Result<Pair, CertificateError> {
    let root_key = KeyPair::from_pem(root.key.expose_secret()).map_err(failed("read the root's key"))?;
    let issuer = Issuer::from_ca_cert_pem(&root.certificate, root_key).map_err(failed("read the root"))?;
    let key = KeyPair::generate().map_err(failed("make a server's key"))?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed("name a server"))?;
    params.distinguished_name = DistinguishedName::new();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let left = life(&root.certificate)?.left(now);
    valid(&mut params, now, times.leaf.min(left), times)?;
    let certificate = params
        .signed_by(&key, &issuer)
        .map_err(failed("sign a server's certificate"))?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: SecretString::from(key.serialize_pem()),
    })
}

/// From when until when a certificate in PEM is valid.
pub fn life(certificate: &str) -> Result<Life, CertificateError> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).map_err(failed("read a certificate's PEM"))?;
    let certificate = pem.parse_x509().map_err(failed("read a certificate"))?;
    let at = |second: i64| Timestamp::from_second(second).map_err(failed("read a certificate's time"));
    Ok(Life {
        begins: at(certificate.validity().not_before.timestamp())?,
        ends: at(certificate.validity().not_after.timestamp())?,
    })
}

/// What a server's certificate is, seen from the names that the server has and from the current root.
pub fn leaf_facts(leaf: &str, names: &[String], root: &str) -> Result<LeafFacts, CertificateError> {
    let parse = |text: &str| parse_x509_pem(text.as_bytes()).map(|(_, pem)| pem);
    let (leaf_pem, root_pem) = (
        parse(leaf).map_err(failed("read a server's certificate"))?,
        parse(root).map_err(failed("read the root"))?,
    );
    let certificate = leaf_pem
        .parse_x509()
        .map_err(failed("read a server's certificate"))?;
    let root = root_pem.parse_x509().map_err(failed("read the root"))?;
    let alternative = certificate
        .subject_alternative_name()
        .map_err(failed("read a server's names"))?;
    let own: BTreeSet<String> = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(name)
        .collect();
    let signed = certificate.verify_signature(Some(root.public_key())).is_ok();
    Ok(LeafFacts {
        life: life(leaf)?,
        names_fit: own == names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        of_current_root: certificate.issuer() == root.subject() && signed,
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(|ip| ip.to_string())
        }
        // We make no others; a certificate that has some does not fit.
        other => Some(format!("{other:?}")),
    }
}
