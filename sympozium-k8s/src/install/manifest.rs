//! One object of an installation, of whatever kind.

use kube::Resource;
use kube::api::{ApiResource, DynamicObject};
use serde::Serialize;
use std::fmt;

/// How long an object stays, and who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenure {
    /// Applied at each installation, removed with it.
    Installed,
    /// Made when it is missing and never written over: from then on it is the user's. Removed with the user's data.
    Once,
    /// Applied at each installation; what hangs on it is the user's data, and it is removed with that.
    Foundation,
}

/// An object that is to be there.
#[derive(Clone)]
pub struct Manifest {
    /// Its kind.
    pub resource: ApiResource,
    /// The object.
    pub object: DynamicObject,
    /// How long it stays.
    pub tenure: Tenure,
}

/// An object that could not be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("write the {kind} of an installation")]
pub struct ManifestError {
    kind: String,
    #[source]
    source: serde_json::Error,
}

impl Manifest {
    /// An object that is applied at each installation and removed with it.
    pub(super) fn new<K>(object: &K) -> Result<Self, ManifestError>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let resource = ApiResource::erase::<K>(&());
        let failed = |source| ManifestError {
            kind: K::kind(&()).into_owned(),
            source,
        };
        let mut value = serde_json::to_value(object).map_err(failed)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), K::api_version(&()).into());
            fields.insert("kind".to_owned(), K::kind(&()).into());
            // A status is not ours to say.
            fields.remove("status");
        }
        Ok(Self {
            resource,
            object: serde_json::from_value(value).map_err(failed)?,
            tenure: Tenure::Installed,
        })
    }

    /// The same with another tenure.
    pub(super) fn with(mut self, tenure: Tenure) -> Self {
        self.tenure = tenure;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its namespace.
    pub fn namespace(&self) -> Option<&str> {
        self.object.metadata.namespace.as_deref()
    }
}

/// Without what is in it: that can be a key.
impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("kind", &self.resource.kind)
            .field("namespace", &self.namespace())
            .field("name", &self.name())
            .field("tenure", &self.tenure)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource.kind, self.name())
    }
}
