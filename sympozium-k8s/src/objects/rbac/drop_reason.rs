//! A rule that does not hold, and why.

use crate::crd::v1alpha1::RbacRuleSpec;
use std::fmt;
use sympozium_core::ids::{Namespace, PackName};

/// Why a right is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It names everything.
    Wildcard,
    /// Its verb gives rights that it does not name.
    GivesRights,
    /// Secrets: nobody but the gateway reads them.
    Secrets,
    /// It runs a program in a pod, or goes through one.
    EntersPods,
    /// It writes pods, or what makes pods.
    MakesPods,
    /// ServiceAccounts.
    Identities,
    /// Roles and bindings.
    Roles,
    /// NetworkPolicies.
    NetworkPolicies,
    /// Kinds of Sympozium.
    OwnKinds,
    /// It writes ConfigMaps: certificates to trust, skills and memory are in them.
    ConfigMaps,
    /// It writes where the installation is.
    Installation,
    /// It writes a kind of which nobody knows here whether it makes pods.
    UnknownKind,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Wildcard,
        Self::GivesRights,
        Self::Secrets,
        Self::EntersPods,
        Self::MakesPods,
        Self::Identities,
        Self::Roles,
        Self::NetworkPolicies,
        Self::OwnKinds,
        Self::ConfigMaps,
        Self::Installation,
        Self::UnknownKind,
    ];

    /// The reason as a phrase.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wildcard => "* is not allowed in rules",
            Self::GivesRights => "escalate, bind and impersonate are not allowed",
            Self::Secrets => "skills can't read or write Secrets",
            Self::EntersPods => "nobody enters the pods of this namespace",
            Self::MakesPods => "skills can't write pods, or what makes pods, where their run is",
            Self::Identities => "skills can't use ServiceAccounts where their run is",
            Self::Roles => "skills can't use Roles where their run is",
            Self::NetworkPolicies => "skills can't use NetworkPolicies where their run is",
            Self::OwnKinds => "skills can't use Sympozium's own kinds where their run is",
            Self::ConfigMaps => "ConfigMaps hold the certificates, skills and memory of runs here",
            Self::Installation => "skills can't write where Sympozium is installed",
            Self::UnknownKind => "this kind might make pods where the run is; grant it in another namespace",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule of a pack, or a part of one, that does not hold somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedRule {
    /// The pack.
    pub skill: PackName,
    /// The namespace; `None` = the whole cluster.
    pub namespace: Option<Namespace>,
    /// The rule.
    pub rule: RbacRuleSpec,
    /// Why it does not hold.
    pub reason: DropReason,
}

impl fmt::Display for DroppedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not {}", self.skill, self.rule.verbs.join(", "))?;
        write!(f, " {}", self.rule.resources.join(", "))?;
        let groups: Vec<_> = self.rule.api_groups.iter().filter(|g| !g.is_empty()).collect();
        for (index, group) in groups.iter().enumerate() {
            f.write_str(if index == 0 { " (" } else { ", " })?;
            f.write_str(group)?;
        }
        if !groups.is_empty() {
            f.write_str(")")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}")?,
            None => f.write_str(" in the whole cluster")?,
        }
        write!(f, ": {}", self.reason)
    }
}
