//! Checks that NetworkPolicy is enforced, and means what the API's text says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::policy_rows::{self, Outcome, ROWS, Row, Target};
use super::{Report, Smoke};

const NAMESPACE: &str = "smoke-net";

/// How long a change of a policy may take to be enforced.
const ENFORCED_WITHIN: Duration = Duration::from_secs(10);

/// Tries the whole table, then what changes with time.
pub(super) fn check(smoke: &Smoke, report: &mut Report) {
    let start = Instant::now();
    let prepared = prepare(smoke);
    let found = match prepared.and_then(|addresses| Ok((try_all(smoke, &addresses)?, addresses))) {
        Ok((found, addresses)) => {
            for (number, row) in ROWS.iter().enumerate() {
                report.add(row.name, start, verdict(row, found.get(&number).copied()));
            }
            addresses
        }
        Err(error) => return report.add("policies can be tried", start, Err(error)),
    };
    let start = Instant::now();
    report.add(
        "a policy that comes is enforced, one that goes is not",
        start,
        changes(smoke, &found),
    );
    let start = Instant::now();
    report.add("a pod cannot outrun its policy", start, race(smoke, &found));
}

/// Addresses of the pods of the namespace, by name.
type Addresses = BTreeMap<String, String>;

fn prepare(smoke: &Smoke) -> anyhow::Result<Addresses> {
    for namespace in [NAMESPACE, "smoke-net-other"] {
        smoke
            .kubectl
            .wait(namespace, "condition=Ready", &["pod", "--all"])?;
    }
    let path = "{range .items[*]}{.metadata.name} {.status.podIP}{\"\\n\"}{end}";
    let list = smoke.kubectl.field(NAMESPACE, "pods", path)?;
    let addresses: Addresses = list
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .collect();
    let excepted = address(&addresses, "client")?;
    let policies = include_str!("../../../../test/cluster/smoke/policies.yaml").replace("EXCEPTED", excepted);
    smoke.kubectl.apply(&policies)?;
    wait_for(smoke, &addresses, ("client", "closed"), Outcome::Dropped)?;
    Ok(addresses)
}

fn address<'a>(addresses: &'a Addresses, pod: &str) -> anyhow::Result<&'a str> {
    addresses
        .get(pod)
        .map(String::as_str)
        .with_context(|| format!("the pod {pod} has no address"))
}

/// One call for each pod that tries anything, all at once.
fn try_all(smoke: &Smoke, addresses: &Addresses) -> anyhow::Result<BTreeMap<usize, Outcome>> {
    let senders: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| row.from).collect();
    let outputs: Vec<anyhow::Result<String>> = std::thread::scope(|scope| {
        let calls: Vec<_> = senders
            .into_iter()
            .map(|sender| scope.spawn(move || try_from(smoke, addresses, sender)))
            .collect();
        let join = |call: std::thread::ScopedJoinHandle<'_, _>| {
            call.join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a try ended without a result")))
        };
        calls.into_iter().map(join).collect()
    });
    let mut found = BTreeMap::new();
    for output in outputs {
        found.extend(policy_rows::outcomes(&output?));
    }
    Ok(found)
}

fn try_from(smoke: &Smoke, addresses: &Addresses, sender: (&str, &str)) -> anyhow::Result<String> {
    let mut tries = Vec::new();
    for (number, row) in ROWS.iter().enumerate().filter(|(_, row)| row.from == sender) {
        let (to, port) = match row.to {
            Target::Pod(pod, port) => (address(addresses, pod)?, port),
            Target::Address(to, port) => (to, port),
        };
        tries.push((number, to.to_owned(), port));
    }
    smoke
        .kubectl
        .shell(sender.0, sender.1, &policy_rows::script(&tries))
}

fn verdict(row: &Row, found: Option<Outcome>) -> anyhow::Result<()> {
    if found == Some(row.expected) {
        return Ok(());
    }
    bail!(
        "{:?} to {:?}: {found:?}, not {:?}",
        row.from,
        row.to,
        row.expected
    )
}

/// Tries until the outcome is this one.
fn wait_for(smoke: &Smoke, addresses: &Addresses, pods: (&str, &str), wanted: Outcome) -> anyhow::Result<()> {
    let script = policy_rows::script(&[(0, address(addresses, pods.1)?.to_owned(), 8080)]);
    let start = Instant::now();
    loop {
        let output = smoke.kubectl.shell(NAMESPACE, pods.0, &script)?;
        let found = policy_rows::outcomes(&output).get(&0).copied();
        if found == Some(wanted) {
            return Ok(());
        }
        if start.elapsed() > ENFORCED_WITHIN {
            bail!("{} to {}: still {found:?}, not {wanted:?}", pods.0, pods.1);
        }
    }
}

/// The pod "open" is closed by a policy, and open again without it.
fn changes(smoke: &Smoke, addresses: &Addresses) -> anyhow::Result<()> {
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: late, namespace: smoke-net}, \
                  spec: {podSelector: {matchLabels: {app: open}}}}";
    smoke.kubectl.apply(policy)?;
    wait_for(smoke, addresses, ("client", "open"), Outcome::Dropped)?;
    smoke
        .kubectl
        .run(&["--namespace", NAMESPACE, "delete", "networkpolicy", "late"])?;
    wait_for(smoke, addresses, ("client", "open"), Outcome::Connected)
}

fn race(smoke: &Smoke, addresses: &Addresses) -> anyhow::Result<()> {
    let target = address(addresses, "open")?;
    smoke
        .kubectl
        .apply(&include_str!("../../../../test/cluster/smoke/race.yaml").replace("TARGET", target))?;
    smoke.kubectl.wait(NAMESPACE, "condition=Complete", &["job/race"])
}
