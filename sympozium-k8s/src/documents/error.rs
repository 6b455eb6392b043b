//! What is wrong with a file, and where.

use std::fmt;
use sympozium_core::error::{Classify, Retry};

/// What is read, for messages.
const ACCEPTED: &str = "v1 Secret and sympozium.ai/v1alpha1 AgentRun, SympoziumInstance, SympoziumPolicy, SkillPack, \
                        SympoziumSchedule";

/// Where in a file something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the caller names it.
    pub file: String,
    /// The document in the file, from 1.
    pub document: usize,
    /// The line in the file, from 1; `None` when it is not known.
    pub line: Option<u64>,
    /// The column in the line, from 1; `None` when it is not known.
    pub column: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, " (document {})", self.document)
    }
}

/// Why a file could not be read as objects. The message is one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file is too large.
    #[error("{file}: the file has {bytes} bytes; at most {max} are read")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The file has too many documents.
    #[error("{file}: the file has more than {max} documents")]
    TooMany {
        /// The file.
        file: String,
        /// The limit.
        max: usize,
    },
    /// `apiVersion` and `kind` are not ones that are read here.
    #[error("{place}: {said} is not read here; accepted are {ACCEPTED}")]
    UnknownKind {
        /// Where.
        place: Place,
        /// What it says: `apiVersion kind`.
        said: String,
    },
    /// It is not YAML, or does not have the shape of its kind.
    #[error("{place}: {detail}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, without a value of a Secret.
        detail: String,
    },
}

impl Classify for DocumentError {
    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "file-too-large",
            Self::TooMany { .. } => "too-many-documents",
            Self::UnknownKind { .. } => "unknown-kind",
            Self::Invalid { .. } => "invalid-document",
        }
    }
}
