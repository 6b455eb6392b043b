//! Flags and environment, as values that mean something. Pure.
//!
//! `docs/reference/operator.md` names each; a test holds that.

use clap::Parser;
use secrecy::SecretString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use sympozium_core::ids::Namespace;

/// What the operator is told.
#[derive(Debug, Parser)]
#[command(
    name = "sympozium-operator",
    version,
    about = "The operator of an installation: runs, instances, skill packs, policies and schedules"
)]
pub struct Config {
    /// Address for health and metrics, without TLS
    #[arg(
        long,
        env = "SYMPOZIUM_HEALTH_LISTEN",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080"
    )]
    pub health_listen: SocketAddr,
    /// Namespace of the installation: its lease, policies that hold everywhere, built-in packs
    #[arg(long, env = "SYMPOZIUM_NAMESPACE", value_name = "NAME", default_value = "sympozium-system", value_parser = namespace)]
    pub namespace: Namespace,
    /// Name by which this operator takes the lease; no two may have one, so that it is best the pod's
    #[arg(long, env = "SYMPOZIUM_POD_NAME", value_name = "NAME")]
    pub pod_name: String,
    /// Only this namespace's runs, instances and schedules; default: those of all
    #[arg(long, env = "SYMPOZIUM_WATCH_NAMESPACE", value_name = "NAME", value_parser = namespace)]
    pub watch_namespace: Option<Namespace>,
    /// Image of the agent
    #[arg(long, env = "SYMPOZIUM_RUNNER_IMAGE", value_name = "IMAGE")]
    pub runner_image: String,
    /// Image of the bridge, which also holds the toolbox
    #[arg(long, env = "SYMPOZIUM_BRIDGE_IMAGE", value_name = "IMAGE")]
    pub bridge_image: String,
    /// Image of sandboxes for which neither run, instance nor policy names one
    #[arg(long, env = "SYMPOZIUM_SANDBOX_IMAGE", value_name = "IMAGE")]
    pub sandbox_image: String,
    /// Name of the gateway in its certificate
    #[arg(long, env = "SYMPOZIUM_GATEWAY_HOST", value_name = "HOST")]
    pub gateway_host: String,
    /// Cluster IP of the gateway's Service
    #[arg(long, env = "SYMPOZIUM_GATEWAY_IP", value_name = "ADDRESS")]
    pub gateway_ip: IpAddr,
    /// Port of the gateway's Service
    #[arg(
        long,
        env = "SYMPOZIUM_GATEWAY_PORT",
        value_name = "PORT",
        default_value = "8443"
    )]
    pub gateway_port: u16,
    /// Name of the event bus in its certificate
    #[arg(long, env = "SYMPOZIUM_BUS_HOST", value_name = "HOST")]
    pub bus_host: String,
    /// Cluster IP of the event bus's Service
    #[arg(long, env = "SYMPOZIUM_BUS_IP", value_name = "ADDRESS")]
    pub bus_ip: IpAddr,
    /// Port of the event bus's Service
    #[arg(long, env = "SYMPOZIUM_BUS_PORT", value_name = "PORT", default_value = "4222")]
    pub bus_port: u16,
    /// Audience of tokens for the API server
    #[arg(
        long,
        env = "SYMPOZIUM_API_AUDIENCE",
        value_name = "URL",
        default_value = "https://kubernetes.default.svc.cluster.local"
    )]
    pub api_audience: String,
    /// File with the certificate of the installation's own authority, PEM; default: somebody else keeps the ConfigMaps with it
    #[arg(long, env = "SYMPOZIUM_CA", value_name = "FILE", requires = "cluster_ca")]
    pub ca: Option<PathBuf>,
    /// File with the certificate of the cluster's authority, PEM
    #[arg(long, env = "SYMPOZIUM_CLUSTER_CA", value_name = "FILE", requires = "ca")]
    pub cluster_ca: Option<PathBuf>,
    /// PostgreSQL with what the gateway recorded, for results that nobody told; default: they come from the pod alone
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// How many ended runs of an instance are kept
    #[arg(
        long,
        env = "SYMPOZIUM_HISTORY_LIMIT",
        value_name = "NUMBER",
        default_value = "50"
    )]
    pub history_limit: usize,
    /// How many objects of a kind are looked at at once
    #[arg(long, env = "SYMPOZIUM_WORKERS", value_name = "NUMBER", default_value = "16")]
    pub workers: usize,
    /// What is logged, as of tracing's EnvFilter
    #[arg(long, env = "SYMPOZIUM_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

fn namespace(text: &str) -> Result<Namespace, String> {
    Namespace::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::variables;
    use std::ffi::OsString;

    const NEEDED: [&str; 18] = [
        "sympozium-operator",
        "--pod-name",
        "operator-0",
        "--runner-image=runner:1",
        "--bridge-image=bridge:1",
        "--sandbox-image=sandbox:1",
        "--gateway-host=gateway",
        "--gateway-ip=10.96.0.10",
        "--bus-host=nats",
        "--bus-ip=10.96.0.11",
        "--gateway-port=8443",
        "--bus-port=4222",
        "--namespace=sympozium-system",
        "--health-listen=127.0.0.1:0",
        "--history-limit=7",
        "--workers=2",
        "--log=debug",
        "--api-audience=https://a",
    ];

    fn parse(more: &[&str]) -> Result<Config, String> {
        let arguments = NEEDED.iter().chain(more).map(OsString::from);
        Config::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_malformed_is_named() {
        assert_eq!(parse(&[]).map(|config| config.history_limit), Ok(7));
        for (argument, part) in [
            ("--watch-namespace=Not/One", "--watch-namespace"),
            ("--ca=/ca.crt", "--cluster-ca"),
            ("--nothing", "--nothing"),
        ] {
            let error = parse(&[argument]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn every_variable_is_in_the_reference() {
        let page = include_str!("../../../docs/reference/operator.md");
        for name in variables::<Config>() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
