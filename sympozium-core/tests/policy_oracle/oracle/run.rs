//! May this run exist, with what it asks for?

use super::words::{Answer, answer, each, fits, holding, one, places};
use sympozium_core::policy::{Cap, Feature, Policy, RunRequest};

pub(super) fn sandbox(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let cpu = request
        .sandbox
        .as_ref()
        .and_then(|sandbox| sandbox.cpu_millis)
        .unwrap_or(0);
    let memory = request
        .sandbox
        .as_ref()
        .and_then(|sandbox| sandbox.memory_bytes)
        .unwrap_or(0);
    each(policies, |policy| {
        let rules = &policy.sandbox;
        let denials = holding(&[
            (
                rules.required && request.sandbox.is_none(),
                "sandboxPolicy.required",
            ),
            (
                cpu > rules.max_cpu_millis.unwrap_or(u64::MAX),
                "sandboxPolicy.maxCPU",
            ),
            (
                memory > rules.max_memory_bytes.unwrap_or(u64::MAX),
                "sandboxPolicy.maxMemory",
            ),
        ]);
        (denials, one("sandboxPolicy"))
    })
}

pub(super) fn subagents(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let ask = |path: &str, depth: Option<u32>, children: Option<u32>| {
        let with_this_one = u64::from(request.siblings.unwrap_or(0)) + 1;
        let is_counted = request.depth >= 1 && request.siblings.is_some();
        holding(&[
            (
                depth.is_some_and(|most| request.depth > most),
                &format!("{path}.maxDepth"),
            ),
            (
                is_counted && children.is_some_and(|most| with_this_one > u64::from(most)),
                &format!("{path}.maxChildrenPerAgent"),
            ),
        ])
    };
    let mut all = each(policies, |policy| {
        let rules = policy.subagents;
        (
            ask("subagentPolicy", rules.max_depth, rules.max_children),
            one("subagentPolicy"),
        )
    });
    if !policies.is_empty() {
        let path = "agents.default.subagents";
        let denials = ask(
            path,
            Some(request.subagents.max_depth),
            Some(request.subagents.max_children),
        );
        all.push(answer("instance", denials, one(path)));
    }
    all
}

pub(super) fn model(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let full = format!("{}/{}", request.provider, request.model);
    each(policies, |policy| {
        let rules = &policy.models;
        let mut denials = places("models.deny", &rules.deny, |p| {
            fits(p, request.model.as_str()) || fits(p, &full)
        });
        let allows = places("models.allow", &rules.allow, |p| {
            fits(
                p,
                if p.as_str().contains('/') {
                    &full
                } else {
                    request.model.as_str()
                },
            )
        });
        if denials.is_empty() && allows.is_empty() && !rules.allow.is_empty() {
            denials = one("models.allow");
        }
        (denials, if allows.is_empty() { one("models") } else { allows })
    })
}

pub(super) fn image(policies: &[Policy], image: &str) -> Vec<Answer> {
    each(policies, |policy| match &policy.images {
        None => (vec![], one("images")),
        Some(allow) => {
            let allows = places("images.allow", allow, |p| fits(p, image));
            (
                if allows.is_empty() {
                    one("images.allow")
                } else {
                    vec![]
                },
                allows,
            )
        }
    })
}

pub(super) fn network(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    let unsafe_network = request.network_enforced == Some(false);
    each(policies, |policy| {
        let refused = unsafe_network && policy.network.require_enforced;
        (
            holding(&[(refused, "networkPolicy.requireEnforced")]),
            one("networkPolicy"),
        )
    })
}

pub(super) fn skills(policies: &[Policy], request: &RunRequest) -> Vec<Answer> {
    each(policies, |policy| {
        let refused = request.rbac_packs.len() >= 2 && !policy.skills.shared_identity;
        (holding(&[(refused, "skills.sharedIdentity")]), one("skills"))
    })
}

pub(super) fn budget(policies: &[Policy]) -> Vec<Answer> {
    let empty = |cap: Cap| [cap.tokens, cap.micro_usd].contains(&Some(0));
    each(policies, |policy| {
        let budget = policy.budget;
        let denials = holding(&[
            (empty(budget.per_run), "budget.perRun"),
            (empty(budget.per_day), "budget.perDay"),
            (empty(budget.per_month), "budget.perMonth"),
        ]);
        (denials, one("budget"))
    })
}

pub(super) fn feature(policies: &[Policy], feature: Feature) -> Vec<Answer> {
    each(policies, |policy| {
        let gate = format!("featureGates.{}", feature.as_str());
        match policy.features.get(&feature) {
            None => (vec![], one("featureGates")),
            Some(true) => (vec![], one(&gate)),
            Some(false) => (one(&gate), vec![]),
        }
    })
}
