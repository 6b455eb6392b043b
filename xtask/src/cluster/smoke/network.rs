//! Checks of Services, names, and of the way out that does not exist.

use std::time::Instant;

use anyhow::{Context, bail};

use super::super::inside;
use super::super::layout::NODE_LINK;
use super::kubectl::{equals, refused};
use super::{Check, Smoke};
use crate::repo;

pub(super) const CHECKS: &[Check] = &[
    ("Deployment available", deployment),
    ("Service by its address", service_by_address),
    ("Service by its name", service_by_name),
    ("a name outside does not exist", unknown_name),
    ("no link and no route leads out of the cluster", no_way_out),
    ("a pod cannot send anything to the outside", nothing_leaves),
];

fn deployment(smoke: &Smoke) -> anyhow::Result<()> {
    smoke
        .kubectl
        .wait("smoke", "condition=Available", &["deployment/web"])
}

/// A Service's rules reach the node a moment after its endpoints, so the client tries for a while.
fn get(smoke: &Smoke, url: &str) -> anyhow::Result<String> {
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10; do timeout 5 wget -q -O - {url} && exit 0; sleep 0.2; done; exit 1"
    );
    smoke.kubectl.shell("smoke", "client", &script)
}

fn service_by_address(smoke: &Smoke) -> anyhow::Result<()> {
    equals(&get(smoke, "http://10.96.0.80/hello")?, "hello")
}

fn service_by_name(smoke: &Smoke) -> anyhow::Result<()> {
    equals(&get(smoke, "http://web/hello")?, "hello")?;
    equals(&get(smoke, "http://web.smoke.svc.cluster.local/hello")?, "hello")
}

fn unknown_name(smoke: &Smoke) -> anyhow::Result<()> {
    refused(
        smoke
            .kubectl
            .shell("smoke", "client", "nslookup example.org. 2>&1"),
        "NXDOMAIN",
    )
}

fn ip(smoke: &Smoke, words: &[&str]) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut command = inside::command(&smoke.place, "ip")?;
    let text = repo::stdout_of(command.arg("-json").args(words))?;
    serde_json::from_str(&text).context("understand what ip says")
}

fn no_way_out(smoke: &Smoke) -> anyhow::Result<()> {
    for link in ip(smoke, &["link"])? {
        let name = link
            .get("ifname")
            .and_then(|name| name.as_str())
            .unwrap_or_default();
        // The pods' own ends are in their namespaces, which have nothing else either. Empty tunnel ends (such as
        // "sit0") come with every namespace of some kernels, and are down.
        let is_down = link.get("operstate").and_then(|state| state.as_str()) == Some("DOWN");
        if !(name == "lo" || name == NODE_LINK || name.starts_with("veth") || is_down) {
            bail!("there is a link {name:?}");
        }
    }
    for route in ip(smoke, &["route"])? {
        let target = route
            .get("dst")
            .and_then(|target| target.as_str())
            .unwrap_or_default();
        if !target.starts_with("10.244.") {
            bail!("there is a route to {target:?}");
        }
    }
    Ok(())
}

/// An address from the range for documentation. The node says at once that it knows no way there.
fn nothing_leaves(smoke: &Smoke) -> anyhow::Result<()> {
    let start = Instant::now();
    refused(
        smoke
            .kubectl
            .shell("smoke", "client", "echo | nc -w 20 198.51.100.1 80 2>&1"),
        "unreachable",
    )?;
    if start.elapsed().as_secs() > 10 {
        bail!("it took {} s to be refused", start.elapsed().as_secs());
    }
    Ok(())
}
