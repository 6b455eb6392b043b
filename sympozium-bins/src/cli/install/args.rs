//! The flags of `install`, `uninstall` and `status`.

use crate::cli::failure::Failure;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use sympozium_k8s::objects::PullPolicy;

/// Which cluster.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct ClusterArgs {
    /// File that says how the cluster is reached [default: that of KUBECONFIG, else ~/.kube/config, else the pod's own]
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context in that file [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// Flags of `install`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(in crate::cli) struct InstallArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Namespace of the installation
    #[arg(long, value_name = "NAME", default_value = "sympozium-system")]
    pub(super) namespace: String,
    /// Version to install, which is the images' tag too [default: that of this program]
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Print the objects instead of applying them; needs no cluster
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not wait until everything runs
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) no_wait: bool,
    /// How long to wait until everything runs, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(super) wait_timeout: String,
    /// Registry and path before the images' names
    #[arg(long, value_name = "REGISTRY")]
    pub(super) image_registry: Option<String>,
    /// Tag of the images [default: the version]
    #[arg(long, value_name = "TAG")]
    pub(super) image_tag: Option<String>,
    /// Secret of the namespace with which images are pulled; may be repeated
    #[arg(long = "image-pull-secret", value_name = "SECRET")]
    pub(super) image_pull_secrets: Vec<String>,
    /// When images are pulled
    #[arg(long, value_name = "POLICY", default_value = "if-not-present")]
    pub(super) image_pull_policy: Pull,
    /// Another reference for one image, such as nats=registry.example.org/nats:2; may be repeated
    #[arg(long = "image", value_name = "NAME=REFERENCE")]
    pub(super) images: Vec<String>,
    /// How many operators there are, of which one leads, and how many gateways at least
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub(super) replicas: u16,
    /// How many gateways there are at most
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(super) max_gateways: u16,
    /// Network whose addresses model providers may have though they are private; may be repeated
    #[arg(long = "allow-private-provider", value_name = "CIDR")]
    pub(super) private_providers: Vec<IpNet>,
    /// A NATS server of your own instead of the bundled one: tls://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(super) event_bus_url: Option<String>,
    /// Address of that server, where HOST is a name; may be repeated
    #[arg(
        long = "event-bus-address",
        value_name = "ADDRESS",
        requires = "event_bus_url"
    )]
    pub(super) event_bus_addresses: Vec<IpAddr>,
    /// Secret of the namespace with the address of a PostgreSQL of your own, NAME or NAME/KEY; KEY is `url` if not named
    #[arg(long, value_name = "SECRET")]
    pub(super) database_secret: Option<String>,
    /// StorageClass of the bundled servers' volumes [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    pub(super) storage_class: Option<String>,
    /// Size of the bundled event bus's volume
    #[arg(long, value_name = "SIZE", default_value = "10Gi")]
    pub(super) bus_storage: String,
    /// Size of the bundled database's volume
    #[arg(long, value_name = "SIZE", default_value = "20Gi")]
    pub(super) database_storage: String,
    /// Audience of tokens for the API server, where it is not https://kubernetes.default.svc.cluster.local
    #[arg(long, value_name = "URL")]
    pub(super) api_audience: Option<String>,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Pull {
    /// Before every start
    Always,
    /// When a node does not have them
    IfNotPresent,
    /// Never
    Never,
}

impl From<Pull> for PullPolicy {
    fn from(pull: Pull) -> Self {
        match pull {
            Pull::Always => Self::Always,
            Pull::IfNotPresent => Self::IfNotPresent,
            Pull::Never => Self::Never,
        }
    }
}

impl InstallArgs {
    /// How long to wait; `None` = not at all.
    pub(super) fn wait(&self) -> Result<Option<Duration>, Failure> {
        if self.no_wait {
            return Ok(None);
        }
        let span: jiff::SignedDuration = self
            .wait_timeout
            .parse()
            .map_err(|_| Failure::input("--wait-timeout must be a duration such as 90s or 10m."))?;
        let limit =
            Duration::try_from(span).map_err(|_| Failure::input("--wait-timeout must not be negative."))?;
        Ok(Some(limit))
    }
}

/// Flags of `uninstall`.
#[derive(Debug, Args)]
pub(in crate::cli) struct UninstallArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Namespace of the installation
    #[arg(long, value_name = "NAME", default_value = "sympozium-system")]
    pub(super) namespace: String,
    /// Delete custom resources, volumes, keys and the namespace too, without asking
    #[arg(long, conflicts_with = "keep_data")]
    pub(super) delete_data: bool,
    /// Keep them, without asking; so it is, too, where nobody can be asked
    #[arg(long)]
    pub(super) keep_data: bool,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Namespace of the installation
    #[arg(long, value_name = "NAME", default_value = "sympozium-system")]
    pub(super) namespace: String,
}
