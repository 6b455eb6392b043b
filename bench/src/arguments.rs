//! The command line of the bench. Pure.

use crate::figures::{FIGURES, Figure};
use anyhow::{Context, bail};
use std::path::PathBuf;

/// How often each figure is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As often as the published figures.
    #[default]
    Full,
    /// A fifth of that, for a first look.
    Quick,
    /// Just enough to see that every figure can be measured; the numbers mean nothing.
    Smoke,
}

impl Effort {
    /// How often something is measured that is measured `full` times for a published figure.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.div_ceil(5),
            Self::Smoke => full.min(2),
        }
    }

    /// How large something is that is `full` large for a published figure; only a smoke test makes it smaller.
    pub(crate) const fn size(self, full: usize, smoke: usize) -> usize {
        match self {
            Self::Full | Self::Quick => full,
            Self::Smoke => smoke,
        }
    }
}

/// How the table is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Plain,
    Markdown,
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Names of figures; none = all.
    names: Vec<String>,
    pub(crate) effort: Effort,
    pub(crate) format: Format,
    pub(crate) json: Option<PathBuf>,
    /// The folder with the programs under test; `None` = beside this one.
    pub(crate) programs: Option<PathBuf>,
    /// How they were built, in words.
    pub(crate) built: Option<String>,
    /// Only says whether all of this makes sense: before the programs under test are built, which takes long.
    pub(crate) check: bool,
}

impl Arguments {
    /// Reads the arguments behind the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.with_context(|| format!("{argument} needs a value behind it"))
            };
            match argument.as_str() {
                "--quick" => all.effort = Effort::Quick,
                "--smoke" => all.effort = Effort::Smoke,
                "--markdown" => all.format = Format::Markdown,
                "--json" => all.json = Some(value()?.into()),
                "--programs" => all.programs = Some(value()?.into()),
                "--built" => all.built = Some(value()?),
                "--check" => all.check = true,
                name if name.starts_with('-') => {
                    bail!(
                        "{name} is unknown; there are --quick, --markdown, --json FILE and names of figures"
                    )
                }
                _ => all.names.push(argument),
            }
        }
        Ok(all)
    }

    /// The figures that were asked for, in the order in which they are listed.
    pub(crate) fn chosen(&self) -> anyhow::Result<Vec<&'static Figure>> {
        for name in &self.names {
            if !FIGURES.iter().any(|figure| figure.name == name) {
                let known: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
                bail!("there is no figure {name:?}; there are: {}", known.join(", "));
            }
        }
        let wanted =
            |figure: &&Figure| self.names.is_empty() || self.names.iter().any(|name| name == figure.name);
        Ok(FIGURES.iter().filter(wanted).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_flags_come_in_any_order_and_others_are_refused() {
        let arguments = parse("policy --quick size --json f").unwrap();
        assert_eq!(arguments.effort, Effort::Quick);
        assert_eq!(arguments.json, Some("f".into()));
        let names: Vec<_> = arguments
            .chosen()
            .unwrap()
            .iter()
            .map(|figure| figure.name)
            .collect();
        assert_eq!(names, ["size", "policy"]);
        assert!(parse("--fast").unwrap_err().contains("--fast is unknown"));
        assert!(parse("--json").unwrap_err().contains("needs a value"));
        assert!(parse("polici").unwrap().chosen().is_err());
    }

    #[test]
    fn without_names_everything_is_measured() {
        assert_eq!(parse("").unwrap().chosen().unwrap().len(), FIGURES.len());
    }

    #[test]
    fn less_effort_is_never_none() {
        for effort in [Effort::Full, Effort::Quick, Effort::Smoke] {
            assert!(effort.rounds(1) == 1 && effort.rounds(60) <= 60 && effort.rounds(60) > 0);
        }
    }
}
