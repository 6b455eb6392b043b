//! The objects of all files together.

use super::super::failure::Failure;
use super::files::texts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::path::PathBuf;
use sympozium_k8s::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicy};
use sympozium_k8s::documents::{Document, Secret, parse};

/// An object, and the file that it stands in.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Given<T> {
    /// The file, as the person named it.
    pub(in crate::cli) file: String,
    /// The object.
    pub(in crate::cli) object: T,
}

/// Objects by kind, in the order of files and documents.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Objects {
    /// Runs.
    pub(in crate::cli) runs: Vec<Given<AgentRun>>,
    /// Instances.
    pub(in crate::cli) instances: Vec<Given<SympoziumInstance>>,
    /// Policies.
    pub(in crate::cli) policies: Vec<Given<SympoziumPolicy>>,
    /// Packs.
    pub(in crate::cli) packs: Vec<Given<SkillPack>>,
    /// Secrets.
    pub(in crate::cli) secrets: Vec<Given<Secret>>,
    /// Names of schedules: nothing runs them here, which people should know.
    pub(in crate::cli) schedules: Vec<String>,
    /// Kind, namespace and name of everything, with its file.
    seen: Vec<(String, String)>,
}

/// The name of an object that has one; [`Objects`] holds no other.
pub(in crate::cli) fn name_of(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

/// Whether an object can be one of this namespace: it names it, or none.
pub(in crate::cli) fn in_namespace(metadata: &ObjectMeta, namespace: &str) -> bool {
    metadata.namespace.as_deref().is_none_or(|own| own == namespace)
}

impl Objects {
    /// Reads all files that `paths` stand for.
    pub(in crate::cli) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut objects = Self::default();
        for (file, text) in texts(paths)? {
            objects.add(&file, &text)?;
        }
        Ok(objects)
    }

    /// Adds the objects of a file's text. Pure.
    pub(in crate::cli) fn add(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        let documents = parse(file, text).map_err(|error| Failure::input(format!("{error}.")))?;
        if documents.is_empty() {
            return Err(Failure::input(format!("{file}: there is no object in the file.")));
        }
        documents
            .into_iter()
            .try_for_each(|document| self.take(file, document))
    }

    fn take(&mut self, file: &str, document: Document) -> Result<(), Failure> {
        match document {
            Document::AgentRun(mut run) => {
                name_generated(&mut run.metadata);
                self.note("AgentRun", &run.metadata, file)?;
                self.runs.push(given(file, *run));
            }
            Document::Instance(instance) => {
                self.note("SympoziumInstance", &instance.metadata, file)?;
                self.instances.push(given(file, *instance));
            }
            Document::Policy(policy) => {
                self.note("SympoziumPolicy", &policy.metadata, file)?;
                self.policies.push(given(file, *policy));
            }
            Document::SkillPack(pack) => {
                self.note("SkillPack", &pack.metadata, file)?;
                self.packs.push(given(file, *pack));
            }
            Document::Secret(secret) => {
                self.note("Secret", &secret.metadata, file)?;
                self.secrets.push(given(file, *secret));
            }
            Document::Schedule(schedule) => {
                self.note("SympoziumSchedule", &schedule.metadata, file)?;
                self.schedules.push(name_of(&schedule.metadata).to_owned());
            }
            // A kind that the library reads and this program does not know yet.
            other => {
                return Err(Failure::input(format!(
                    "{file}: this program can't use {other:?} yet."
                )));
            }
        }
        Ok(())
    }

    /// Refuses objects without a name, and a second one of the same name.
    fn note(&mut self, kind: &str, metadata: &ObjectMeta, file: &str) -> Result<(), Failure> {
        if name_of(metadata).is_empty() {
            return Err(Failure::input(format!(
                "{file}: there is a {kind} without metadata.name."
            )));
        }
        let namespace = metadata
            .namespace
            .as_deref()
            .map(|namespace| format!("{namespace}/"))
            .unwrap_or_default();
        let identity = format!("{kind} {namespace}{}", name_of(metadata));
        if let Some((_, before)) = self.seen.iter().find(|(known, _)| *known == identity) {
            return Err(Failure::input(format!(
                "{file}: {identity} is there already, in {before}."
            )));
        }
        self.seen.push((identity, file.to_owned()));
        Ok(())
    }
}

fn given<T>(file: &str, object: T) -> Given<T> {
    Given {
        file: file.to_owned(),
        object,
    }
}

/// What the API server does with `generateName`.
fn name_generated(metadata: &mut ObjectMeta) {
    let (None, Some(prefix)) = (&metadata.name, &metadata.generate_name) else {
        return;
    };
    let random = uuid::Uuid::new_v4().simple().to_string();
    let suffix: String = random.chars().take(5).collect();
    metadata.name = Some(format!("{prefix}{suffix}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Result<Objects, String> {
        let mut objects = Objects::default();
        for (file, text) in files {
            objects.add(file, text).map_err(|failure| failure.to_string())?;
        }
        Ok(objects)
    }

    const PACK: &str = "apiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: p}\n\
                        spec: {skills: [{name: a, content: x}]}\n";

    #[test]
    fn the_same_object_twice_is_refused_naming_both_files() {
        let message = of(&[("a.yaml", PACK), ("b.yaml", PACK)]).unwrap_err();
        assert_eq!(message, "b.yaml: SkillPack p is there already, in a.yaml.");
        let elsewhere = PACK.replace("name: p}", "name: p, namespace: n}");
        assert_eq!(
            of(&[("a.yaml", PACK), ("b.yaml", &elsewhere)])
                .unwrap()
                .packs
                .len(),
            2
        );
    }

    #[test]
    fn a_file_without_objects_and_objects_without_a_name_are_refused() {
        assert!(
            of(&[("a.yaml", "# nothing\n")])
                .unwrap_err()
                .contains("no object")
        );
        let nameless = PACK.replace("{name: p}", "{}");
        assert!(
            of(&[("a.yaml", &nameless)])
                .unwrap_err()
                .contains("without metadata.name")
        );
    }

    #[test]
    fn a_generated_name_begins_as_wished_and_is_new_each_time() {
        let text = "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {generateName: job-}\n\
                    spec: {instanceRef: me, task: t}\n";
        let objects = of(&[("a.yaml", text), ("b.yaml", text)]).unwrap();
        let names: Vec<_> = objects
            .runs
            .iter()
            .map(|run| name_of(&run.object.metadata))
            .collect();
        assert!(
            names
                .iter()
                .all(|name| name.starts_with("job-") && name.len() == 9)
        );
        assert_ne!(names.first(), names.last());
    }

    #[test]
    fn wrong_yaml_is_told_with_line_and_column() {
        let message = of(&[("a.yaml", &PACK.replace("skills", "skils"))]).unwrap_err();
        assert!(message.starts_with("a.yaml:4:"), "{message}");
        assert!(message.contains("skils"), "{message}");
    }
}
