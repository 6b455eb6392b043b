//! The process's environment, taken once.

use super::super::failure::Failure;
use super::variables::VARIABLES;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Names that are ours: one that nobody knows is a misspelling.
const OWN_PREFIX: &str = "SYMPOZIUM_";

/// Variables by name. Empty ones count as absent.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// That of this process.
    pub(in crate::cli) fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        Self { variables }
    }

    /// These variables alone.
    #[cfg(test)]
    pub(in crate::cli) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        Self { variables }
    }

    /// Refuses variables of ours that nobody knows.
    pub(super) fn check_names(&self) -> Result<(), Failure> {
        let unknown = self
            .variables
            .keys()
            .find(|name| name.starts_with(OWN_PREFIX) && !VARIABLES.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = VARIABLES
                    .iter()
                    .copied()
                    .filter(|name| name.starts_with(OWN_PREFIX))
                    .collect();
                Err(Failure::input(format!(
                    "The environment variable {name} is not known; known are {}.",
                    known.join(", ")
                )))
            }
        }
    }

    /// A value as it is.
    pub(super) fn raw(&self, name: &'static str) -> Option<OsString> {
        debug_assert!(VARIABLES.contains(&name), "{name} is not in the list");
        self.variables
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    }

    /// Whether it says anything.
    pub(super) fn is_set(&self, name: &'static str) -> bool {
        self.raw(name).is_some()
    }

    /// A value that is text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Failure> {
        self.raw(name)
            .map(|value| {
                value.into_string().map_err(|_| {
                    Failure::input(format!("The environment variable {name} is not valid UTF-8."))
                })
            })
            .transpose()
    }

    /// A value that is yes or no.
    pub(super) fn truth(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        self.text(name)?
            .map(|value| match value.as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                other => Err(Failure::input(format!(
                    "The environment variable {name} is {other:?}, but must be true or false."
                ))),
            })
            .transpose()
    }
}
