//! What is wrong with objects, and where.

use std::fmt;
use sympozium_core::error::{Classify, Retry};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The object: kind and name, such as `AgentRun hello`.
    pub object: String,
    /// The field, such as `spec.skills[1].skillPackRef`.
    pub path: String,
    /// What is wrong and what would be right, as a phrase.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.path, self.message)
    }
}

/// Objects that can't become what they are meant to be: all that is wrong with them, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidObjects {
    /// All of it, in the order of the objects and fields.
    pub problems: Vec<Problem>,
}

impl fmt::Display for InvalidObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidObjects {}

impl Classify for InvalidObjects {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        "invalid-object"
    }
}

/// Collects what is wrong with one object.
#[derive(Debug)]
pub(super) struct Findings {
    object: String,
    problems: Vec<Problem>,
}

impl Findings {
    pub(super) fn of(kind: &str, name: &str) -> Self {
        Self {
            object: format!("{kind} {name}"),
            problems: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.problems.push(Problem {
            object: self.object.clone(),
            path: path.into(),
            message: message.to_string(),
        });
    }

    /// The value, or `None` and a problem.
    pub(super) fn take<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, error)).ok()
    }

    /// The values that are fine; a problem for each other one.
    pub(super) fn take_each<S, T, E: fmt::Display>(
        &mut self,
        path: &str,
        given: impl IntoIterator<Item = S>,
        parse: impl Fn(S) -> Result<T, E>,
    ) -> Vec<T> {
        given
            .into_iter()
            .enumerate()
            .filter_map(|(index, one)| self.take(format!("{path}[{index}]"), parse(one)))
            .collect()
    }

    /// Takes over what was found elsewhere.
    pub(super) fn absorb<T>(&mut self, result: Result<T, InvalidObjects>) -> Option<T> {
        result.map_err(|error| self.problems.extend(error.problems)).ok()
    }

    /// The value if nothing is wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, InvalidObjects> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(InvalidObjects {
                problems: self.problems,
            }),
        }
    }
}
