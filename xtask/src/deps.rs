//! `cargo xtask deps`: which crate may know which, read from cargo itself.
//!
//! Contracts and decisions are at the bottom, programs at the top, and nothing points down from a side to its neighbour.
//! A test here runs the same checks, so that no test run passes with a wrong edge. Entry: [`command`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{repo, stage::Stages};

/// Each crate of the workspace, and those of its siblings that it may depend on.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sympozium-core", &[]),
    ("sympozium-llm", &["sympozium-core"]),
    ("sympozium-k8s", &["sympozium-core"]),
    ("sympozium-channels", &["sympozium-core"]),
    (
        "sympozium-bins",
        &[
            "sympozium-core",
            "sympozium-llm",
            "sympozium-k8s",
            "sympozium-channels",
        ],
    ),
    (
        "sympozium-examples",
        &[
            "sympozium-core",
            "sympozium-llm",
            "sympozium-k8s",
            "sympozium-channels",
        ],
    ),
    // It starts the programs, and must not know what is in them.
    ("sympozium-bench", &["sympozium-core", "sympozium-llm"]),
    // Its tests alone, to compare what both know.
    ("xtask", &["sympozium-core"]),
];

/// What must not be in a crate's closure: the arguments of `cargo tree`, the crates, and the features of tokio.
struct Closure {
    name: &'static str,
    arguments: &'static [&'static str],
    banned: &'static [&'static str],
    banned_tokio: &'static [&'static str],
}

const CLOSURES: &[Closure] = &[
    Closure {
        name: "core by default has no client, no server, no database and no runtime",
        arguments: &["-p", "sympozium-core"],
        banned: &[
            "kube",
            "kube-core",
            "kube-client",
            "k8s-openapi",
            "reqwest",
            "axum",
            "hyper",
            "sqlx",
            "sqlx-core",
            "notify",
            "async-nats",
            "nkeys",
        ],
        banned_tokio: &["rt", "rt-multi-thread", "net", "fs", "process", "time"],
    },
    Closure {
        name: "k8s has no chat client",
        arguments: &["-p", "sympozium-k8s", "--all-features"],
        banned: &["sympozium-llm", "reqwest"],
        banned_tokio: &[],
    },
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// Checks every edge between our crates, and what the lower ones pull in.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("`deps` takes no arguments, but got {arg:?}");
    }
    let mut stages = Stages::default();
    stages.check("direction between the crates", || {
        fail_with(&wrong_edges(&metadata()?))
    });
    for closure in CLOSURES {
        stages.check(closure.name, || {
            fail_with(&wrong_in_closure(closure, &tree(closure)?))
        });
    }
    stages.finish()
}

/// The names of the features of one crate of the workspace, without `default`.
pub(crate) fn features_of(package: &str) -> anyhow::Result<Vec<String>> {
    let metadata = metadata()?;
    let found = metadata
        .packages
        .into_iter()
        .find(|candidate| candidate.name == package);
    let found = found.with_context(|| format!("the workspace has no crate {package}"))?;
    Ok(found
        .features
        .into_keys()
        .filter(|feature| feature != "default")
        .collect())
}

fn metadata() -> anyhow::Result<Metadata> {
    let text = repo::stdout_of(&mut repo::cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    serde_json::from_str(&text).context("read what `cargo metadata` says")
}

/// One line per crate of the closure: its name, then its features after a `|`.
fn tree(closure: &Closure) -> anyhow::Result<String> {
    let mut tree = repo::cargo(&[
        "tree", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}",
    ]);
    repo::stdout_of(tree.args(closure.arguments))
}

fn wrong_edges(metadata: &Metadata) -> Vec<String> {
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(may_use) = allowed.get(package.name.as_str()) else {
            wrong.push(format!(
                "{} has no row in the table of xtask/src/deps.rs",
                package.name
            ));
            continue;
        };
        // A crate may name itself to turn on its own features in its tests.
        let siblings = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        for name in
            siblings.filter(|name| ours.contains(name) && *name != package.name && !may_use.contains(name))
        {
            wrong.push(format!("{} must not depend on {name}", package.name));
        }
    }
    wrong
}

fn wrong_in_closure(closure: &Closure, tree: &str) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for line in tree.lines() {
        let (package, features) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split_whitespace().next().unwrap_or_default();
        if closure.banned.contains(&name) {
            wrong.insert(format!(
                "{name} is in the closure of `cargo tree {}`",
                closure.arguments.join(" ")
            ));
        }
        if name == "tokio" {
            let features = features
                .split([',', ' '])
                .filter(|feature| closure.banned_tokio.contains(feature));
            wrong.extend(features.map(|feature| format!("tokio has its feature `{feature}`")));
        }
    }
    wrong.into_iter().collect()
}

fn fail_with(wrong: &[String]) -> anyhow::Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_depend_on_each_other_in_one_direction() {
        assert_eq!(wrong_edges(&metadata().unwrap()), [""; 0]);
    }

    #[test]
    fn the_lower_crates_pull_in_no_client_and_no_runtime() {
        for closure in CLOSURES {
            assert_eq!(
                wrong_in_closure(closure, &tree(closure).unwrap()),
                [""; 0],
                "{}",
                closure.name
            );
        }
    }

    #[test]
    fn an_edge_to_a_neighbour_is_refused() {
        let dependency = |name: &str| Dependency {
            name: name.to_owned(),
        };
        let package = |name: &str, dependencies| Package {
            name: name.to_owned(),
            dependencies,
            features: BTreeMap::new(),
        };
        let metadata = Metadata {
            packages: vec![
                package(
                    "sympozium-core",
                    vec![dependency("serde"), dependency("sympozium-core")],
                ),
                package("sympozium-llm", vec![dependency("sympozium-core")]),
                package("sympozium-k8s", vec![dependency("sympozium-llm")]),
                package("sympozium-new", vec![]),
            ],
        };
        assert_eq!(
            wrong_edges(&metadata),
            [
                "sympozium-k8s must not depend on sympozium-llm",
                "sympozium-new has no row in the table of xtask/src/deps.rs"
            ]
        );
    }

    #[test]
    fn a_runtime_or_a_client_in_a_closure_is_refused() {
        let closure = Closure {
            name: "",
            arguments: &["-p", "x"],
            banned: &["hyper"],
            banned_tokio: &["rt"],
        };
        let tree = "x v0.1.0|\nhyper v1.0.0|client\nhyper-util v0.1.0|\ntokio v1.0.0|default,rt,sync\n";
        assert_eq!(
            wrong_in_closure(&closure, tree),
            [
                "hyper is in the closure of `cargo tree -p x`",
                "tokio has its feature `rt`"
            ]
        );
    }
}
