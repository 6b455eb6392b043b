//! What is wrong with options, and what fails while installing.

use super::generated::GenerateError;
use super::inventory::InventoryError;
use super::manifest::ManifestError;
use std::time::Duration;

/// Options that can't be used; a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} {problem}")]
pub struct OptionError {
    /// The option, as on the command line.
    pub option: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl OptionError {
    pub(super) fn new(option: &'static str, problem: impl Into<String>) -> Self {
        Self {
            option,
            problem: problem.into(),
        }
    }
}

/// What failed. What was applied until then stays, and the same call again goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The options can't be used.
    #[error("use the options")]
    Options(#[source] OptionError),
    /// An object could not be written.
    #[error("make the objects of an installation")]
    Manifest(#[source] ManifestError),
    /// Keys or certificates.
    #[error("make what is made once")]
    Generate(#[source] GenerateError),
    /// What is installed is not known.
    #[error("find out what is installed")]
    Inventory(#[source] InventoryError),
    /// The API server refused or did not answer.
    #[error("{step} {subject}")]
    Request {
        /// `apply`, `read`, `delete` or `list`.
        step: &'static str,
        /// Kind and name.
        subject: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{subject} was not {state} within {} s; `sympozium status` says what is wrong", limit.as_secs())]
    Late {
        /// Kind and name.
        subject: String,
        /// What it should have become.
        state: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// There is nothing to remove.
    #[error("nothing is installed in namespace {0}: name the namespace of the installation with --namespace")]
    NotInstalled(String),
}
