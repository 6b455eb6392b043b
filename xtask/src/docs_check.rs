//! `cargo xtask docs-check`: what the pages point at exists: files behind links, and the commands they tell to run.
//!
//! Entry: [`command`]. Finding links and commands in a text is pure.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{commands, repo, stage, stage::Stages, test};

/// Checks all tracked Markdown pages.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("`docs-check` takes no arguments, but got {arg:?}");
    }
    let mut pages = Vec::new();
    for path in repo::tracked(&[".md"])? {
        let text =
            std::fs::read_to_string(repo::root().join(&path)).with_context(|| format!("read {path}"))?;
        pages.push((path, text));
    }
    let mut stages = Stages::default();
    stages.check("links between files", || {
        fail_with(&pages.iter().flat_map(dead_links).collect::<Vec<_>>())
    });
    stages.check("commands of xtask", || {
        let known: BTreeSet<String> = commands::COMMANDS
            .iter()
            .map(|command| command.name.to_owned())
            .chain(["help".to_owned()])
            .collect();
        fail_with(
            &pages
                .iter()
                .flat_map(|page| unknown_commands(page, "cargo xtask ", &known))
                .collect::<Vec<_>>(),
        )
    });
    stages.check("commands of sympozium", || {
        if pages
            .iter()
            .all(|(_, text)| words_after(text, "sympozium ").is_empty())
        {
            return Ok(());
        }
        let known = subcommands(&help()?);
        fail_with(
            &pages
                .iter()
                .flat_map(|page| unknown_commands(page, "sympozium ", &known))
                .collect::<Vec<_>>(),
        )
    });
    stages.finish()
}

fn fail_with(wrong: &[String]) -> anyhow::Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

/// Builds the program as the tests do, so that nothing is compiled twice, and asks it for its commands.
fn help() -> anyhow::Result<String> {
    let built = stage::capture("build sympozium", &mut test::build())?;
    if !built.success {
        bail!("sympozium does not build: {}", built.output.trim());
    }
    repo::stdout_of(Command::new(repo::target_dir().join("debug/sympozium")).arg("--help"))
}

/// The first words below `Commands:` in a help text.
fn subcommands(help: &str) -> BTreeSet<String> {
    let below = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1);
    let rows = below.take_while(|line| line.starts_with(' ') || line.is_empty());
    // A continued description is indented further than a command's name.
    let names = rows
        .filter_map(|row| row.strip_prefix("  "))
        .filter(|row| !row.starts_with(' '));
    names
        .filter_map(|row| row.split_whitespace().next())
        .map(ToOwned::to_owned)
        .collect()
}

fn unknown_commands((path, text): &(String, String), program: &str, known: &BTreeSet<String>) -> Vec<String> {
    let used = words_after(text, program).into_iter();
    used.filter(|word| !known.contains(word))
        .map(|word| format!("{path}: there is no `{program}{word}`"))
        .collect()
}

/// The words that follow a program's name where it is called: at the start of a line in a code block, or of a code span.
fn words_after(text: &str, program: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let calls: Vec<&str> = if in_block {
            vec![line.trim_start().trim_start_matches("$ ")]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for rest in calls.into_iter().filter_map(|call| call.strip_prefix(program)) {
            let word: String = rest
                .chars()
                .take_while(|sign| sign.is_ascii_alphanumeric() || *sign == '-')
                .collect();
            if word.starts_with(|sign: char| sign.is_ascii_lowercase()) {
                words.insert(word);
            }
        }
    }
    words
}

fn dead_links((path, text): &(String, String)) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let dead = link_targets(text)
        .into_iter()
        .filter(|target| !target_exists(folder, target));
    dead.map(|target| format!("{path}: the link to {target} leads nowhere"))
        .collect()
}

fn target_exists(folder: &Path, target: &str) -> bool {
    match without_dots(&folder.join(target)) {
        Some(inside) => repo::root().join(inside).exists(),
        None => false,
    }
}

/// The path without `.` and `..`; nothing when it leaves the repository.
fn without_dots(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => clean.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// The files that `[text](target)` points at, without addresses, anchors and code.
fn link_targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        for rest in prose.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") {
                targets.push(file.to_owned());
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_behind_links_are_found_but_not_addresses_anchors_or_code() {
        let text = "[`a`](docs/a.md#top) and [b](../b.md \"t\"), [c](https://c.example) [d](#d) `[e](e.md)`\n\
            ```\n[f](f.md)\n```\n";
        assert_eq!(link_targets(text), ["docs/a.md", "../b.md"]);
    }

    #[test]
    fn a_link_that_leaves_the_repository_is_dead() {
        assert!(!target_exists(Path::new("docs"), "../../etc"));
        assert!(!target_exists(Path::new(""), "/etc"));
        assert!(target_exists(Path::new("docs"), "../Cargo.toml"));
    }

    #[test]
    fn commands_are_found_in_blocks_and_in_spans() {
        let text = "Run `cargo xtask test` or `cargo xtask <command>`; cargo xtask prose\n```sh\n$ cargo xtask lint --x\n```\n";
        let words: Vec<String> = words_after(text, "cargo xtask ").into_iter().collect();
        assert_eq!(words, ["lint", "test"]);
    }

    #[test]
    fn the_commands_of_a_help_text_are_its_first_words() {
        let help =
            "Usage: x\n\nCommands:\n  run   Runs\n          more\n  help  Helps\n\nOptions:\n  -h  x\n";
        let names: Vec<String> = subcommands(help).into_iter().collect();
        assert_eq!(names, ["help", "run"]);
    }
}
