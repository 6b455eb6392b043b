//! What a person asks for by flags, and the documents that they give.

use crate::cli::objects::{Given, Objects};
use sympozium_core::ids::InstanceRef;
use sympozium_k8s::crd::v1alpha1::{GoDuration, SkillPack, SympoziumPolicy};
use url::Url;

/// Flags that shape plans.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Wishes {
    /// The task; `None` = those of the documents.
    pub(in crate::cli) task: Option<String>,
    /// The instance of a task, and the namespace of objects that name none.
    pub(in crate::cli) instance: InstanceRef,
    /// The provider.
    pub(in crate::cli) provider: Option<String>,
    /// The model.
    pub(in crate::cli) model: Option<String>,
    /// The provider's address.
    pub(in crate::cli) base_url: Option<Url>,
    /// The conversation that runs continue.
    pub(in crate::cli) session: Option<String>,
    /// Whether runs have a memory that their instance does not ask for.
    pub(in crate::cli) memory: bool,
    /// How long a run may take.
    pub(in crate::cli) timeout: Option<GoDuration>,
    /// Whether the run of a task has a sandbox, whatever its instance says.
    pub(in crate::cli) sandbox: bool,
    /// Whether the provider is one that has no key.
    pub(in crate::cli) keyless: bool,
}

/// Documents.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Sources<'a> {
    /// Those of `-f`.
    pub(in crate::cli) objects: &'a Objects,
    /// Those of `--policy`.
    pub(in crate::cli) policies: &'a [Given<SympoziumPolicy>],
    /// Those of `--skill`.
    pub(in crate::cli) skills: &'a [Given<SkillPack>],
}
