//! The objects of a text, and what they come to.

use std::collections::BTreeMap;
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin};
use sympozium_core::run::RunPlan;
use sympozium_k8s::convert::{self, ConfigMapSkills, InvalidObjects, KeySecret, PackEntry, PlanInputs};
use sympozium_k8s::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance};
use sympozium_k8s::documents::{Document, parse};

/// An instance with a key, a run, and packs; cases replace parts of the text.
pub(crate) const BASE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: key}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: me}
spec:
  authRefs: [{provider: openai, secret: key}]
  agents: {default: {model: gpt-4o-mini}}
  # instance
---
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: counting}
spec:
  skills: [{name: counting, content: Count.}]
  # pack
---
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: hello}
spec:
  instanceRef: me
  task: Say hello.
  # run
";

/// What stands in a file.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) run: Option<AgentRun>,
    pub(crate) instance: Option<SympoziumInstance>,
    pub(crate) packs: Vec<SkillPack>,
    pub(crate) secrets: Vec<KeySecret>,
}

pub(crate) fn objects(text: &str) -> Objects {
    let mut found = Objects::default();
    for document in parse("f.yaml", text).unwrap_or_else(|e| panic!("{e}\n{text}")) {
        match document {
            Document::AgentRun(run) => found.run = Some(*run),
            Document::Instance(instance) => found.instance = Some(*instance),
            Document::SkillPack(pack) => found.packs.push(*pack),
            Document::Secret(secret) => found.secrets.push(KeySecret {
                base_url: secret.base_url().map(str::to_owned),
                name: secret.metadata.name.unwrap(),
            }),
            Document::Policy(_) => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

pub(crate) fn plan_of(text: &str) -> Result<RunPlan, InvalidObjects> {
    let found = objects(text);
    // Packs whose category is `builtin` play the built-in ones.
    let packs: Vec<_> = found
        .packs
        .iter()
        .map(|pack| PackEntry {
            pack,
            builtin: pack.spec.category.as_deref() == Some("builtin"),
        })
        .collect();
    let notes = ConfigMapSkills {
        name: "notes".to_owned(),
        data: BTreeMap::from([
            ("a.md".to_owned(), "A".to_owned()),
            ("b.txt".to_owned(), "B".to_owned()),
        ]),
    };
    convert::plan(&PlanInputs {
        run: &found.run.unwrap(),
        uid: RunUid("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap()),
        namespace: &Namespace::new("local").unwrap(),
        instance: &found.instance.unwrap(),
        policies: &[Policy::local_default()],
        packs: &packs,
        config_maps: &[notes],
        secrets: Some(&found.secrets),
    })
}

/// The base text with lines put in at the markers `# instance`, `# pack` and `# run`.
pub(crate) fn with(changes: &[(&str, &str)]) -> String {
    let mut text = BASE.to_owned();
    for (place, lines) in changes {
        text = text.replace(&format!("  # {place}\n"), &format!("{lines}\n"));
    }
    text
}

/// Checks all problems, in order, as `path: message`.
pub(crate) fn check(text: &str, expected: &[&str]) {
    let said = match plan_of(text) {
        Ok(_) => Vec::new(),
        Err(error) => error
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.path, p.message))
            .collect(),
    };
    assert_eq!(said, expected, "{text}");
}

pub(crate) fn policy(spec: &str, origin: PolicyOrigin) -> Result<convert::PolicyReading, InvalidObjects> {
    let spec = serde_saphyr::from_str(spec).unwrap();
    convert::policy(&spec, PolicyName("p".to_owned()), origin)
}
