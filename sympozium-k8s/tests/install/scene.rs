//! Installations of all shapes.

use serde_json::Value;
use std::net::IpAddr;
use sympozium_k8s::install::{Database, EventBus, ExternalBus, InstallOptions, Manifest, manifests};

/// Everything bundled.
pub(crate) fn bundled() -> InstallOptions {
    InstallOptions {
        version: "1.2.3".into(),
        private_providers: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        ..InstallOptions::default()
    }
}

/// Bus and database are somebody else's, and nothing else is as usual either.
pub(crate) fn external() -> InstallOptions {
    let mut options = InstallOptions {
        namespace: "agents".into(),
        version: "1.2.3".into(),
        replicas: 1,
        max_gateways: 3,
        event_bus: EventBus::External(ExternalBus {
            addresses: vec![IpAddr::from([10, 0, 0, 5]), IpAddr::from([10, 0, 0, 6])],
            port: 4333,
        }),
        database: Database::External {
            secret: "our-database".into(),
            key: "dsn".into(),
        },
        api_audience: Some("https://api.example.org".into()),
        ..InstallOptions::default()
    };
    options.images.registry = "registry.example.org/sympozium".into();
    options.images.pull_secrets = vec!["pull".into()];
    options
}

/// The objects as JSON.
pub(crate) fn objects(options: &InstallOptions) -> Vec<Value> {
    manifests(options).unwrap().iter().map(json).collect()
}

pub(crate) fn json(manifest: &Manifest) -> Value {
    serde_json::to_value(&manifest.object).unwrap()
}

pub(crate) fn kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A client of the cluster that the tests were given.
pub(crate) async fn config() -> kube::Config {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    kube::Config::infer().await.unwrap()
}

/// An installation has objects that are in no namespace, so that there can be only one at a time.
pub(crate) static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "{what} did not come");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
