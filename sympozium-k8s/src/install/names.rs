//! What the objects of an installation are called, and their labels.

use std::collections::BTreeMap;

/// Label: who keeps the object. From the Kubernetes documentation, "Recommended Labels".
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const SYMPOZIUM: &str = "sympozium";
/// Label: the version that installed the object.
pub const VERSION: &str = "app.kubernetes.io/version";
/// Label: the part that the object belongs to; pods are selected by it.
pub const NAME: &str = "app.kubernetes.io/name";
/// Label: that the object belongs to Sympozium.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// Label of packs that come with an installation. `true` makes a pack of the installation's namespace `system/<name>`.
pub const BUILTIN: &str = "sympozium.ai/builtin";

/// The operator: its Deployment, ServiceAccount, and rights.
pub const OPERATOR: &str = "sympozium-operator";
/// The gateway: its Deployment, ServiceAccount, Service, and rights.
pub const GATEWAY: &str = "sympozium-gateway";
/// The event bus: its Service, and its StatefulSet when it is bundled.
pub const NATS: &str = "sympozium-nats";
/// The bundled PostgreSQL.
pub const POSTGRES: &str = "sympozium-postgres";
/// Secret with the callout's seeds, and with the part of the server's configuration that has their public halves.
pub const BUS_KEYS: &str = "sympozium-bus-keys";
/// Key of [`BUS_KEYS`] that the server includes; it holds nothing secret.
pub const CALLOUT_CONF: &str = "callout.conf";
/// Secret with the database's address, and with its password when it is bundled.
pub const DATABASE: &str = "sympozium-database";
/// Key of [`DATABASE`]: the address, with user and password.
pub const DATABASE_URL_KEY: &str = "url";
/// Key of [`DATABASE`]: the password alone.
pub const DATABASE_PASSWORD_KEY: &str = "password";
/// Secret with the gateway's certificate.
pub const GATEWAY_TLS: &str = "sympozium-gateway-tls";
/// Secret with the event bus's certificate.
pub const NATS_TLS: &str = "sympozium-nats-tls";
/// Secret with the database's certificate.
pub const POSTGRES_TLS: &str = "sympozium-postgres-tls";
/// ConfigMap that says what is installed.
pub const INVENTORY: &str = "sympozium-inventory";
/// The policy that holds everywhere.
pub const DEFAULT_POLICY: &str = "default";

/// The gateway's port, of its Service and of its pods.
pub const GATEWAY_PORT: u16 = 8443;
/// The event bus's port, of its Service and of its pods.
pub const NATS_PORT: u16 = 4222;
/// The database's port.
pub const POSTGRES_PORT: u16 = 5432;
/// Port for health and metrics of gateway and operator.
pub const HEALTH_PORT: u16 = 8080;

/// The labels of an object of this part.
pub fn labels(part: &str, version: &str) -> BTreeMap<String, String> {
    [
        (MANAGED_BY, SYMPOZIUM),
        (PART_OF, SYMPOZIUM),
        (NAME, part),
        (VERSION, version),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// The labels that pods of this part are selected by: they never change.
pub fn selector(part: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(NAME.to_owned(), part.to_owned())])
}

/// The names that a Service of the installation has in its certificate.
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        service.to_owned(),
        format!("{service}.{namespace}"),
        service_host(service, namespace),
        format!("{service}.{namespace}.svc.cluster.local"),
    ]
}

/// The name by which other pods know a Service.
pub fn service_host(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}
