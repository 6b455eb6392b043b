//! `cargo xtask ci`: every check, each a line; a failed one does not hide the next. The tests come last, so that their
//! numbers are the last line.

use anyhow::bail;

use crate::{commands, stage::Stages, test};

/// The commands before the tests, with their arguments.
const CHECKS: &[(&str, &[&str])] = &[
    ("lint", &[]),
    ("deps", &[]),
    ("features", &[]),
    ("manifests", &["--check"]),
    ("package", &[]),
    ("docs-check", &[]),
    ("deny", &[]),
];

/// Runs the checks, then (unless told otherwise) the tests.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let with_test = match args {
        [] => true,
        [flag] if flag == "--without-test" => false,
        _ => bail!("`ci` takes --without-test and nothing else"),
    };
    let mut stages = Stages::default();
    for (name, arguments) in CHECKS {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        stages.check(name, || run(name, &arguments));
    }
    let checks = stages.finish();
    if !with_test {
        return checks;
    }
    let counts = test::run(&[])?;
    if let Err(error) = &checks {
        println!("checks before the tests {error}");
    }
    test::finish(counts, checks.is_err())
}

fn run(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    let Some(command) = commands::find(name) else {
        bail!("there is no command {name:?}")
    };
    (command.run)(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_of_the_continuous_build_is_a_command() {
        for (name, _) in CHECKS {
            assert!(commands::find(name).is_some(), "{name}");
        }
    }
}
