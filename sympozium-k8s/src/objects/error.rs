//! Why a run can have no objects.

use sympozium_core::error::{Classify, Retry};

/// Why a run can have no objects. Each is final for this plan and these surroundings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The instance's `podTemplate` says something that it may not say. The schema refuses it too.
    #[error("spec.podTemplate.{path} of the instance {problem}")]
    PodTemplate {
        /// The field below `podTemplate`.
        path: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// A variable is longer than a program can be given.
    #[error(
        "the environment variable {name} of {container} has {bytes} bytes with its name; at most {max} are possible"
    )]
    Variable {
        /// The container.
        container: String,
        /// The variable.
        name: String,
        /// Its length, name and `=` included.
        bytes: usize,
        /// The most that is possible.
        max: usize,
    },
    /// The Job would be larger than the cluster can store.
    #[error(
        "the run's pod takes {bytes} bytes to describe, at most {max} are possible; give it fewer or smaller typed tools and policies"
    )]
    TooLarge {
        /// Its size as JSON.
        bytes: usize,
        /// The most that is possible.
        max: usize,
    },
    /// Two executors have one name.
    #[error(
        "a skill pack is named sandbox, and so is the run's sandbox; rename the pack or leave the sandbox out"
    )]
    SandboxName,
    /// A foreign agent image without a command.
    #[error("spec.agent.command is empty; it is needed, because the agent is started by a helper")]
    NoCommand,
    /// An object can't be written as JSON.
    #[error("describe {what}: {detail}")]
    Encode {
        /// The object.
        what: &'static str,
        /// Why.
        detail: String,
    },
}

impl Classify for BuildError {
    fn retry(&self) -> Retry {
        match self {
            Self::PodTemplate { .. }
            | Self::Variable { .. }
            | Self::TooLarge { .. }
            | Self::SandboxName
            | Self::NoCommand
            | Self::Encode { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::PodTemplate { .. } => "pod-template",
            Self::Variable { .. } => "variable",
            Self::TooLarge { .. } => "too-large",
            Self::SandboxName => "sandbox-name",
            Self::NoCommand => "no-command",
            Self::Encode { .. } => "encode",
        }
    }
}
