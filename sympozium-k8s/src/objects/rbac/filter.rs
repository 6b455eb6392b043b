//! Whether a right is given in a place.

use super::drop_reason::DropReason;

/// Where a right would hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A namespace without runs of this instance.
    Elsewhere,
    /// The run's own namespace.
    Own,
    /// The installation's namespace.
    Installation,
    /// Everywhere, the two above included.
    Cluster,
}

/// Verbs that read. Everything else writes, verbs that nobody has heard of included.
const READING: [&str; 3] = ["get", "list", "watch"];

/// Verbs that give rights which the rule does not name.
const GIVING: [&str; 3] = ["escalate", "bind", "impersonate"];

/// Subresources that run a program in a pod or go through it, whatever the verb: exec works with `get`, and
/// `nodes/proxy` reaches every pod of a node.
const ENTERING: [&str; 5] = ["exec", "attach", "portforward", "proxy", "ephemeralcontainers"];

/// The kinds of Kubernetes itself that make pods, or set how many there are.
const MAKES_PODS: [(&str, &str); 9] = [
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("autoscaling", "horizontalpodautoscalers"),
];

/// Kinds that can be written where the run is: they make no pods, and nothing of Sympozium's is made of them there.
const HARMLESS: [(&str, &str); 6] = [
    ("", "services"),
    ("", "persistentvolumeclaims"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("networking.k8s.io", "ingresses"),
    ("policy", "poddisruptionbudgets"),
];

/// Kinds without a namespace that can be written by rules for the whole cluster.
const CLUSTER_KINDS: [(&str, &str); 5] = [
    ("", "nodes"),
    ("", "persistentvolumes"),
    ("storage.k8s.io", "storageclasses"),
    ("networking.k8s.io", "ingressclasses"),
    ("scheduling.k8s.io", "priorityclasses"),
];

/// Why a right is not given in a place; `None` = it is.
pub fn refusal(place: Place, group: &str, resource: &str, verb: &str) -> Option<DropReason> {
    let kind = resource.split_once('/').map_or(resource, |(kind, _)| kind);
    if [group, resource, verb].iter().any(|text| text.contains('*')) {
        return Some(DropReason::Wildcard);
    }
    if GIVING.contains(&verb) {
        return Some(DropReason::GivesRights);
    }
    if (group, kind) == ("", "secrets") {
        return Some(DropReason::Secrets);
    }
    match place {
        Place::Elsewhere => None,
        Place::Own | Place::Installation | Place::Cluster => near_runs(place, group, resource, verb),
    }
}

/// Where runs or the installation are.
fn near_runs(place: Place, group: &str, resource: &str, verb: &str) -> Option<DropReason> {
    let (kind, below) = resource.split_once('/').unwrap_or((resource, ""));
    if ENTERING.contains(&below) {
        return Some(DropReason::EntersPods);
    }
    if (group, kind) == ("", "serviceaccounts") {
        return Some(DropReason::Identities);
    }
    if group == "rbac.authorization.k8s.io" && matches!(kind, "roles" | "rolebindings") {
        return Some(DropReason::Roles);
    }
    // Those of network plugins too.
    if kind.ends_with("networkpolicies") {
        return Some(DropReason::NetworkPolicies);
    }
    if group == "sympozium.ai" || group.ends_with(".sympozium.ai") {
        return Some(DropReason::OwnKinds);
    }
    if READING.contains(&verb) {
        return None;
    }
    writing(place, (group, kind), below)
}

fn writing(place: Place, kind: (&str, &str), below: &str) -> Option<DropReason> {
    if MAKES_PODS.contains(&kind) {
        return Some(DropReason::MakesPods);
    }
    if kind == ("", "configmaps") {
        return Some(DropReason::ConfigMaps);
    }
    let harmless = match place {
        Place::Elsewhere => return None,
        Place::Own => HARMLESS.as_slice(),
        Place::Installation => return Some(DropReason::Installation),
        Place::Cluster => CLUSTER_KINDS.as_slice(),
    };
    if below.is_empty() && harmless.contains(&kind) {
        return None;
    }
    Some(match place {
        Place::Cluster if HARMLESS.contains(&kind) => DropReason::Installation,
        Place::Elsewhere | Place::Own | Place::Installation | Place::Cluster => DropReason::UnknownKind,
    })
}
