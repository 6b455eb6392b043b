//! Options of small programs: `--name value`, each with a variable of the environment in its place.

use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// What was given, by the options' names.
#[derive(Debug, Default)]
pub(super) struct Options {
    given: BTreeMap<&'static str, Vec<OsString>>,
}

/// One value.
#[derive(Debug)]
pub(super) struct Given(OsString);

impl Options {
    /// Reads a command line. `known` may be given once, `many` may be repeated.
    pub(super) fn parse(
        mut arguments: impl Iterator<Item = OsString>,
        known: &[&'static str],
        many: &[&'static str],
    ) -> anyhow::Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let name = known.iter().chain(many).find(|name| argument == **name);
            let Some(&name) = name else {
                bail!("{} is not an argument of this program", argument.display());
            };
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value behind it"))?;
            let values = options.given.entry(name).or_default();
            if !values.is_empty() && !many.contains(&name) {
                bail!("{name} is given twice");
            }
            values.push(value);
        }
        Ok(options)
    }

    /// Takes what is not given from the environment, by the names of variables. An empty variable is none.
    #[cfg(feature = "bridge")]
    pub(super) fn or_from(
        &mut self,
        variables: &[(&'static str, &'static str)],
        environment: impl Fn(&str) -> Option<OsString>,
    ) {
        for (option, variable) in variables {
            let value = environment(variable).filter(|value| !value.is_empty());
            if let Some(value) = value
                && !self.given.contains_key(option)
            {
                self.given.insert(option, vec![value]);
            }
        }
    }

    /// The value of an option, if it was given.
    pub(super) fn take(&mut self, name: &str) -> Option<Given> {
        self.given.remove(name)?.into_iter().next().map(Given)
    }

    /// All values of an option.
    #[cfg(feature = "bridge")]
    pub(super) fn take_all(&mut self, name: &str) -> Vec<Given> {
        let values = self.given.remove(name).unwrap_or_default();
        values.into_iter().map(Given).collect()
    }

    /// The value of an option that has to be there; `variable` is named as the other way to give it.
    pub(super) fn needed(&mut self, name: &str, variable: Option<&str>) -> anyhow::Result<Given> {
        self.take(name).with_context(|| match variable {
            Some(variable) => format!("{name} (or {variable} in the environment) is missing"),
            None => format!("{name} is missing"),
        })
    }
}

impl Given {
    pub(super) fn path(self) -> PathBuf {
        self.0.into()
    }

    /// The value in its own form; an error names the option and says what it has to be.
    pub(super) fn parse<T>(&self, name: &str) -> anyhow::Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text: &OsStr = &self.0;
        let text = text.to_str().with_context(|| format!("{name} is not UTF-8"))?;
        text.parse()
            .map_err(|error| anyhow::anyhow!("{name} can't be {text:?}: {error}"))
    }
}
