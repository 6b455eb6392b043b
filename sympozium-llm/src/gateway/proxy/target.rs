//! What a skill may be connected to. Pure.

use super::super::problem;
use super::ApiServer;
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ids::PackName;
use sympozium_core::policy::{Outcome, decide_sidecar_egress};
use sympozium_core::run::RunPlan;
use sympozium_core::skill::HostPort;

/// Where a tunnel goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// To the cluster's API server.
    ApiServer,
    /// To a host on the internet.
    Public(HostPort),
}

/// The host and port that a CONNECT request names.
pub(super) fn target(uri: &http::Uri) -> Result<HostPort, Problem> {
    let bad = || {
        Problem::new(
            ProblemKind::BadRequest,
            "CONNECT needs a host and a port, such as example.org:443.",
        )
    };
    let authority = uri.authority().ok_or_else(bad)?;
    let port = authority.port_u16().filter(|port| *port > 0).ok_or_else(bad)?;
    if authority.as_str().contains('@') {
        return Err(bad());
    }
    // As a URL would have it, so that a number is a number however it is written.
    let host = url::Host::parse(authority.host()).map_err(|_| bad())?;
    let host = match host {
        url::Host::Domain(name) => name.strip_suffix('.').unwrap_or(&name).to_owned(),
        url::Host::Ipv4(ip) => ip.to_string(),
        url::Host::Ipv6(ip) => ip.to_string(),
    };
    if host.is_empty() {
        return Err(bad());
    }
    Ok(HostPort { host, port })
}

/// Whether a pack of a run may be connected there, and which rule says so.
pub(super) fn route(
    plan: &RunPlan,
    pack: &PackName,
    target: &HostPort,
    api_server: Option<&ApiServer>,
) -> Result<(Route, String), Problem> {
    let refused = |detail: String| Problem::new(ProblemKind::EgressRefused, detail);
    let skill = plan.skills.iter().find(|skill| skill.pack == *pack);
    let Some(sidecar) = skill.and_then(|skill| skill.sidecar.as_ref()) else {
        return Err(refused(format!(
            "The run has no skill pack {pack} with a sidecar."
        )));
    };
    if api_server.is_some_and(|server| server.is(target)) {
        if sidecar.wants_rbac() {
            return Ok((Route::ApiServer, "sidecar.rbac".to_owned()));
        }
        return Err(refused(format!(
            "The skill pack {pack} declares no rights at the API server, so it is not connected to it."
        )));
    }
    let Some(index) = sidecar.egress.iter().position(|allowed| allowed.covers(target)) else {
        return Err(refused(format!(
            "{target} is not among the sidecar.egress of the skill pack {pack}."
        )));
    };
    let verdict = decide_sidecar_egress(&plan.policies, target, "spec.skills");
    if verdict.outcome != Outcome::Allow {
        return Err(problem::of_verdict(ProblemKind::EgressRefused, &verdict));
    }
    Ok((Route::Public(target.clone()), format!("sidecar.egress[{index}]")))
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
