//! What is made once is kept, and what is due is made anew.

use crate::scene::{bundled, external};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use sympozium_k8s::ca;
use sympozium_k8s::install::{Database, InstallOptions, Manifest, SecretData, Tenure, generated};

fn day(days: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(days * 24)
}

/// What a cluster would then hold.
fn stored(made: &[Manifest]) -> BTreeMap<String, SecretData> {
    let secrets = made.iter().filter(|one| one.resource.kind == "Secret");
    secrets
        .map(|one| {
            let secret: Secret = serde_json::from_value(serde_json::to_value(&one.object).unwrap()).unwrap();
            let text = |(key, bytes): (String, k8s_openapi::ByteString)| {
                (key, SecretString::from(String::from_utf8(bytes.0).unwrap()))
            };
            (
                one.name().to_owned(),
                secret.data.unwrap().into_iter().map(text).collect(),
            )
        })
        .collect()
}

fn texts(stored: &BTreeMap<String, SecretData>) -> BTreeMap<(String, String), String> {
    stored
        .iter()
        .flat_map(|(name, data)| {
            data.iter()
                .map(|(key, text)| ((name.clone(), key.clone()), text.expose_secret().to_owned()))
        })
        .collect()
}

fn made(
    options: &InstallOptions,
    there: &BTreeMap<String, SecretData>,
    day_of: i64,
) -> BTreeMap<String, SecretData> {
    stored(&generated(options, there, None, day(day_of)).unwrap())
}

#[test]
fn a_second_installation_keeps_all_that_the_first_one_made() {
    let first = made(&bundled(), &BTreeMap::new(), 1);
    assert_eq!(first.len(), 6);
    assert_eq!(texts(&made(&bundled(), &first, 100)), texts(&first));
    let other = made(&bundled(), &BTreeMap::new(), 1);
    let (first, other) = (texts(&first), texts(&other));
    assert!(
        first.iter().all(|(key, text)| other[key] != *text),
        "two installations share something"
    );
}

#[test]
fn certificates_are_renewed_in_their_second_half_and_passwords_never() {
    let first = made(&bundled(), &BTreeMap::new(), 1);
    let later = made(&bundled(), &first, 200);
    let (first, later) = (texts(&first), texts(&later));
    for (key, text) in &first {
        let renewed = key.0.ends_with("-tls");
        assert_eq!(later[key] != *text, renewed, "{key:?}");
    }
}

#[test]
fn each_server_has_a_certificate_in_its_name_from_the_root_that_all_trust() {
    let all = generated(&bundled(), &BTreeMap::new(), None, day(1)).unwrap();
    let bundle = all.iter().find(|one| one.resource.kind == "ConfigMap").unwrap();
    let roots = bundle.object.data["data"]["ca.crt"].as_str().unwrap();
    for (secret, service) in [
        ("sympozium-gateway-tls", "sympozium-gateway"),
        ("sympozium-nats-tls", "sympozium-nats"),
        ("sympozium-postgres-tls", "sympozium-postgres"),
    ] {
        let certificate = stored(&all)[secret]["tls.crt"].expose_secret().to_owned();
        let names = sympozium_k8s::install::names::service_names(service, "sympozium-system");
        let facts = ca::leaf_facts(&certificate, &names, roots).unwrap();
        assert!(facts.names_fit && facts.of_current_root, "{secret}");
    }
    assert!(all.iter().all(|one| one.tenure == Tenure::Foundation));
}

#[test]
fn a_database_of_somebody_else_keeps_its_own_secret() {
    let of = |options: &InstallOptions, url: Option<&str>| {
        let url = url.map(SecretString::from);
        stored(&generated(options, &BTreeMap::new(), url.as_ref(), day(1)).unwrap())
    };
    let theirs = of(&external(), None);
    assert!(!theirs.contains_key("sympozium-database") && !theirs.contains_key("sympozium-postgres-tls"));
    let given = InstallOptions {
        database: Database::External {
            secret: "sympozium-database".into(),
            key: "url".into(),
        },
        ..external()
    };
    let stored = of(&given, Some("postgres://u:p@h/d"));
    assert_eq!(
        stored["sympozium-database"]["url"].expose_secret(),
        "postgres://u:p@h/d"
    );
}

#[test]
fn nothing_that_is_secret_is_shown() {
    let all = generated(&bundled(), &BTreeMap::new(), None, day(1)).unwrap();
    let shown = format!("{all:?}");
    for (key, text) in texts(&stored(&all)) {
        assert!(!shown.contains(&text), "{key:?}");
    }
}
