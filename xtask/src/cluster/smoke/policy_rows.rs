//! Who may connect to whom under the policies of `test/cluster/smoke/policies.yaml`.
//!
//! Pure: the table, the script that tries it, and how its output is read.

use std::collections::BTreeMap;

/// What came of a try to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Connected,
    /// No answer at all: the packet was dropped.
    Dropped,
    /// Somebody said no.
    Refused,
}

/// Where a try goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A pod of `smoke-net`.
    Pod(&'static str, u16),
    Address(&'static str, u16),
}

/// One try, and what the API's text says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// What is shown by it.
    pub(super) name: &'static str,
    /// Namespace and name of the pod that tries.
    pub(super) from: (&'static str, &'static str),
    pub(super) to: Target,
    pub(super) expected: Outcome,
}

const HERE: &str = "smoke-net";
const OTHER: &str = "smoke-net-other";

const fn row(name: &'static str, from: (&'static str, &'static str), to: Target, expected: Outcome) -> Row {
    Row {
        name,
        from,
        to,
        expected,
    }
}

use Outcome::{Connected, Dropped};
use Target::{Address, Pod};

/// The API server, by its Service.
const API: Target = Address("10.96.0.1", 443);

pub(super) const ROWS: &[Row] = &[
    row(
        "policy: without one everything is open",
        (OTHER, "client"),
        Pod("open", 9095),
        Connected,
    ),
    row(
        "policy: no rule closes ingress, by dropping",
        (HERE, "client"),
        Pod("closed", 8080),
        Dropped,
    ),
    row(
        "policy: ingress alone leaves egress open",
        (HERE, "by-pod"),
        Pod("open", 8080),
        Connected,
    ),
    row(
        "podSelector: a matching pod",
        (HERE, "client"),
        Pod("by-pod", 8080),
        Connected,
    ),
    row(
        "podSelector: another pod",
        (HERE, "stranger"),
        Pod("by-pod", 8080),
        Dropped,
    ),
    row(
        "podSelector: alike, in another namespace",
        (OTHER, "client"),
        Pod("by-pod", 8080),
        Dropped,
    ),
    row(
        "namespaceSelector: a matching one",
        (OTHER, "stranger"),
        Pod("by-namespace", 8080),
        Connected,
    ),
    row(
        "namespaceSelector: the own one does not match",
        (HERE, "client"),
        Pod("by-namespace", 8080),
        Dropped,
    ),
    row(
        "both selectors: both match",
        (OTHER, "client"),
        Pod("by-both", 8080),
        Connected,
    ),
    row(
        "both selectors: only the namespace",
        (OTHER, "stranger"),
        Pod("by-both", 8080),
        Dropped,
    ),
    row(
        "both selectors: only the pod",
        (HERE, "client"),
        Pod("by-both", 8080),
        Dropped,
    ),
    row(
        "ipBlock: within",
        (OTHER, "client"),
        Pod("by-block", 8080),
        Connected,
    ),
    row(
        "ipBlock: excepted",
        (HERE, "client"),
        Pod("by-block", 8080),
        Dropped,
    ),
    row(
        "ports: by name",
        (HERE, "stranger"),
        Pod("by-port", 8080),
        Connected,
    ),
    row(
        "ports: first of a range",
        (HERE, "stranger"),
        Pod("by-port", 9090),
        Connected,
    ),
    row(
        "ports: last of a range",
        (HERE, "stranger"),
        Pod("by-port", 9094),
        Connected,
    ),
    row(
        "ports: behind the range",
        (HERE, "stranger"),
        Pod("by-port", 9095),
        Dropped,
    ),
    row(
        "an empty rule allows everything",
        (OTHER, "stranger"),
        Pod("everybody", 9095),
        Connected,
    ),
    row(
        "egress: none allowed, to a pod",
        (HERE, "silent"),
        Pod("open", 8080),
        Dropped,
    ),
    row(
        "egress: none allowed, to the API server",
        (HERE, "silent"),
        API,
        Dropped,
    ),
    row(
        "egress: the peer's port by its name",
        (HERE, "narrow"),
        Pod("open", 8080),
        Connected,
    ),
    row(
        "egress: another port of the peer",
        (HERE, "narrow"),
        Pod("open", 9090),
        Dropped,
    ),
    row(
        "egress: another pod",
        (HERE, "narrow"),
        Pod("everybody", 8080),
        Dropped,
    ),
    row(
        "egress without policyTypes closes ingress too",
        (HERE, "client"),
        Pod("narrow", 8080),
        Dropped,
    ),
    row(
        "egress: API server behind its Service",
        (HERE, "api-only"),
        API,
        Connected,
    ),
    row(
        "egress: nothing beside the API server",
        (HERE, "api-only"),
        Pod("open", 8080),
        Dropped,
    ),
];

/// A script that tries everything at once, and prints for each try its number and what came of it.
pub(super) fn script(tries: &[(usize, String, u16)]) -> String {
    let attempt = |(number, address, port): &(usize, String, u16)| {
        format!(
            "(said=$(printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | timeout 4 nc -w 3 {address} {port} 2>&1); \
             echo {number} $? $said | tr -d '\\r' | head -n 1) &\n"
        )
    };
    let attempts: String = tries.iter().map(attempt).collect();
    format!("{attempts}wait\n")
}

/// Reads what the script printed.
pub(super) fn outcomes(output: &str) -> BTreeMap<usize, Outcome> {
    let outcome = |line: &str| {
        let (number, rest) = line.split_once(' ')?;
        let outcome = if rest.starts_with("0 ") || rest.contains("HTTP/1.") {
            Outcome::Connected
        } else if rest.contains("refused") || rest.contains("unreachable") {
            Outcome::Refused
        } else {
            Outcome::Dropped
        };
        Some((number.parse().ok()?, outcome))
    };
    output.lines().filter_map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_tried() {
        let policies = include_str!("../../../../test/cluster/smoke/policies.yaml");
        let named = policies.lines().filter_map(|line| line.strip_prefix("  name: "));
        for policy in named.filter(|name| *name != "race") {
            let tried = ROWS
                .iter()
                .any(|row| row.from.1 == policy || matches!(row.to, Pod(pod, _) if pod == policy));
            assert!(tried, "{policy}");
        }
    }

    #[test]
    fn every_pod_of_the_table_exists() {
        let pods = include_str!("../../../../test/cluster/smoke/network.yaml");
        let exists = |namespace: &str, name: &str| {
            pods.contains(&format!("  name: {name}\n  namespace: {namespace}\n"))
        };
        for row in ROWS {
            assert!(exists(row.from.0, row.from.1), "{}", row.name);
            if let Pod(pod, _) = row.to {
                assert!(exists(HERE, pod), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_refusal_is_not_taken_for_silence() {
        let output = "0 0 HTTP/1.0 200 OK\n\
                      1 1 nc: can't connect to remote host (10.0.0.1): Connection refused\n\
                      2 1 nc: timed out\n\
                      3 143\n";
        let expected = [
            Outcome::Connected,
            Outcome::Refused,
            Outcome::Dropped,
            Outcome::Dropped,
        ];
        assert_eq!(outcomes(output), expected.into_iter().enumerate().collect());
    }
}
