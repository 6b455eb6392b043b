//! Names and ids, each checked once when it is made.
//!
//! Kubernetes names are lower-case DNS labels, because they become label values, Job names and bus subject tokens.
//! Everything that may be repeated has a derived id ([`derived_id`]), so that a repetition is recognised.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is not acceptable as a name or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidId {
    /// What the text was meant to be, such as `namespace`.
    pub what: &'static str,
    /// The text as it was given, cut at 80 characters.
    pub text: String,
    /// The rule that it breaks, as a phrase.
    pub rule: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

fn is_dns_label(text: &str, max: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !text.is_empty()
        && text.len() <= max
        && text.bytes().all(|b| inner(b) || b == b'-')
        && text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
}

fn is_printable(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Checks and takes a ", $what, ": ", $rule, ".")]
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(InvalidId::new($what, &text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A Kubernetes namespace. Local runs use `local`.
    Namespace, "namespace", "a lower-case DNS label of at most 63 characters", |t| is_dns_label(t, 63)
);
name!(
    /// The name of an AgentRun. 52 characters leave room for what Jobs and pods append.
    RunName, "run name", "a lower-case DNS label of at most 52 characters", |t| is_dns_label(t, 52)
);
name!(
    /// The name of a SympoziumInstance.
    InstanceName, "instance name", "a lower-case DNS label of at most 40 characters", |t| is_dns_label(t, 40)
);
name!(
    /// The name of a SkillPack, without the `system/` of built-in ones. Also names its folder `tools/<pack>` and its executor.
    PackName, "skill pack name", "a lower-case DNS label of at most 40 characters", |t| is_dns_label(t, 40)
);
name!(
    /// The name under which a model may call a tool.
    ToolName, "tool name", "1 to 64 characters of a-z, A-Z, 0-9, `_` and `-`",
    |t| (1..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);
name!(
    /// The name of a model provider, such as `openai`, `anthropic`, or one that an embedder registered.
    ProviderName, "provider name", "a lower-case DNS label of at most 40 characters", |t| is_dns_label(t, 40)
);
name!(
    /// A model's name in its provider's own terms, such as `gpt-4o-mini`.
    ModelName, "model name", "1 to 200 printable characters", |t| is_printable(t, 200)
);
name!(
    /// What a conversation is continued by: runs of one instance with one key share a history.
    SessionKey, "session key", "1 to 200 printable characters", |t| is_printable(t, 200)
);
name!(
    /// The caller's name for one step of a run (`Idempotency-Key`). Opaque.
    StepId, "step id", "1 to 128 printable ASCII characters",
    |t| (1..=128).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_graphic())
);
name!(
    /// The id which a model gave to one of its tool calls. Opaque.
    CallId, "tool call id", "1 to 256 printable characters", |t| is_printable(t, 256)
);

/// The identity of a run. Names are reused, UIDs are not, so everything is keyed by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunUid(pub Uuid);

impl RunUid {
    /// A new, random identity (local runs; in the cluster the API server gives one).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for RunUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunUid {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_| InvalidId::new("run UID", text, "a UUID"))
    }
}

/// One instance: the long-lived identity that runs belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: InstanceName,
}

impl fmt::Display for InstanceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The UUIDv5 namespace of all derived ids. Changing it would make old repetitions look new.
const DERIVED: Uuid = Uuid::from_u128(0x6d3a_9a54_31f0_4c0c_8e5b_0f1f_5e0a_7a11);

/// The id of the `index`-th effect of a step of a run: the same inputs always give the same id.
///
/// ```
/// # use sympozium_core::ids::{derived_id, RunUid, StepId};
/// let (run, step) = (RunUid::random(), StepId::new("turn-3").unwrap());
/// assert_eq!(derived_id(run, &step, 0), derived_id(run, &step, 0));
/// assert_ne!(derived_id(run, &step, 0), derived_id(run, &step, 1));
/// ```
pub fn derived_id(run: RunUid, step: &StepId, index: u32) -> Uuid {
    Uuid::new_v5(&DERIVED, format!("{run}\n{step}\n{index}").as_bytes())
}

/// The id of what one file in a run's mailbox asks for: the same file always gives the same id.
///
/// `state` tells the states of a file apart that is written again and again; it is empty where a name counts once.
///
/// ```
/// # use sympozium_core::ids::{derived_file_id, RunUid};
/// let run = RunUid::random();
/// assert_eq!(derived_file_id(run, "messages", "send-1.json", ""), derived_file_id(run, "messages", "send-1.json", ""));
/// assert_ne!(derived_file_id(run, "messages", "send-1.json", ""), derived_file_id(run, "spawn", "send-1.json", ""));
/// ```
pub fn derived_file_id(run: RunUid, folder: &str, name: &str, state: &str) -> Uuid {
    // A step has no line break in it, so no step of `derived_id` gives the same text; nor does another file: folders have
    // none either, and the name is led by its length.
    let text = format!("{run}\nfile\n{folder}\n{}:{name}\n{state}", name.len());
    Uuid::new_v5(&DERIVED, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_of_bounded_length() {
        for (text, ok) in [
            ("a", true),
            ("a-b", true),
            ("0a", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a.b", false),
            ("a_b", false),
            ("ä", false),
            ("a/b", false),
            ("..", false),
        ] {
            assert_eq!(RunName::new(text).is_ok(), ok, "{text:?}");
        }
        assert!(RunName::new("a".repeat(52)).is_ok());
        assert!(RunName::new("a".repeat(53)).is_err());
        assert!(InstanceName::new("a".repeat(41)).is_err());
    }

    #[test]
    fn serde_refuses_what_new_refuses() {
        assert!(serde_json::from_str::<PackName>("\"../x\"").is_err());
        assert_eq!(
            serde_json::from_str::<PackName>("\"k8s-ops\"").unwrap().as_str(),
            "k8s-ops"
        );
    }
}
