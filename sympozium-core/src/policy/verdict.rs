//! Answers.

use super::{Feature, PolicyName};
use crate::ids::ToolName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a question. Ordered: the greater one is the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Yes.
    Allow,
    /// Only after a person agreed.
    Ask,
    /// No.
    Deny,
}

impl Outcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// May it run with (or without) this sandbox?
    Sandbox,
    /// May it be spawned this deep, with so many siblings?
    Subagents,
    /// May it call this tool?
    Tool(ToolName),
    /// May it use this feature?
    Feature(Feature),
    /// May a sidecar reach this `host:port`, and is the network closed as required?
    Network(String),
    /// May it use this model (`provider/model`)?
    Model(String),
    /// May this image run?
    Image(String),
    /// May this URL be fetched?
    Egress(String),
    /// Is there money left?
    Budget,
    /// May it have this set of skills?
    Skills,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox => f.write_str("sandbox"),
            Self::Subagents => f.write_str("sub-agents"),
            Self::Tool(name) => write!(f, "tool {name}"),
            Self::Feature(feature) => write!(f, "feature {}", feature.as_str()),
            Self::Network(target) => write!(f, "network {target}"),
            Self::Model(model) => write!(f, "model {model}"),
            Self::Image(image) => write!(f, "image {image}"),
            Self::Egress(url) => write!(f, "egress {url}"),
            Self::Budget => f.write_str("budget"),
            Self::Skills => f.write_str("skills"),
        }
    }
}

/// One answered question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What was asked.
    pub question: Question,
    /// The answer.
    pub outcome: Outcome,
    /// The policy that decided: the first of the strictest. `run` for the run's own `toolPolicy`, `instance` for its
    /// instance's limits on sub-agents, `none` when there is no policy.
    pub policy: PolicyName,
    /// The path of the rule in that policy's spec: `toolGating.rules[2]`, `toolGating.defaultAction`, `models.deny[0]`.
    pub rule: String,
    /// The path of the field in the run's spec that the verdict is about: `spec.model.model`. Empty for questions that
    /// come up only while it runs, and for tools and features that it can do without.
    pub field: String,
    /// One sentence for people: what is refused, and what would be allowed.
    pub reason: String,
}

impl Verdict {
    /// True for a tool or feature that the run can do without: it names no field.
    fn is_optional(&self) -> bool {
        match self.question {
            Question::Tool(_) | Question::Feature(_) => self.field.is_empty(),
            Question::Sandbox
            | Question::Subagents
            | Question::Network(_)
            | Question::Model(_)
            | Question::Image(_)
            | Question::Egress(_)
            | Question::Budget
            | Question::Skills => false,
        }
    }
}

/// All answers about a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// One per question, in a fixed order.
    pub verdicts: Vec<Verdict>,
}

impl Decision {
    /// True when nothing that the run needs in order to exist is denied.
    pub fn admits(&self) -> bool {
        self.denials().next().is_none()
    }

    /// The verdicts that keep the run from existing: all denials but those of tools and features that it can do without.
    pub fn denials(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Deny && !verdict.is_optional())
    }
}
