//! What a pod is made of, decided once for all its parts.

use crate::objects::rbac::Grants;
use crate::objects::{BuildError, InstanceFacts, RunSurroundings, names};
use std::time::Duration;
use sympozium_core::ids::PackName;
use sympozium_core::run::pod_contract::{CA_CERTIFICATE, GatewayAccess, SANDBOX, SKILL_CONTAINER_PREFIX};
use sympozium_core::run::{RunPlan, SandboxPlan};
use sympozium_core::skill::Sidecar;
use url::Url;

/// What a pod has besides timeout and waiting: time to be scheduled, to pull images, and to end in good order.
const MARGIN: Duration = Duration::from_mins(5);

/// The least time to end: the agent gives up after 5 s, each executor after 5 s, and the bridge drains.
const LEAST_GRACE: Duration = Duration::from_secs(30);

/// One executor of commands.
#[derive(Debug)]
pub(super) struct Executor<'a> {
    /// How `/ipc` and `execute_command` know it.
    pub(super) name: PackName,
    pub(super) kind: Kind<'a>,
    /// Whether it may go through the gateway's proxy.
    pub(super) proxy: bool,
    /// Whether it has rights at the API server.
    pub(super) rights: bool,
}

/// Whose commands an executor runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    Skill(&'a Sidecar),
    Sandbox(&'a SandboxPlan),
}

impl Executor<'_> {
    pub(super) fn container(&self) -> String {
        match self.kind {
            Kind::Skill(_) => format!("{SKILL_CONTAINER_PREFIX}{}", self.name),
            Kind::Sandbox(_) => SANDBOX.to_owned(),
        }
    }

    pub(super) fn sees_workspace(&self) -> bool {
        match self.kind {
            Kind::Skill(sidecar) => sidecar.mount_workspace,
            Kind::Sandbox(_) => true,
        }
    }
}

/// A pod's parts.
#[derive(Debug)]
pub(super) struct Shape<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) surroundings: &'a RunSurroundings<'a>,
    pub(super) executors: Vec<Executor<'a>>,
    pub(super) service_account: String,
    gateway: Url,
    pub(super) deadline_seconds: i64,
    pub(super) grace_seconds: i64,
}

impl<'a> Shape<'a> {
    pub(super) fn of(
        plan: &'a RunPlan,
        surroundings: &'a RunSurroundings<'a>,
        grants: &Grants,
    ) -> Result<Self, BuildError> {
        let instance: &InstanceFacts = surroundings.instance;
        let deadline = plan
            .limits
            .timeout
            .saturating_add(instance.approval_wait)
            .saturating_add(MARGIN);
        let service_account = if grants.given.is_empty() {
            names::instance_service_account(&plan.instance.name)
        } else {
            names::run_service_account(plan.run.uid)
        };
        Ok(Self {
            plan,
            surroundings,
            executors: executors(plan, grants)?,
            service_account,
            gateway: address(surroundings)?,
            deadline_seconds: seconds(deadline),
            grace_seconds: seconds(instance.termination_grace.max(LEAST_GRACE)),
        })
    }

    /// The gateway's address.
    pub(super) fn gateway_url(&self) -> &Url {
        &self.gateway
    }

    /// How a container with that token reaches the gateway.
    pub(super) fn gateway_access(&self, token: &str) -> GatewayAccess {
        GatewayAccess {
            url: self.gateway.clone(),
            token_file: token.into(),
            ca_file: CA_CERTIFICATE.into(),
        }
    }

    /// How many bytes of a container's termination message arrive: the kubelet shares 12 KiB out among all containers,
    /// and no container gets more than 4 KiB.
    pub(super) fn termination_message_bytes(&self) -> usize {
        let agent_and_bridge = 2;
        (12_288 / (self.executors.len() + agent_and_bridge)).min(4096)
    }
}

fn address(surroundings: &RunSurroundings<'_>) -> Result<Url, BuildError> {
    let gateway = &surroundings.installation.gateway;
    Url::parse(&format!("https://{}:{}/", gateway.host, gateway.port)).map_err(|error| BuildError::Encode {
        what: "the gateway's address",
        detail: error.to_string(),
    })
}

fn executors<'a>(plan: &'a RunPlan, grants: &Grants) -> Result<Vec<Executor<'a>>, BuildError> {
    let skills = plan.skills.iter().filter_map(|skill| {
        let sidecar = skill.sidecar.as_ref()?;
        let rights = grants.has(&skill.pack);
        Some(Executor {
            name: skill.pack.clone(),
            kind: Kind::Skill(sidecar),
            // The API server is reached through the proxy too.
            proxy: rights || !sidecar.egress.is_empty(),
            rights,
        })
    });
    let mut executors: Vec<_> = skills.collect();
    if let Some(sandbox) = &plan.sandbox {
        if executors.iter().any(|executor| executor.name.as_str() == SANDBOX) {
            return Err(BuildError::SandboxName);
        }
        let name = PackName::new(SANDBOX).map_err(|error| BuildError::Encode {
            what: "the sandbox",
            detail: error.to_string(),
        })?;
        executors.push(Executor {
            name,
            kind: Kind::Sandbox(sandbox),
            proxy: false,
            rights: false,
        });
    }
    Ok(executors)
}

/// Whole seconds, rounded up, and at most what Kubernetes takes for an active deadline.
fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::from(i32::try_from(whole).unwrap_or(i32::MAX))
}
