//! The pod's volumes.

use super::limits;
use super::shape::Shape;
use super::tokens;
use crate::objects::{names, skills};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, ProjectedVolumeSource,
    Volume, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use sympozium_core::skill::Skill;

/// A volume of the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vol<'a> {
    Ipc,
    Workspace,
    /// What is each container's own, by sub-path.
    Scratch,
    Programs,
    /// The documents of a pack.
    Skill(&'a str),
    Memory,
    Ca,
    GatewayToken,
    BusToken,
    /// The proxy token of a pack.
    EgressToken(&'a str),
    ApiToken,
}

impl Vol<'_> {
    pub(super) fn name(self) -> String {
        match self {
            Self::Ipc => "ipc".to_owned(),
            Self::Workspace => "workspace".to_owned(),
            Self::Scratch => "scratch".to_owned(),
            Self::Programs => "programs".to_owned(),
            Self::Skill(pack) => format!("skills-{pack}"),
            Self::Memory => "memory".to_owned(),
            Self::Ca => "ca".to_owned(),
            Self::GatewayToken => "gateway-token".to_owned(),
            Self::BusToken => "bus-token".to_owned(),
            Self::EgressToken(pack) => format!("egress-token-{pack}"),
            Self::ApiToken => "api-token".to_owned(),
        }
    }
}

/// All volumes that some container mounts.
pub(super) fn volumes(shape: &Shape<'_>) -> Vec<Volume> {
    let mut volumes = vec![
        empty(Vol::Ipc, limits::IPC, true),
        empty(Vol::Workspace, limits::WORKSPACE, false),
        empty(Vol::Scratch, limits::SCRATCH, false),
        empty(Vol::Programs, limits::PROGRAMS, false),
    ];
    for skill in with_documents(shape) {
        volumes.push(documents(shape, skill));
    }
    if shape.plan.memory.is_some() {
        volumes.push(Volume {
            name: Vol::Memory.name(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::memory_config_map(shape.plan.instance.name.as_str()),
                // The first run of an instance may come before its memory.
                optional: Some(true),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes.push(certificates(shape));
    volumes.extend(tokens::volumes(shape));
    volumes
}

/// The skills that bring documents.
pub(super) fn with_documents<'a>(shape: &Shape<'a>) -> impl Iterator<Item = &'a Skill> + use<'a> {
    let skills = shape.plan.skills.iter();
    skills.filter(|skill| !skill.documents.is_empty())
}

fn empty(vol: Vol<'_>, size: &str, in_memory: bool) -> Volume {
    Volume {
        name: vol.name(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: in_memory.then(|| "Memory".to_owned()),
            size_limit: Some(Quantity(size.to_owned())),
        }),
        ..Volume::default()
    }
}

/// The key and file name of a ConfigMap.
pub(super) fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path: path.to_owned(),
        mode: None,
    }
}

/// A pack's documents, of as many ConfigMaps as they take. Of a ConfigMap that somebody else keeps only the documents are
/// shown.
fn documents(shape: &Shape<'_>, skill: &Skill) -> Volume {
    let one = |name: String, items: Option<Vec<KeyToPath>>| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name,
            items,
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let sources = if shape
        .surroundings
        .instance
        .config_map_skills
        .contains(&skill.pack)
    {
        let keys = skill
            .documents
            .iter()
            .map(|document| format!("{}.md", document.name));
        let items = keys.map(|key| item(&key, &key)).collect();
        vec![one(skill.pack.to_string(), Some(items))]
    } else {
        (0..skills::number_of_config_maps(skill))
            .map(|number| one(names::skill_config_map(&skill.pack, skill.builtin, number), None))
            .collect()
    };
    Volume {
        name: Vol::Skill(skill.pack.as_str()).name(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources),
            default_mode: None,
        }),
        ..Volume::default()
    }
}

fn certificates(shape: &Shape<'_>) -> Volume {
    Volume {
        name: Vol::Ca.name(),
        config_map: Some(ConfigMapVolumeSource {
            name: shape.surroundings.instance.ca_config_map.clone(),
            items: Some(vec![item(names::CA_KEY, "ca.crt")]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}
