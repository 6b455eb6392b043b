//! A skill's documents as ConfigMaps, where its runs are.
//!
//! Pure. A pod can mount ConfigMaps of its own namespace only, so that the packs of other namespaces are mirrored. The
//! mirror belongs to those who use the pack there, not to one run.

use super::names::{self, Component, metadata, skill_config_map};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::{BTreeMap, BTreeSet};
use sympozium_core::ids::Namespace;
use sympozium_core::skill::Skill;

/// The most bytes of documents in one ConfigMap. Kubernetes takes 1 MiB, keys included; etcd a little more with all that
/// is said about the object.
const MAX_BYTES: usize = 900 * 1024;

/// The ConfigMaps of a skill, in their order: `<document>.md` each. A document that is too long for one has further
/// parts, `<document>.2.md` and so on, cut at the ends of lines. A skill without documents has none.
///
/// `owners` are those who use it in that namespace; when the last of them goes, so do the ConfigMaps. None of them may
/// claim to be its controller: there are several.
pub fn config_maps(skill: &Skill, namespace: &Namespace, owners: &[OwnerReference]) -> Vec<ConfigMap> {
    let owners: Vec<_> = owners
        .iter()
        .map(|owner| OwnerReference {
            controller: None,
            block_owner_deletion: None,
            ..owner.clone()
        })
        .collect();
    let labels = names::labels([
        (names::COMPONENT, Component::SkillMirror.as_str()),
        (names::SKILL, skill.pack.as_str()),
        (names::MANAGED_BY, names::SYMPOZIUM),
    ]);
    let packed = pack(files(skill), MAX_BYTES).into_iter().enumerate();
    packed
        .map(|(number, files)| ConfigMap {
            metadata: metadata(
                skill_config_map(&skill.pack, skill.builtin, number),
                Some(namespace.as_str()),
                labels.clone(),
                owners.clone(),
            ),
            data: Some(files.into_iter().collect()),
            ..ConfigMap::default()
        })
        .collect()
}

/// How many ConfigMaps a skill has.
pub fn number_of_config_maps(skill: &Skill) -> usize {
    pack(files(skill), MAX_BYTES).len()
}

/// File names and contents, none longer than fits.
fn files(skill: &Skill) -> Vec<(String, String)> {
    let mut taken: BTreeSet<String> = skill
        .documents
        .iter()
        .map(|document| file_name(&document.name))
        .collect();
    let mut files = Vec::new();
    for document in &skill.documents {
        let mut number = 1;
        let mut name = file_name(&document.name);
        for part in parts(&document.content, MAX_BYTES - 512) {
            files.push((name.clone(), part.to_owned()));
            while taken.contains(&name) {
                number += 1;
                name = file_name(&format!("{}.{number}", document.name));
            }
            taken.insert(name.clone());
        }
    }
    files
}

fn file_name(document: &str) -> String {
    format!("{document}.md")
}

/// Cuts a text into pieces of at most `most` bytes: behind the end of a line where there is one, else between characters.
fn parts(mut text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > most {
        let end = (1..=most).rev().find(|&at| text.is_char_boundary(at));
        let head = end.and_then(|end| text.get(..end)).unwrap_or(text);
        let cut = head.rfind('\n').map_or(head.len(), |line| line + 1);
        let Some((part, rest)) = text.split_at_checked(cut).filter(|_| cut > 0) else {
            break;
        };
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

/// Puts files together, in their order, as many as fit.
fn pack(files: Vec<(String, String)>, most: usize) -> Vec<BTreeMap<String, String>> {
    let mut packed: Vec<BTreeMap<String, String>> = Vec::new();
    let mut room = 0;
    for (name, content) in files {
        let size = name.len() + content.len();
        if packed.is_empty() || size > room {
            packed.push(BTreeMap::new());
            room = most;
        }
        room = room.saturating_sub(size);
        if let Some(last) = packed.last_mut() {
            last.insert(name, content);
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sympozium_core::ids::PackName;
    use sympozium_core::skill::SkillDocument;

    fn skill(documents: &[(&str, String)]) -> Skill {
        Skill {
            pack: PackName::new("notes").unwrap(),
            builtin: true,
            category: None,
            documents: documents
                .iter()
                .map(|(name, content)| SkillDocument {
                    name: (*name).to_owned(),
                    description: None,
                    content: content.clone(),
                    requires_bins: Vec::new(),
                    requires_tools: Vec::new(),
                })
                .collect(),
            sidecar: None,
        }
    }

    fn made(skill: &Skill) -> Vec<ConfigMap> {
        config_maps(skill, &Namespace::new("team").unwrap(), &[])
    }

    #[test]
    fn small_documents_share_one_config_map() {
        let maps = made(&skill(&[("a", "A".to_owned()), ("b", "B".to_owned())]));
        assert_eq!(maps.len(), 1);
        assert_eq!(
            maps[0].metadata.name.as_deref(),
            Some("sympozium-skills.system.notes.0")
        );
        let data: Vec<_> = maps[0].data.as_ref().unwrap().iter().collect();
        assert_eq!(
            data,
            [
                (&"a.md".to_owned(), &"A".to_owned()),
                (&"b.md".to_owned(), &"B".to_owned())
            ]
        );
        assert!(made(&skill(&[])).is_empty());
    }

    #[test]
    fn what_is_longer_than_a_config_map_is_cut_at_lines_and_nothing_is_lost() {
        let line = "ä".repeat(500) + "\n";
        let long = line.repeat(2000);
        // The second document has the name that the first one's next part would have.
        let skill = skill(&[("long", long.clone()), ("long.2", "other".to_owned())]);
        let maps = made(&skill);
        assert_eq!(maps.len(), number_of_config_maps(&skill));
        assert_eq!(maps.len(), 3);
        let mut files = BTreeMap::new();
        for map in &maps {
            let data = map.data.clone().unwrap();
            let size: usize = data.iter().map(|(key, text)| key.len() + text.len()).sum();
            assert!(size <= 1 << 20, "{size}");
            files.extend(data);
        }
        let parts = ["long.md", "long.3.md", "long.4.md"].map(|name| files.remove(name).unwrap());
        assert!(parts.iter().all(|part| part.ends_with('\n')));
        assert_eq!(parts.concat(), long);
        assert_eq!(
            files.into_iter().collect::<Vec<_>>(),
            [("long.2.md".to_owned(), "other".to_owned())]
        );
    }

    #[test]
    fn users_own_it_together_and_nobody_controls_it() {
        let owner = |name: &str| names::owned_by::<crate::crd::v1alpha1::SympoziumInstance>(name, "u");
        let maps = config_maps(
            &skill(&[("a", "A".to_owned())]),
            &Namespace::new("team").unwrap(),
            &[owner("one"), owner("two")],
        );
        let owners = maps[0].metadata.owner_references.clone().unwrap();
        assert_eq!(owners.len(), 2);
        assert!(owners.iter().all(|owner| owner.controller.is_none()));
    }

    proptest! {
        #[test]
        fn parts_are_short_and_together_the_text(text in "[a\nä]{0,60}", most in 4..9usize) {
            let cut = parts(&text, most);
            prop_assert!(cut.iter().all(|part| part.len() <= most));
            prop_assert_eq!(cut.concat(), text);
        }
    }
}
