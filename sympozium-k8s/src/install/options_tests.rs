//! What is refused, and with which sentence.

use super::*;

fn problem(change: impl FnOnce(&mut InstallOptions)) -> String {
    let mut options = InstallOptions::default();
    change(&mut options);
    options
        .check()
        .map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn the_defaults_are_fine() {
    assert_eq!(problem(|_| ()), "");
}

#[test]
fn what_cannot_be_had_is_refused_by_the_name_of_its_option() {
    type Change = fn(&mut InstallOptions);
    let external = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        EventBus::External(ExternalBus {
            addresses,
            port: 4222,
        })
    };
    let changes: [(&str, Change); 15] = [
        ("--namespace", |o| o.namespace = "Not Fine".into()),
        ("--namespace", |o| o.namespace = "kube-system".into()),
        ("--version", |o| o.version = "v 1".into()),
        ("--image-registry", |o| o.images.registry = "example.org/".into()),
        ("--image-registry", |o| o.images.registry = "example.org x".into()),
        ("--image-tag", |o| o.images.tag = Some("a:b".into())),
        ("--image-pull-secret", |o| {
            o.images.pull_secrets = vec!["A".into()];
        }),
        ("--image", |o| {
            drop(o.images.replaced.insert(Image::Nats, "a b".into()));
        }),
        ("--replicas", |o| o.replicas = 0),
        ("--max-gateways", |o| o.max_gateways = 1),
        ("--storage-class", |o| o.storage.class = Some("-".into())),
        ("--bus-storage", |o| o.storage.bus_size = "ten".into()),
        ("--database-storage", |o| o.storage.database_size = "0Gi".into()),
        ("--database-secret", |o| {
            o.database = Database::External {
                secret: "a_b".into(),
                key: "url".into(),
            };
        }),
        ("--api-audience", |o| o.api_audience = Some(" ".into())),
    ];
    for (option, change) in changes {
        let said = problem(change);
        assert!(
            said.starts_with(option) && said.len() > option.len() + 10,
            "{option}: {said:?}"
        );
    }
    for addresses in [&[][..], &["127.0.0.1"], &["10.0.0.1", "fd00::1"], &["0.0.0.0"]] {
        let said = problem(|o| o.event_bus = external(addresses));
        assert!(said.starts_with("--event-bus-address"), "{addresses:?}: {said:?}");
    }
    assert_eq!(problem(|o| o.event_bus = external(&["10.0.0.1", "10.0.0.2"])), "");
}

#[test]
fn an_image_is_registry_name_and_tag_unless_it_is_replaced() {
    let mut options = InstallOptions {
        version: "1.2.3".into(),
        ..InstallOptions::default()
    };
    assert_eq!(options.image(Image::Gateway), format!("{REGISTRY}/gateway:1.2.3"));
    options.images.registry = "r.example.org/s".into();
    options.images.tag = Some("t".into());
    options.images.replaced.insert(Image::Nats, "n@sha256:0".into());
    assert_eq!(options.image(Image::Operator), "r.example.org/s/operator:t");
    assert_eq!(options.image(Image::Nats), "n@sha256:0");
}
