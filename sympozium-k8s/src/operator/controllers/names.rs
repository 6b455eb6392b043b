//! Labels that controllers look for.

/// Label of runs: the schedule that started them.
pub(super) const SCHEDULE: &str = crate::operator::schedule::SCHEDULE_LABEL;
/// Label of namespaces: the policy that holds there, of the installation's namespace.
pub(super) const POLICY: &str = "sympozium.ai/policy";
/// Label of packs: `true` on those that come with the installation.
pub(super) const BUILTIN: &str = "sympozium.ai/builtin";
