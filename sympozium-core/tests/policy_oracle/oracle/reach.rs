//! What may be reached: targets of sidecars, and web pages. Sets of hosts are compared name by name.

use super::words::{Answer, each, fits, one, places};
use std::sync::OnceLock;
use sympozium_core::policy::{EgressHost, Pattern, Policy, PolicyOrigin};
use sympozium_core::skill::HostPort;
use url::Url;

pub(super) fn sidecar_egress(policies: &[Policy], target: &HostPort) -> Vec<Answer> {
    each(policies, |policy| match &policy.network.allowed_egress {
        None => (vec![], one("networkPolicy")),
        Some(limits) => {
            let path = "networkPolicy.allowedEgress";
            let allows = places(path, limits, |limit| {
                limit.port == target.port
                    && all_hosts(&target.host)
                        .iter()
                        .all(|h| all_hosts(&limit.host).contains(h))
            });
            (if allows.is_empty() { one(path) } else { vec![] }, allows)
        }
    })
}

/// All names up to a depth for which a host or `*.` pattern stands.
fn all_hosts(pattern: &str) -> Vec<&'static str> {
    let stands_for = |name: &&str| match pattern.strip_prefix("*.") {
        None => *name == pattern,
        Some(parent) => {
            let labels: Vec<_> = name.split('.').collect();
            (1..labels.len()).any(|i| labels[i..].join(".") == parent)
        }
    };
    all_names()
        .iter()
        .map(String::as_str)
        .filter(stands_for)
        .collect()
}

fn all_names() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: Vec<String> = ["a.org", "b.org", "xa.org", "*a.org"].map(str::to_owned).to_vec();
        for _ in 0..4 {
            let deeper: Vec<_> = names
                .iter()
                .flat_map(|name| ["x", "y"].map(|label| format!("{label}.{name}")))
                .collect();
            names.extend(deeper);
            names.sort();
            names.dedup();
        }
        names
    })
}

pub(crate) fn egress(policies: &[Policy], url: &Url, method: &str) -> Vec<Answer> {
    each(policies, |policy| match &policy.egress {
        None => (vec![], one("egress")),
        Some(egress) => {
            let allows = places("egress.hosts", &egress.hosts, |host| may_fetch(host, url, method));
            (
                if allows.is_empty() {
                    one("egress.hosts")
                } else {
                    vec![]
                },
                allows,
            )
        }
    })
}

pub(crate) fn is_private(policies: &[Policy], url: &Url, method: &str) -> bool {
    policies
        .iter()
        .filter(|policy| policy.origin == PolicyOrigin::InstallWide)
        .any(|policy| {
            let hosts = policy.egress.iter().flat_map(|egress| &egress.hosts);
            hosts
                .filter(|host| host.private)
                .any(|host| may_fetch(host, url, method))
        })
}

fn may_fetch(rule: &EgressHost, url: &Url, method: &str) -> bool {
    let methods = if rule.methods.is_empty() {
        vec!["GET".to_owned()]
    } else {
        rule.methods.clone()
    };
    let below = |pattern: &Pattern| {
        let path = pattern.as_str();
        // A path stands for itself with everything below, however it ends.
        let own: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let asked: Vec<_> = url.path().split('/').filter(|part| !part.is_empty()).collect();
        if path.contains('*') {
            fits(pattern, url.path())
        } else {
            asked.starts_with(&own)
        }
    };
    fits(&rule.host, url.host_str().unwrap())
        && methods.iter().any(|allowed| allowed == method)
        && (rule.paths.is_empty() || rule.paths.iter().any(below))
}
