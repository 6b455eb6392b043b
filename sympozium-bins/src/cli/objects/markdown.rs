//! `--skill`: SkillPacks from a manifest, a folder of Markdown files, or one such file.

use super::super::failure::Failure;
use super::files::{below, read_text};
use super::set::{Given, Objects};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::path::{Path, PathBuf};
use sympozium_k8s::crd::v1alpha1::{PackSkill, SkillPack, SkillPackSpec};

/// The packs that the paths stand for, in their order.
pub(in crate::cli) fn skill_packs(paths: &[PathBuf]) -> Result<Vec<Given<SkillPack>>, Failure> {
    let mut packs = Vec::new();
    for path in paths {
        if path.is_dir() {
            packs.push(pack_of(path, &below(path, &["md"])?)?);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            packs.push(pack_of(path, std::slice::from_ref(path))?);
        } else {
            packs.extend(of_manifest(path)?);
        }
    }
    Ok(packs)
}

fn of_manifest(path: &Path) -> Result<Vec<Given<SkillPack>>, Failure> {
    let objects = Objects::read(&[path.to_owned()])?;
    if objects.packs.is_empty() {
        return Err(Failure::input(format!(
            "{}: there is no SkillPack in the file.",
            path.display()
        )));
    }
    Ok(objects.packs)
}

fn pack_of(path: &Path, files: &[PathBuf]) -> Result<Given<SkillPack>, Failure> {
    if files.is_empty() {
        return Err(Failure::input(format!(
            "{}: the folder has no .md file to make a skill of.",
            path.display()
        )));
    }
    // `.` and `skills/..` have no name of their own before they are resolved.
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = resolved.file_stem().map(|stem| label(&stem.to_string_lossy()));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Failure::input(format!(
            "{}: no skill can be named after this path.",
            path.display()
        )));
    };
    let skills = files
        .iter()
        .map(|file| {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            Ok(PackSkill {
                name: label(&stem),
                description: None,
                content: read_text(file)?,
                requires: None,
            })
        })
        .collect::<Result<_, Failure>>()?;
    Ok(Given {
        file: path.display().to_string(),
        object: instructing(name, skills),
    })
}

/// A pack that only instructs.
fn instructing(name: String, skills: Vec<PackSkill>) -> SkillPack {
    SkillPack {
        metadata: ObjectMeta {
            name: Some(name),
            ..ObjectMeta::default()
        },
        spec: SkillPackSpec {
            skills,
            category: None,
            source: None,
            version: None,
            runtime_requirements: None,
            sidecar: None,
        },
        status: None,
    }
}

/// A name as Kubernetes wants it: what does not fit becomes a dash.
fn label(text: &str) -> String {
    let dashed: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    dashed.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_markdown_becomes_a_pack_of_its_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("Log Digest");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("b.md"), "Second.").unwrap();
        std::fs::write(folder.join("A_first.md"), "First.").unwrap();
        std::fs::write(folder.join("notes.txt"), "not a skill").unwrap();
        let packs = skill_packs(&[folder]).unwrap();
        let [pack] = &packs[..] else { panic!("{packs:?}") };
        assert_eq!(pack.object.metadata.name.as_deref(), Some("log-digest"));
        let skills: Vec<_> = pack
            .object
            .spec
            .skills
            .iter()
            .map(|skill| (skill.name.as_str(), skill.content.as_str()))
            .collect();
        assert_eq!(skills, [("a-first", "First."), ("b", "Second.")]);
    }

    #[test]
    fn what_holds_no_skill_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let policy = root.path().join("p.yaml");
        std::fs::write(
            &policy,
            "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumPolicy\nmetadata: {name: p}\nspec: {}\n",
        )
        .unwrap();
        for (path, expected) in [
            (root.path().to_owned(), "no .md file"),
            (policy, "no SkillPack"),
            (root.path().join("gone.md"), "can't be read"),
        ] {
            let message = skill_packs(&[path]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
