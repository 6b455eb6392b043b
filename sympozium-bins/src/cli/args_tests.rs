//! The command tree, its help, and the page that describes it.

use super::*;
use clap::{ArgAction, Command, CommandFactory};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/reference/cli.md");

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

/// Every command that does something, with its whole name.
fn leaves(command: &Command, before: &str) -> Vec<(String, Command)> {
    let name = format!("{before}{}", command.get_name());
    let below: Vec<_> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .flat_map(|sub| leaves(sub, &format!("{name} ")))
        .collect();
    if below.is_empty() {
        vec![(name, command.clone())]
    } else {
        below
    }
}

fn tree() -> Vec<(String, Command)> {
    let mut command = Cli::command();
    command.build();
    leaves(&command, "")
}

/// The long flags of a command that it does not share with every other.
fn flags(command: &Command) -> BTreeSet<String> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_global_set())
        .filter(|arg| {
            !matches!(
                arg.get_action(),
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            )
        })
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect()
}

/// The flags in the first column of the tables of a section.
fn flags_in_section(name: &str) -> Option<BTreeSet<String>> {
    let (_, after) = PAGE.split_once(&format!("\n## `{name}`\n"))?;
    let section = after.split("\n## ").next()?;
    let cells = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `-")?.split(" | ").next());
    let flags = cells.flat_map(|cell| {
        format!("-{cell}")
            .split([' ', '`', ','])
            .filter(|word| word.starts_with("--"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    Some(flags.collect())
}

#[test]
fn the_page_on_the_command_line_names_every_command_and_flag_and_no_other() {
    for (name, command) in tree() {
        let described = flags_in_section(&name).unwrap_or_else(|| panic!("{name} has no section"));
        assert_eq!(described, flags(&command), "{name}");
    }
}

#[test]
fn the_page_on_the_command_line_names_the_flags_of_every_command() {
    let general = PAGE.split("\n## ").next().unwrap();
    let command = Cli::command();
    for arg in command.get_arguments().filter(|arg| arg.is_global_set()) {
        let flag = format!("| `--{} ", arg.get_long().unwrap());
        assert!(general.contains(&flag), "{flag}");
    }
}

#[test]
fn every_variable_that_a_help_text_names_is_on_the_page_on_configuration_beside_its_flag() {
    let page = include_str!("../../../docs/reference/configuration.md");
    for (name, command) in tree() {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let Some((_, rest)) = help.split_once("[env: ") else {
                continue;
            };
            let variable = rest.split(']').next().unwrap();
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{variable}` |")))
                .unwrap_or_else(|| panic!("{variable} of {name} is missing"));
            let flag = format!("`--{}`", arg.get_long().unwrap());
            assert!(row.contains(&flag), "{row} lacks {flag}");
        }
    }
}

#[test]
fn help_is_as_people_know_it() {
    let texts: Vec<_> = tree()
        .into_iter()
        .map(|(name, mut command)| format!("$ {name} --help\n{}", command.render_long_help()))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}
