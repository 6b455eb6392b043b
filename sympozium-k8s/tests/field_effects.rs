//! Each field that the conversion is said to read changes what comes out: objects that say everything are converted,
//! one value is changed, and the result must differ.
#![cfg(feature = "yaml")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{PolicyName, PolicyOrigin};
use sympozium_k8s::convert::{self, ConfigMapSkills, KeySecret, PackEntry, PlanInputs};
use sympozium_k8s::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance, SympoziumPolicySpec};

/// A run with instance, pack and policy, which say everything.
const OBJECTS: &str = include_str!("everything.yaml");

/// One of each kind, as a map from kind to spec.
#[derive(Clone)]
struct Objects {
    run: Value,
    instance: Value,
    pack: Value,
    policy: Value,
}

/// The objects as they are, and as they are when less is said, so that what is left out is looked for elsewhere.
fn scenarios() -> Vec<Objects> {
    let all: Vec<Value> = serde_saphyr::from_multiple(OBJECTS).unwrap();
    let spec = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap()["spec"].clone();
    let whole = Objects {
        run: spec("AgentRun"),
        instance: spec("SympoziumInstance"),
        pack: spec("SkillPack"),
        policy: spec("SympoziumPolicy"),
    };
    let run = |more: Value| {
        let mut run = json!({"instanceRef": "me", "task": "Say hello."});
        run.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        run
    };
    let mut modest = whole.clone();
    modest.pack["runtimeRequirements"]["sandbox"] = json!(false);
    modest.pack["sidecar"]
        .as_object_mut()
        .unwrap()
        .remove("resources");
    modest.instance["agents"]["default"]
        .as_object_mut()
        .unwrap()
        .remove("baseURL");
    let with = |run: Value, rest: &Objects| Objects { run, ..rest.clone() };
    vec![
        with(run(json!({})), &whole),
        with(run(json!({"model": {"provider": "ollama"}})), &whole),
        with(run(json!({"model": {"provider": "openai"}})), &modest),
        with(run(json!({"model": {"provider": "anthropic"}})), &modest),
        with(
            run(json!({"model": {"authSecretRef": "key"}, "sandbox": {"enabled": true}})),
            &modest,
        ),
        whole,
    ]
}

/// Where the spec of one kind is.
type Part = fn(&mut Objects) -> &mut Value;

