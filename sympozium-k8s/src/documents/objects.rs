//! From documents to objects.

use super::secret::{Secret, values};
use super::split::{Piece, split};
use super::{DocumentError, MAX_DOCUMENTS, MAX_FILE_BYTES, Place};
use crate::crd::API_VERSION;
use crate::crd::v1alpha1::{
    AgentRun, AgentRunSpec, AgentRunStatus, SkillPack, SkillPackSpec, SkillPackStatus, SympoziumInstance,
    SympoziumInstanceSpec, SympoziumInstanceStatus, SympoziumPolicy, SympoziumPolicySpec,
    SympoziumPolicyStatus, SympoziumSchedule, SympoziumScheduleSpec, SympoziumScheduleStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// One object of a file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Document {
    /// A run.
    AgentRun(Box<AgentRun>),
    /// An instance.
    Instance(Box<SympoziumInstance>),
    /// A policy.
    Policy(Box<SympoziumPolicy>),
    /// A skill pack.
    SkillPack(Box<SkillPack>),
    /// A schedule.
    Schedule(Box<SympoziumSchedule>),
    /// A Secret.
    Secret(Box<Secret>),
}

/// Reads all objects of a file. `file` is only for messages. Stops at the first document that is wrong.
///
/// ```
/// # use sympozium_k8s::documents::{parse, Document};
/// let text = "
/// apiVersion: sympozium.ai/v1alpha1
/// kind: AgentRun
/// metadata: {name: hello}
/// spec: {instanceRef: me, task: Say hello., timeout: 1m30s}
/// ";
/// let documents = parse("run.yaml", text).unwrap();
/// assert!(matches!(&documents[..], [Document::AgentRun(run)] if run.spec.task == "Say hello."));
/// ```
pub fn parse(file: &str, text: &str) -> Result<Vec<Document>, DocumentError> {
    if text.len() > MAX_FILE_BYTES {
        return Err(DocumentError::TooLarge {
            file: file.to_owned(),
            bytes: text.len(),
            max: MAX_FILE_BYTES,
        });
    }
    let pieces = split(text);
    if pieces.len() > MAX_DOCUMENTS {
        return Err(DocumentError::TooMany {
            file: file.to_owned(),
            max: MAX_DOCUMENTS,
        });
    }
    pieces
        .into_iter()
        .enumerate()
        .map(|(index, piece)| {
            Source {
                file,
                number: index + 1,
                piece,
            }
            .document()
        })
        .collect()
}

/// One document that is being read.
struct Source<'a> {
    file: &'a str,
    number: usize,
    piece: Piece<'a>,
}

/// What decides how the rest is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
}

/// An object of ours, strictly.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Custom<Spec, Status> {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: Spec,
    status: Option<Status>,
}

/// A Secret, strictly.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretObject {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    #[serde(default)]
    string_data: BTreeMap<String, SecretString>,
    #[serde(default)]
    data: BTreeMap<String, SecretString>,
    #[serde(rename = "type")]
    _type: Option<String>,
    #[serde(rename = "immutable")]
    _immutable: Option<bool>,
}

/// `metadata`, strictly: a misspelt `annotations` must not pass unnoticed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    finalizers: Option<Vec<String>>,
    generation: Option<i64>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    self_link: Option<String>,
    #[serde(rename = "managedFields")]
    _managed_fields: Option<serde::de::IgnoredAny>,
}

impl From<Metadata> for ObjectMeta {
    fn from(given: Metadata) -> Self {
        Self {
            name: given.name,
            generate_name: given.generate_name,
            namespace: given.namespace,
            uid: given.uid,
            labels: given.labels,
            annotations: given.annotations,
            creation_timestamp: given.creation_timestamp,
            deletion_timestamp: given.deletion_timestamp,
            deletion_grace_period_seconds: given.deletion_grace_period_seconds,
            finalizers: given.finalizers,
            generation: given.generation,
            owner_references: given.owner_references,
            resource_version: given.resource_version,
            self_link: given.self_link,
            managed_fields: None,
        }
    }
}

/// Builds an object of a kind from its parts: the kinds differ in their types only.
macro_rules! object {
    ($source:expr, $kind:ident, $spec:ty, $status:ty) => {{
        let parts: Custom<$spec, $status> = $source.read()?;
        Box::new($kind {
            metadata: parts.metadata.into(),
            spec: parts.spec,
            status: parts.status,
        })
    }};
}

impl Source<'_> {
    fn document(&self) -> Result<Document, DocumentError> {
        let head: Head = self.read()?;
        let document = match (head.api_version.as_str(), head.kind.as_str()) {
            (API_VERSION, "AgentRun") => {
                Document::AgentRun(object!(self, AgentRun, AgentRunSpec, AgentRunStatus))
            }
            (API_VERSION, "SympoziumInstance") => Document::Instance(object!(
                self,
                SympoziumInstance,
                SympoziumInstanceSpec,
                SympoziumInstanceStatus
            )),
            (API_VERSION, "SympoziumPolicy") => Document::Policy(object!(
                self,
                SympoziumPolicy,
                SympoziumPolicySpec,
                SympoziumPolicyStatus
            )),
            (API_VERSION, "SkillPack") => {
                Document::SkillPack(object!(self, SkillPack, SkillPackSpec, SkillPackStatus))
            }
            (API_VERSION, "SympoziumSchedule") => Document::Schedule(object!(
                self,
                SympoziumSchedule,
                SympoziumScheduleSpec,
                SympoziumScheduleStatus
            )),
            ("v1", "Secret") => Document::Secret(Box::new(self.secret()?)),
            _ => {
                return Err(DocumentError::UnknownKind {
                    place: self.place(None),
                    said: format!("{} {}", head.api_version, head.kind),
                });
            }
        };
        Ok(document)
    }

    fn secret(&self) -> Result<Secret, DocumentError> {
        let object: SecretObject = self.read()?;
        let values = values(object.data, object.string_data).map_err(|detail| DocumentError::Invalid {
            place: self.place(None),
            detail,
        })?;
        Ok(Secret {
            metadata: object.metadata.into(),
            values,
        })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, DocumentError> {
        let options = serde_saphyr::options! {
            legacy_octal_numbers: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(self.piece.text, options).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &serde_saphyr::Error) -> DocumentError {
        DocumentError::Invalid {
            place: self.place(error.location()),
            detail: one_sentence(error),
        }
    }

    fn place(&self, location: Option<serde_saphyr::Location>) -> Place {
        Place {
            file: self.file.to_owned(),
            document: self.number,
            line: Some(location.map_or(1, |l| l.line()) + self.piece.lines_before),
            column: Some(location.map_or(1, |l| l.column())),
        }
    }
}

/// The message without the location, which is told apart, and on one line.
fn one_sentence(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let plain = first.split(" at line ").next().unwrap_or(first);
    // The parser's advice is about its own options, which nobody who writes a file can set.
    let plain = plain.split(", set DuplicateKeyPolicy").next().unwrap_or(plain);
    plain.trim_start_matches("error: ").chars().take(400).collect()
}
