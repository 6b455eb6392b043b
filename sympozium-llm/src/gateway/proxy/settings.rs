//! Where the API server is, and the bounds of tunnels. Pure.

use std::time::Duration;
use sympozium_core::skill::HostPort;

/// The names by which pods know the API server.
const API_SERVER_NAMES: [&str; 4] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// The port of the Service of that name, in every cluster.
const SERVICE_PORT: u16 = 443;

/// Where the cluster's API server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer {
    pub(super) at: HostPort,
}

impl ApiServer {
    /// The host, by name or number, and the port: what the environment of any pod says (`KUBERNETES_SERVICE_HOST` and
    /// `KUBERNETES_SERVICE_PORT`).
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            at: HostPort {
                host: host.into(),
                port,
            },
        }
    }

    /// Whether a target is it, by its own name or by one that every cluster knows.
    pub(super) fn is(&self, target: &HostPort) -> bool {
        let by_name = API_SERVER_NAMES.contains(&target.host.as_str());
        let own_port = target.port == self.at.port;
        (target.host == self.at.host && own_port) || (by_name && (own_port || target.port == SERVICE_PORT))
    }
}

/// Bounds of tunnels.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// The API server; `None` = nobody is connected to one.
    pub api_server: Option<ApiServer>,
    /// How many tunnels one run may have at once. Default 32.
    pub per_run: usize,
    /// How many there may be at all. Default 1,024.
    pub at_once: usize,
    /// How long nothing may pass before a tunnel is closed. Default 10 minutes.
    pub idle: Duration,
    /// How long a tunnel may be open, if its run takes longer. Default 6 hours.
    pub longest: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            api_server: None,
            per_run: 32,
            at_once: 1_024,
            idle: Duration::from_mins(10),
            longest: Duration::from_hours(6),
        }
    }
}
