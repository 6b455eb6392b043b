//! What a [`PodBuilder`](super::PodBuilder) returns.

use super::rbac::DroppedRule;
use crate::crd::v1alpha1::SkillGrant;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

/// Every object of one run, with its name, namespace, labels and owner. Each may be applied again at any time.
///
/// The order in which they are applied is the order of the fields, but for the Job, which comes last. Objects in the
/// run's namespace are owned by the run; the others carry its UID as the label
/// [`names::RUN_UID`](super::names::RUN_UID), by which they are found and removed at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct RunObjects {
    /// The Job.
    pub job: Job,
    /// ConfigMaps of the run's own. The standard builder makes none: skills and memory outlive a run.
    pub config_maps: Vec<ConfigMap>,
    /// The identity of a run with skills that have rights at the API server; all others use their instance's.
    pub service_account: Option<ServiceAccount>,
    /// Rights of skills, one per pack and namespace.
    pub roles: Vec<Role>,
    /// Who has them.
    pub role_bindings: Vec<RoleBinding>,
    /// Rights of skills in the whole cluster, one per pack.
    pub cluster_roles: Vec<ClusterRole>,
    /// Who has them.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// The rights that hold, for `status.grants`.
    pub grants: Vec<SkillGrant>,
    /// The rules that do not, and why, for the condition `Admitted`.
    pub dropped: Vec<DroppedRule>,
}
