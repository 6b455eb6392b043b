//! What somebody wants to have installed. Pure: [`InstallOptions::check`] says what can't be had.

use super::error::OptionError;
use crate::objects::PullPolicy;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use sympozium_core::ids::Namespace;

/// Where images come from unless somebody says otherwise.
pub const REGISTRY: &str = "ghcr.io/sympozium-ai/sympozium-rs";
/// The namespace unless somebody says otherwise.
pub const NAMESPACE: &str = "sympozium-system";

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallOptions {
    /// The installation's namespace. Default: `sympozium-system`.
    pub namespace: String,
    /// The version, as in labels and as the images' tag. Default: this crate's.
    pub version: String,
    /// Images.
    pub images: ImageOptions,
    /// How many operators there are, of which one leads, and how many gateways at least. Default: 2.
    pub replicas: u16,
    /// How many gateways there are at most. Default: 10.
    pub max_gateways: u16,
    /// The event bus.
    pub event_bus: EventBus,
    /// The database.
    pub database: Database,
    /// Volumes of what is bundled.
    pub storage: StorageOptions,
    /// Networks whose addresses model providers may have though they are private. Default: none.
    pub private_providers: Vec<IpNet>,
    /// Audience of tokens for the API server; `None` = the operator's default.
    pub api_audience: Option<String>,
}

/// Which images, and how nodes get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOptions {
    /// Registry and path before the images' names, without a slash at the end. Default: [`REGISTRY`].
    pub registry: String,
    /// Tag; `None` = the version.
    pub tag: Option<String>,
    /// Secrets of the installation's namespace for pulling.
    pub pull_secrets: Vec<String>,
    /// When images are pulled.
    pub pull_policy: PullPolicy,
    /// Images with another reference, by name.
    pub replaced: BTreeMap<Image, String>,
}

/// An image of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Image {
    /// The operator.
    Operator,
    /// The gateway.
    Gateway,
    /// The agent in run pods.
    Runner,
    /// The bridge in run pods, with the toolbox.
    Bridge,
    /// Sandboxes of runs that name none, and the sidecar of packs that need `kubectl`.
    SkillK8sOps,
    /// The bundled event bus.
    Nats,
    /// The bundled database.
    Postgres,
}

impl Image {
    /// Every image.
    pub const ALL: [Self; 7] = [
        Self::Operator,
        Self::Gateway,
        Self::Runner,
        Self::Bridge,
        Self::SkillK8sOps,
        Self::Nats,
        Self::Postgres,
    ];

    /// Its name below the registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gateway => "gateway",
            Self::Runner => "runner",
            Self::Bridge => "bridge",
            Self::SkillK8sOps => "skill-k8s-ops",
            Self::Nats => "nats",
            Self::Postgres => "postgres",
        }
    }
}

/// The event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBus {
    /// One NATS server of the installation's own.
    Bundled,
    /// A NATS server of somebody else's, reached through a Service of ours.
    External(ExternalBus),
}

/// A NATS server of somebody else's. It must be configured for the auth callout, and its certificate must name
/// `sympozium-nats.<namespace>.svc` and come from the installation's authority: run pods know neither DNS nor other roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalBus {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its port.
    pub port: u16,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// One PostgreSQL server of the installation's own.
    Bundled,
    /// A server of somebody else's: its address is in a Secret of the installation's namespace.
    External {
        /// The Secret.
        secret: String,
        /// Its key with `postgres://…`.
        key: String,
    },
}

/// Volumes of what is bundled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageOptions {
    /// StorageClass; `None` = the cluster's default.
    pub class: Option<String>,
    /// Size of the event bus's volume. Default: `10Gi`.
    pub bus_size: String,
    /// Size of the database's volume. Default: `20Gi`.
    pub database_size: String,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            class: None,
            bus_size: "10Gi".to_owned(),
            database_size: "20Gi".to_owned(),
        }
    }
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            registry: REGISTRY.to_owned(),
            tag: None,
            pull_secrets: Vec::new(),
            pull_policy: PullPolicy::default(),
            replaced: BTreeMap::new(),
        }
    }
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            images: ImageOptions::default(),
            replicas: 2,
            max_gateways: 10,
            event_bus: EventBus::Bundled,
            database: Database::Bundled,
            storage: StorageOptions::default(),
            private_providers: Vec::new(),
            api_audience: None,
        }
    }
}

