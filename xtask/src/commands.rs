//! The table of commands: the one place that knows their names.
//!
//! Holds no behaviour; `docs-check` reads the same table to tell whether a command that a page mentions exists.

use crate::{
    bench, ci, cluster, deny, deps, docs_check, features, fuzz, images, lint, manifests, package, test,
};

/// One line of `cargo xtask help`, and what runs when it is asked for.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    arguments: &'static str,
    about: &'static str,
    pub(crate) run: fn(&[String]) -> anyhow::Result<()>,
}

/// All commands, in the order in which `help` shows them.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        arguments: "[--fast] [-- FILTER]",
        about: "every test, with PostgreSQL and NATS of its own; --fast: cargo's tests alone",
        run: test::command,
    },
    Command {
        name: "lint",
        arguments: "",
        about: "formatting, clippy, rustdoc, and the rules for text and file sizes",
        run: lint::command,
    },
    Command {
        name: "deps",
        arguments: "",
        about: "the direction of dependencies between the crates",
        run: deps::command,
    },
    Command {
        name: "features",
        arguments: "",
        about: "each feature of each crate builds alone",
        run: features::command,
    },
    Command {
        name: "manifests",
        arguments: "[--check]",
        about: "write config/crd and its page; --check: fail when they are stale",
        run: manifests::command,
    },
    Command {
        name: "package",
        arguments: "[--allow-dirty]",
        about: "the published crates package, and compile from their packages",
        run: package::command,
    },
    Command {
        name: "docs-check",
        arguments: "",
        about: "links and commands in the pages exist",
        run: docs_check::command,
    },
    Command {
        name: "deny",
        arguments: "",
        about: "licences, bans and sources, where cargo-deny is installed",
        run: deny::command,
    },
    Command {
        name: "fuzz",
        arguments: "[--seconds N] [TARGET…]",
        about: "each fuzz target on its stored corpus, then N (5) seconds of new inputs",
        run: fuzz::command,
    },
    Command {
        name: "images",
        arguments: "[NAME…] [--tag T] [--out DIR]",
        about: "container images, without Docker: docs/images.md",
        run: images::command,
    },
    Command {
        name: "cluster",
        arguments: "up|down|status|env|…",
        about: "a real Kubernetes for tests; `cluster` alone lists what it takes",
        run: cluster::command,
    },
    Command {
        name: "ci",
        arguments: "[--without-test]",
        about: "all of the above, as the continuous build runs it",
        run: ci::command,
    },
    Command {
        name: "bench",
        arguments: "[--quick] [NAME…]",
        about: "how fast and how large, beside bare baselines; --write: into docs/performance.md",
        run: bench::command,
    },
];

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The text of `cargo xtask help`.
pub(crate) fn list() -> String {
    let row = |command: &Command| {
        let call = format!("{} {}", command.name, command.arguments);
        format!("  {call:<31}{}\n", command.about)
    };
    let rows: Vec<String> = COMMANDS.iter().map(row).collect();
    format!("cargo xtask <command>\n\n{}", rows.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command() {
        let text = list();
        for command in COMMANDS {
            assert!(
                text.contains(&format!("  {} ", command.name)),
                "{} is missing",
                command.name
            );
        }
    }

    #[test]
    fn an_unknown_command_is_not_found() {
        assert!(find("tset").is_none());
    }
}
