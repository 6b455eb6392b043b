//! Our own authority: what it makes is trusted by whoever trusts its bundle, at every step of its life.
#![cfg(feature = "ca")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use sympozium_k8s::ca::{Due, Pair, Roots, Server, Times, leaf, life, renew, root};

const NAME: &str = "sympozium-gateway.sympozium-system.svc";

/// A clock that stands.
#[derive(Debug)]
struct At(Timestamp);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A handshake at that time, of a client that trusts this bundle and no other.
fn shake(bundle: &str, pair: &Pair, name: &str, now: Timestamp) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let client = ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(At(now)))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose_secret().as_bytes()).unwrap();
    let server = ServerConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

fn day(day: i64) -> Timestamp {
    "2026-12-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
}

fn names() -> Vec<String> {
    vec![NAME.to_owned(), "10.96.0.7".to_owned()]
}

#[test]
fn a_certificate_is_trusted_for_its_names_by_whoever_trusts_its_root() {
    let times = Times::default();
    let (own, other) = (root(day(0), &times).unwrap(), root(day(0), &times).unwrap());
    let pair = leaf(&own, &names(), day(0), &times).unwrap();
    for name in [NAME, "10.96.0.7"] {
        assert_eq!(shake(&own.certificate, &pair, name, day(1)), Ok(()), "{name}");
    }
    assert!(shake(&own.certificate, &pair, "elsewhere.example", day(1)).is_err());
    assert!(shake(&other.certificate, &pair, NAME, day(1)).is_err());
    assert!(shake(&own.certificate, &pair, NAME, day(91)).is_err());
    // A clock that is half an hour behind.
    assert_eq!(
        shake(
            &own.certificate,
            &pair,
            NAME,
            day(0) - SignedDuration::from_mins(30)
        ),
        Ok(())
    );
}

#[test]
fn a_certificate_never_outlives_its_root() {
    let times = Times::default();
    let own = root(day(0), &times).unwrap();
    let pair = leaf(&own, &names(), day(700), &times).unwrap();
    assert!(life(&pair.certificate).unwrap().ends <= life(&own.certificate).unwrap().ends);
}

#[test]
fn roots_survive_being_kept() {
    let times = Times::default();
    let mut roots = renew(Roots::default(), &[], day(0), &times).unwrap().roots;
    roots.next = Some(root(day(1), &times).unwrap());
    roots.old = vec![
        root(day(2), &times).unwrap().certificate,
        root(day(3), &times).unwrap().certificate,
    ];
    let again = Roots::read(&roots.write());
    assert_eq!(again.bundle(), roots.bundle());
    assert_eq!(again.bundle().matches("BEGIN CERTIFICATE").count(), 4);
    assert!(!again.bundle().contains("PRIVATE"));
    let key = |roots: &Roots| roots.current.as_ref().unwrap().key.expose_secret().to_owned();
    assert_eq!(key(&again), key(&roots));
}

/// Lives through six years, looking once a day: a client that read the bundle up to six days ago always trusts the server.
#[test]
fn nobody_ever_meets_a_certificate_that_he_does_not_trust() {
    let times = Times::default();
    let (mut roots, mut server) = (
        Roots::default(),
        Server {
            secret: "sympozium-gateway-tls".to_owned(),
            names: names(),
            certificate: None,
        },
    );
    let mut bundles: Vec<String> = Vec::new();
    let (mut made, mut begun) = (0, 0);
    for today in (0..2_190).step_by(3) {
        let renewal = renew(roots, std::slice::from_ref(&server), day(today), &times).unwrap();
        begun += usize::from(renewal.roots_changed);
        roots = renewal.roots;
        for (_, pair, _) in renewal.certificates {
            made += 1;
            server.certificate = Some(pair);
        }
        bundles.push(roots.bundle());
        let pair = server.certificate.as_ref().unwrap();
        for old in bundles.iter().rev().take(3) {
            assert_eq!(shake(old, pair, NAME, day(today)), Ok(()), "day {today}");
        }
        // Looking again changes nothing.
        let again = renew(
            Roots::read(&roots.write()),
            std::slice::from_ref(&server),
            day(today),
            &times,
        )
        .unwrap();
        assert!(
            !again.roots_changed && again.certificates.is_empty(),
            "day {today}"
        );
    }
    // Three replacements in six years, in two steps each and with the end of the old one; every certificate about two months.
    assert!((7..=14).contains(&begun), "{begun}");
    assert!((33..=48).contains(&made), "{made}");
}

#[test]
fn other_names_and_what_cannot_be_read_make_a_new_certificate() {
    let times = Times::default();
    let renewal = renew(Roots::default(), &[], day(0), &times).unwrap();
    let current = renewal.roots.current.clone().unwrap();
    let pair = leaf(&current, &names(), day(0), &times).unwrap();
    let due = |names: &[String], certificate: Option<Pair>| {
        let server = Server {
            secret: "s".to_owned(),
            names: names.to_vec(),
            certificate,
        };
        let renewal = renew(renewal.roots.clone(), &[server], day(1), &times).unwrap();
        renewal.certificates.first().map(|(_, _, due)| *due)
    };
    assert_eq!(due(&names(), Some(pair.clone())), None);
    assert_eq!(due(&names()[..1], Some(pair.clone())), Some(Due::Names));
    let broken = Pair {
        certificate: "nothing".to_owned(),
        ..pair
    };
    assert_eq!(due(&names(), Some(broken)), Some(Due::Missing));
    let strange = leaf(&root(day(0), &times).unwrap(), &names(), day(0), &times).unwrap();
    assert_eq!(due(&names(), Some(strange)), Some(Due::Root));
}