impl InstallOptions {
    /// The reference of an image.
    pub fn image(&self, image: Image) -> String {
        let tag = self.images.tag.as_deref().unwrap_or(&self.version);
        let standard = || format!("{}/{}:{tag}", self.images.registry, image.as_str());
        self.images.replaced.get(&image).cloned().unwrap_or_else(standard)
    }

    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), OptionError> {
        Namespace::new(&self.namespace)
            .map_err(|error| OptionError::new("--namespace", error.to_string()))?;
        if matches!(
            self.namespace.as_str(),
            "default" | "kube-system" | "kube-public" | "kube-node-lease"
        ) {
            return Err(OptionError::new(
                "--namespace",
                "Sympozium needs a namespace of its own, such as sympozium-system",
            ));
        }
        if !crate::objects::names::is_label_value(&self.version) || self.version.is_empty() {
            return Err(OptionError::new(
                "--version",
                "must be at most 63 letters, digits, '.', '-' or '_', because it becomes a label",
            ));
        }
        self.images.check()?;
        self.counts()?;
        self.bus()?;
        self.databases()?;
        self.storage.check()?;
        match &self.api_audience {
            Some(text) if text.trim().is_empty() => {
                Err(OptionError::new("--api-audience", "must not be empty"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn counts(&self) -> Result<(), OptionError> {
        if !(1..=100).contains(&self.replicas) {
            return Err(OptionError::new("--replicas", "must be from 1 to 100"));
        }
        if self.max_gateways < self.replicas || self.max_gateways > 1000 {
            return Err(OptionError::new(
                "--max-gateways",
                format!("must be from {}, the number of replicas, to 1000", self.replicas),
            ));
        }
        Ok(())
    }

    fn bus(&self) -> Result<(), OptionError> {
        let EventBus::External(bus) = &self.event_bus else {
            return Ok(());
        };
        let v4 = bus.addresses.iter().filter(|address| address.is_ipv4()).count();
        if bus.addresses.is_empty() {
            return Err(OptionError::new("--event-bus-address", "at least one is needed"));
        }
        if v4 != 0 && v4 != bus.addresses.len() {
            return Err(OptionError::new(
                "--event-bus-address",
                "all must be of one kind, IPv4 or IPv6, because one Service leads to them",
            ));
        }
        if bus
            .addresses
            .iter()
            .any(|address| address.is_loopback() || address.is_unspecified())
        {
            return Err(OptionError::new(
                "--event-bus-address",
                "must be an address that pods can reach, not that of a machine itself",
            ));
        }
        Ok(())
    }

    fn databases(&self) -> Result<(), OptionError> {
        match &self.database {
            Database::Bundled => Ok(()),
            Database::External { secret, key } if is_name(secret) && !key.is_empty() => Ok(()),
            Database::External { .. } => Err(OptionError::new(
                "--database-secret",
                "must be the name of a Secret in the installation's namespace",
            )),
        }
    }
}

impl ImageOptions {
    fn check(&self) -> Result<(), OptionError> {
        if !is_reference(&self.registry) || self.registry.ends_with('/') {
            return Err(OptionError::new(
                "--image-registry",
                "must be a registry and a path, such as registry.example.org/sympozium, without a slash at the end",
            ));
        }
        let tag = |tag: &String| {
            !tag.is_empty()
                && tag.len() <= 128
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !self.tag.iter().all(tag) {
            return Err(OptionError::new(
                "--image-tag",
                "must be at most 128 letters, digits, '.', '-' or '_'",
            ));
        }
        if !self.pull_secrets.iter().all(|name| is_name(name)) {
            return Err(OptionError::new(
                "--image-pull-secret",
                "must be the name of a Secret in the installation's namespace",
            ));
        }
        if !self.replaced.values().all(|reference| is_reference(reference)) {
            return Err(OptionError::new(
                "--image",
                "must be NAME=REFERENCE, such as nats=registry.example.org/nats:2",
            ));
        }
        Ok(())
    }
}

impl StorageOptions {
    fn check(&self) -> Result<(), OptionError> {
        if !self.class.iter().all(|name| is_name(name)) {
            return Err(OptionError::new(
                "--storage-class",
                "must be the name of a StorageClass",
            ));
        }
        for (option, size) in [
            ("--bus-storage", &self.bus_size),
            ("--database-storage", &self.database_size),
        ] {
            if !is_size(size) {
                return Err(OptionError::new(option, "must be a size such as 20Gi"));
            }
        }
        Ok(())
    }
}

/// A DNS subdomain, as names of objects are.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let edge =
            |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        edge(label.bytes().next())
            && edge(label.bytes().last())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// What can stand where an image is named.
fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 512
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A whole number of bytes with a unit that volumes have.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let number: Result<u32, _> = digits.parse();
    number.is_ok_and(|number| number > 0) && matches!(unit, "Mi" | "Gi" | "Ti" | "M" | "G" | "T")
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
