//! Finds what a run's or instance's references to skills name.
//!
//! Pure. Entry: [`Shelf::find`].

use super::problem::Findings;
use crate::crd::v1alpha1::{SkillPack, SkillRefSpec};
use std::collections::BTreeMap;
use sympozium_core::ids::PackName;
use sympozium_core::skill::{Skill, SkillDocument};

/// A pack that runs may name.
#[derive(Debug, Clone, Copy)]
pub struct PackEntry<'a> {
    /// The pack.
    pub pack: &'a SkillPack,
    /// Whether it is a built-in one (`system/<name>`).
    pub builtin: bool,
}

/// A ConfigMap that runs may name as skills.
#[derive(Debug, Clone)]
pub struct ConfigMapSkills {
    /// Its name.
    pub name: String,
    /// Its data; keys that end in `.md` are skills.
    pub data: BTreeMap<String, String>,
}

/// What a reference of a run or instance can mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf<'a> {
    pub(super) packs: &'a [PackEntry<'a>],
    pub(super) config_maps: &'a [ConfigMapSkills],
}

/// A reference that was found.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Pack(PackEntry<'a>),
    ConfigMap(Box<Skill>),
}

impl<'a> Shelf<'a> {
    /// Finds what a reference names; a bare name means the built-in pack of that name first.
    pub(super) fn find(
        &self,
        path: &str,
        reference: &SkillRefSpec,
        findings: &mut Findings,
    ) -> Option<Found<'a>> {
        match (&reference.skill_pack_ref, &reference.config_map_ref) {
            (Some(pack), None) => self
                .pack(&format!("{path}.skillPackRef"), pack, findings)
                .map(Found::Pack),
            (None, Some(map)) => self
                .config_map(&format!("{path}.configMapRef"), map, findings)
                .map(|skill| Found::ConfigMap(Box::new(skill))),
            (Some(_), Some(_)) | (None, None) => {
                findings.add(path, "give either skillPackRef or configMapRef");
                None
            }
        }
    }

    fn pack(&self, path: &str, reference: &str, findings: &mut Findings) -> Option<PackEntry<'a>> {
        let named = |builtin: bool, name: &str| {
            self.packs
                .iter()
                .find(|entry| entry.builtin == builtin && entry.pack.metadata.name.as_deref() == Some(name))
                .copied()
        };
        let found = match reference.strip_prefix("system/") {
            Some(name) => named(true, name),
            None => named(true, reference).or_else(|| named(false, reference)),
        };
        if found.is_none() {
            findings.add(path, format_args!("there is no SkillPack {reference:?}"));
        }
        found
    }

    fn config_map(&self, path: &str, name: &str, findings: &mut Findings) -> Option<Skill> {
        let Some(map) = self.config_maps.iter().find(|map| map.name == name) else {
            findings.add(path, format_args!("there is no ConfigMap {name:?}"));
            return None;
        };
        let pack = findings.take(path, PackName::new(name))?;
        let documents: Vec<_> = map
            .data
            .iter()
            .filter_map(|(key, text)| markdown(key, text))
            .collect();
        if documents.is_empty() {
            findings.add(
                path,
                format_args!("ConfigMap {name:?} has no key that ends in .md"),
            );
        }
        Some(Skill {
            pack,
            builtin: false,
            category: None,
            documents,
            sidecar: None,
        })
    }
}

fn markdown(key: &str, content: &str) -> Option<SkillDocument> {
    Some(SkillDocument {
        name: key.strip_suffix(".md")?.to_owned(),
        description: None,
        content: content.to_owned(),
        requires_bins: Vec::new(),
        requires_tools: Vec::new(),
    })
}