/// What becomes of the objects, as text; `None` when a value does not even fit its field.
fn outcome(objects: &Objects) -> Option<Result<String, String>> {
    let object = |kind: &str, name: &str, spec: &Value| json!({"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let run: AgentRun = serde_json::from_value(object("AgentRun", "hello", &objects.run)).ok()?;
    let instance = object("SympoziumInstance", "me", &objects.instance);
    let instance: SympoziumInstance = serde_json::from_value(instance).ok()?;
    let pack: SkillPack = serde_json::from_value(object("SkillPack", "counting", &objects.pack)).ok()?;
    let policy: SympoziumPolicySpec = serde_json::from_value(objects.policy.clone()).ok()?;
    Some(convert(&run, &instance, &pack, &policy).map_err(|error| error.to_string()))
}

fn convert(
    run: &AgentRun,
    instance: &SympoziumInstance,
    pack: &SkillPack,
    policy: &SympoziumPolicySpec,
) -> Result<String, convert::InvalidObjects> {
    let reading = convert::policy(policy, PolicyName("p".to_owned()), PolicyOrigin::InstallWide)?;
    let secret = |name: &str, url: &str| KeySecret {
        name: name.to_owned(),
        base_url: Some(url.to_owned()),
    };
    let other = SkillPack::new("other", pack.spec.clone());
    let plan = convert::plan(&PlanInputs {
        run,
        uid: RunUid("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap()),
        namespace: &Namespace::new("local").unwrap(),
        instance,
        policies: std::slice::from_ref(&reading.policy),
        packs: &[pack, &other].map(|pack| PackEntry { pack, builtin: false }),
        config_maps: &["notes", "other"].map(|name| ConfigMapSkills {
            name: name.to_owned(),
            data: [("a.md".to_owned(), "A".to_owned())].into(),
        }),
        secrets: Some(&[
            secret("key", "https://one.example"),
            secret("other", "https://two.example"),
        ]),
    })?;
    Ok(format!("{plan:#?}\n{:#?}", reading.notes))
}

/// Other values of the same shape.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(given) => vec![json!(!given)],
        Value::Number(number) => match number.as_i64() {
            Some(whole) => vec![json!(whole + 1), json!(whole - 1)],
            None => vec![json!(number.as_f64().unwrap() + 1.0)],
        },
        Value::String(text) => [
            format!("{text}x"),
            format!("{text}-x"),
            // Of the closed sets and amounts.
            "ask".into(),
            "deny".into(),
            "low".into(),
            "high".into(),
            "delete".into(),
            "7m".into(),
            "9".into(),
            // Of things that are there.
            "key".into(),
            "other".into(),
            "https://one.example".into(),
            "https://two.example".into(),
        ]
        .into_iter()
        .filter(|other| other != text)
        .map(Value::String)
        .collect(),
        Value::Null | Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// The JSON pointers of all values below.
fn leaves(pointer: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                leaves(
                    &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")),
                    below,
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                leaves(&format!("{pointer}/{index}"), below, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(pointer.to_owned()),
    }
}

/// Fields that only refuse: a value either is the one that is possible, or an error.
const ONLY_REFUSE: &[&str] = &[
    "AgentRun/instanceRef",
    // Only the instance's and the Secret's address can be named here.
    "AgentRun/model/baseURL",
    "AgentRun/sandbox/securityContext/readOnlyRootFilesystem",
    "AgentRun/sandbox/securityContext/runAsNonRoot",
    "SkillPack/sidecar/tools/0/parameters/type",
];

/// Values of `everything.yaml` that other parts read than the conversion.
const OF_OTHERS: &[&str] = &[
    "AgentRun/sandbox/securityContext/capabilities/drop/0",
    "AgentRun/sandbox/securityContext/seccompProfile/type",
    "SympoziumInstance/policyRef",
];

#[test]
fn each_field_that_the_conversion_reads_changes_what_comes_out() {
    let bases = scenarios();
    let before: Vec<String> = bases.iter().map(|base| outcome(base).unwrap().unwrap()).collect();
    let mut silent = BTreeSet::new();
    let kinds: [(&str, Part); 4] = [
        ("AgentRun", |objects| &mut objects.run),
        ("SympoziumInstance", |objects| &mut objects.instance),
        ("SkillPack", |objects| &mut objects.pack),
        ("SympoziumPolicy", |objects| &mut objects.policy),
    ];
    for (kind, of) in kinds {
        let mut pointers = Vec::new();
        leaves("", of(&mut bases.last().unwrap().clone()), &mut pointers);
        for pointer in pointers {
            let effect = |base: &Objects, before: &String| {
                let value = of(&mut base.clone()).pointer(&pointer).cloned();
                others(&value.unwrap_or_default())
                    .into_iter()
                    .filter_map(|other| {
                        let mut changed = base.clone();
                        *of(&mut changed).pointer_mut(&pointer)? = other;
                        outcome(&changed)
                    })
                    .any(|after| match after {
                        Ok(after) => after != *before,
                        Err(_) => ONLY_REFUSE.contains(&format!("{kind}{pointer}").as_str()),
                    })
            };
            if !bases
                .iter()
                .zip(&before)
                .any(|(base, before)| effect(base, before))
            {
                silent.insert(format!("{kind}{pointer}"));
            }
        }
    }
    let expected: BTreeSet<String> = OF_OTHERS.iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(silent, expected, "these values change nothing");
}

#[test]
fn the_objects_say_everything_that_the_conversion_reads() {
    let objects = scenarios().pop().unwrap();
    for (kind, spec, elsewhere) in [
        ("AgentRun", &objects.run, &["cancel"][..]),
        (
            "SympoziumInstance",
            &objects.instance,
            &["channels", "podTemplate", "targetNamespaces"],
        ),
        ("SkillPack", &objects.pack, &["source", "version"]),
        ("SympoziumPolicy", &objects.policy, &[]),
    ] {
        let crd = sympozium_k8s::crd::all()
            .into_iter()
            .find(|crd| crd.spec.names.kind == kind)
            .unwrap();
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut missing = Vec::new();
        unsaid("", schema, spec, &mut missing);
        missing.retain(|path| {
            !elsewhere
                .iter()
                .any(|start| path.starts_with(&format!(".{start}")))
        });
        assert_eq!(missing, [""; 0], "{kind}");
    }
}

/// The fields of a schema that an object leaves out.
fn unsaid(path: &str, schema: &Value, value: &Value, missing: &mut Vec<String>) {
    if value.is_null() {
        missing.push(path.to_owned());
    } else if let Some(properties) = schema["properties"].as_object() {
        for (name, below) in properties {
            unsaid(&format!("{path}.{name}"), below, &value[name], missing);
        }
    } else if schema["items"].is_object() && value.as_array().is_some_and(|items| !items.is_empty()) {
        // What one entry of a list says, another need not.
        let entries = value.as_array().unwrap().iter().map(|entry| {
            let mut missing = Vec::new();
            unsaid(path, &schema["items"], entry, &mut missing);
            missing.into_iter().collect::<BTreeSet<_>>()
        });
        let in_all = entries.reduce(|one, other| &one & &other);
        missing.extend(in_all.unwrap_or_default());
    }
}
