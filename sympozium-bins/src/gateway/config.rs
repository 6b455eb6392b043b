//! Flags and environment, as values that mean something. Pure.
//!
//! `docs/reference/gateway.md` names each; a test holds that.

use clap::Parser;
use ipnet::IpNet;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the gateway is told.
#[derive(Debug, Parser)]
#[command(
    name = "sympozium-gateway",
    version,
    about = "The model gateway of an installation: the one thing a run may talk to"
)]
pub struct Config {
    /// Address for runs, over TLS
    #[arg(
        long,
        env = "SYMPOZIUM_LISTEN",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8443"
    )]
    pub listen: SocketAddr,
    /// Address for health and metrics, without TLS
    #[arg(
        long,
        env = "SYMPOZIUM_HEALTH_LISTEN",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080"
    )]
    pub health_listen: SocketAddr,
    /// File with the certificate chain, PEM; read again when it changes
    #[arg(
        long,
        env = "SYMPOZIUM_TLS_CERT",
        value_name = "FILE",
        default_value = "/etc/sympozium/tls/tls.crt"
    )]
    pub tls_cert: PathBuf,
    /// File with the certificate's key, PEM; read again when it changes
    #[arg(
        long,
        env = "SYMPOZIUM_TLS_KEY",
        value_name = "FILE",
        default_value = "/etc/sympozium/tls/tls.key"
    )]
    pub tls_key: PathBuf,
    /// PostgreSQL with sessions, steps, budgets and audit: postgres://user:password@host/database
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = database)]
    pub database_url: SecretString,
    /// Namespace of the installation: install-wide policies, built-in packs
    #[arg(long, env = "SYMPOZIUM_NAMESPACE", value_name = "NAME", default_value = "sympozium-system", value_parser = namespace)]
    pub namespace: String,
    /// Network whose addresses model providers may have though they are private; may be repeated
    #[arg(
        long = "allow-private-provider",
        env = "SYMPOZIUM_ALLOW_PRIVATE_PROVIDERS",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub private_providers: Vec<IpNet>,
    /// File with what models cost: provider/model, then input, output, cacheRead, cacheWrite in millionths of a dollar per million tokens
    #[arg(long, env = "SYMPOZIUM_PRICES", value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Seconds between being not ready and beginning nothing new, when it is told to stop
    #[arg(long, env = "SYMPOZIUM_DRAIN_NOTICE", value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub drain_notice: Duration,
    /// Seconds that turns and tunnels then have to end
    #[arg(long, env = "SYMPOZIUM_DRAIN_PATIENCE", value_name = "SECONDS", default_value = "40", value_parser = seconds)]
    pub drain_patience: Duration,
    /// Seconds that a bridge may still use the bus after its run has ended: the pods' terminationGracePeriodSeconds
    #[arg(long, env = "SYMPOZIUM_BUS_GRACE", value_name = "SECONDS", default_value = "660", value_parser = seconds)]
    pub bus_grace: Duration,
    /// The bus whose questions about tokens are answered: tls://host:port; none without it
    #[arg(long, env = "EVENT_BUS_URL", value_name = "URL", requires = "bus_keys")]
    pub event_bus_url: Option<String>,
    /// Folder with the callout's keys: the files issuer, callout, system and xkey, each with a seed
    #[arg(long, env = "SYMPOZIUM_BUS_KEYS", value_name = "FOLDER")]
    pub bus_keys: Option<PathBuf>,
    /// File with the authorities of the bus's certificate, PEM
    #[arg(long, env = "SYMPOZIUM_BUS_CA", value_name = "FILE")]
    pub bus_ca: Option<PathBuf>,
    /// The API server's host; every pod's environment has it
    #[arg(
        long,
        env = "KUBERNETES_SERVICE_HOST",
        value_name = "HOST",
        default_value = "kubernetes.default.svc"
    )]
    pub api_server_host: String,
    /// The API server's port; every pod's environment has it
    #[arg(
        long,
        env = "KUBERNETES_SERVICE_PORT",
        value_name = "PORT",
        default_value = "443"
    )]
    pub api_server_port: u16,
    /// What is logged, as of tracing's EnvFilter
    #[arg(long, env = "SYMPOZIUM_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// The bus whose questions are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusConfig {
    /// Its address.
    pub url: String,
    /// The folder with the callout's keys.
    pub keys: PathBuf,
    /// The file with the authorities of its certificate.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// The bus, if there is one.
    pub fn bus(&self) -> Option<BusConfig> {
        Some(BusConfig {
            url: self.event_bus_url.clone()?,
            keys: self.bus_keys.clone()?,
            ca_file: self.bus_ca.clone(),
        })
    }
}

fn database(text: &str) -> Result<SecretString, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(SecretString::from(text));
    }
    // The text is not shown: it may hold a password.
    Err("must be postgres://user:password@host/database: several gateways share one database".to_owned())
}

fn namespace(text: &str) -> Result<String, String> {
    sympozium_core::ids::Namespace::new(text)
        .map(String::from)
        .map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .map(Duration::from_secs)
        .map_err(|_| "must be a number of seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::variables;
    use std::ffi::OsString;

    fn parse(arguments: &[&str]) -> Result<Config, String> {
        let all = ["sympozium-gateway", "--database-url", "postgres://u:canary@h/d"]
            .iter()
            .chain(arguments)
            .map(OsString::from);
        Config::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_malformed_is_named() {
        for arguments in [
            ["--listen", "nowhere"],
            ["--allow-private-provider", "10.0.0.1/99"],
            ["--drain-patience", "soon"],
            ["--namespace", "Not Fine"],
            ["--api-server-port", "x"],
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(arguments[0]), "{error}");
        }
        let wrong = ["g", "--database-url", "mysql://u:canary@h/d"].map(OsString::from);
        let error = Config::try_parse_from(wrong).unwrap_err().to_string();
        assert!(error.contains("--database-url"), "{error}");
    }

    #[test]
    fn a_bus_needs_the_callouts_keys() {
        let url = ["--event-bus-url", "tls://nats:4222"];
        assert!(parse(&url).unwrap_err().contains("--bus-keys"));
        let bus = parse(&["--event-bus-url", "tls://nats:4222", "--bus-keys", "/keys"])
            .unwrap()
            .bus();
        assert_eq!(bus.unwrap().keys, PathBuf::from("/keys"));
        assert_eq!(parse(&[]).unwrap().bus(), None);
    }

    #[test]
    fn a_config_does_not_show_the_databases_password() {
        let config = parse(&["--allow-private-provider", "10.0.0.0/8,fd00::/8"]).unwrap();
        assert_eq!(config.private_providers.len(), 2);
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn the_page_names_every_variable() {
        let page = include_str!("../../../docs/reference/gateway.md");
        for name in variables::<Config>() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
