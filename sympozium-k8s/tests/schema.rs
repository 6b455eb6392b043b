//! What the API server sees of the definitions.
#![cfg(feature = "yaml")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};
use sympozium_k8s::crd;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name)
}

/// Every schema node of every kind with its path, from `spec` and `status` down.
fn nodes() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for crd in crd::all() {
        let crd = serde_json::to_value(crd).unwrap();
        let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        collect(crd["spec"]["names"]["kind"].as_str().unwrap(), root, &mut found);
    }
    found
}

fn collect(path: &str, node: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), node.clone()));
    for (name, below) in node["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), below, found);
    }
    if node["items"].is_object() {
        collect(&format!("{path}[]"), &node["items"], found);
    }
    if node["additionalProperties"].is_object() {
        collect(&format!("{path}{{}}"), &node["additionalProperties"], found);
    }
}

/// Reports all nodes of which `wrong` says something.
fn check(wrong: impl Fn(&str, &Value) -> Option<String>) {
    let all: Vec<_> = nodes()
        .iter()
        .filter_map(|(path, node)| wrong(path, node).map(|what| format!("{path}: {what}")))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_schema_is_structural() {
    check(|_, node| {
        let typed = node["type"].is_string() || node["x-kubernetes-int-or-string"] == true;
        if !typed {
            return Some("has no type".to_owned());
        }
        ["oneOf", "anyOf", "allOf", "not", "$ref", "nullable", "const"]
            .into_iter()
            .find(|key| !node[key].is_null())
            .map(|key| format!("has {key}"))
    });
    check(|_, node| {
        (node["additionalProperties"].is_boolean()).then(|| "additionalProperties is a boolean".to_owned())
    });
    check(|path, node| {
        let open = node["x-kubernetes-preserve-unknown-fields"] == true;
        (open && path != "SkillPack.spec.sidecar.tools[].parameters")
            .then(|| "takes unknown fields".to_owned())
    });
}

#[test]
fn every_property_is_described() {
    check(|path, node| {
        let is_property = path.contains('.') && !path.ends_with("[]") && !path.ends_with("{}");
        let text = node["description"].as_str().unwrap_or_default();
        (is_property && (text.len() < 8 || text.contains('\n'))).then(|| format!("description {text:?}"))
    });
}

#[test]
fn everything_in_a_spec_is_bounded() {
    check(|path, node| {
        if !path.contains(".spec.") {
            return None;
        }
        let missing = |keys: &[&str]| keys.iter().all(|key| node[key].is_null());
        let wrong = match node["type"].as_str() {
            Some("string") => missing(&["maxLength", "enum", "format"]),
            Some("array") => missing(&["maxItems"]),
            Some("integer" | "number") => missing(&["maximum"]) || missing(&["minimum"]),
            Some("object") => !node["additionalProperties"].is_null() && missing(&["maxProperties"]),
            _ => false,
        };
        wrong.then(|| "has no bound".to_owned())
    });
}

#[test]
fn closed_sets_are_enums() {
    let found: BTreeMap<String, Vec<String>> = nodes()
        .into_iter()
        .filter(|(_, node)| node["enum"].is_array())
        .map(|(path, node)| {
            let values = node["enum"].as_array().unwrap();
            (
                path,
                values.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
            )
        })
        .collect();
    let actions = "allow ask deny";
    let channels = "telegram whatsapp discord slack";
    let thinking = "off low medium high";
    let expected: BTreeMap<String, Vec<String>> = [
        ("AgentRun.spec.cleanup", "delete keep"),
        ("AgentRun.spec.model.thinking", thinking),
        (
            "AgentRun.spec.sandbox.securityContext.seccompProfile.type",
            "RuntimeDefault",
        ),
        (
            "AgentRun.status.phase",
            "Pending Queued Running AwaitingApproval Succeeded Failed Cancelled",
        ),
        ("SkillPack.status.phase", "Ready Error"),
        ("SympoziumInstance.spec.agents.default.thinking", thinking),
        ("SympoziumInstance.spec.channels[].type", channels),
        (
            "SympoziumInstance.spec.podTemplate.tolerations[].effect",
            "NoSchedule PreferNoSchedule NoExecute",
        ),
        (
            "SympoziumInstance.spec.podTemplate.tolerations[].operator",
            "Exists Equal",
        ),
        (
            "SympoziumInstance.status.channels[].status",
            "Pending Connected Disconnected Error",
        ),
        ("SympoziumInstance.status.channels[].type", channels),
        ("SympoziumInstance.status.phase", "Pending Running Error"),
        ("SympoziumPolicy.spec.toolGating.defaultAction", actions),
        ("SympoziumPolicy.spec.toolGating.rules[].action", actions),
        ("SympoziumSchedule.spec.concurrencyPolicy", "Forbid Allow Replace"),
        ("SympoziumSchedule.spec.deliverTo.channel", channels),
        ("SympoziumSchedule.spec.type", "heartbeat scheduled sweep"),
        ("SympoziumSchedule.status.phase", "Active Suspended Error"),
    ]
    .into_iter()
    .map(|(path, values)| (path.to_owned(), values.split(' ').map(str::to_owned).collect()))
    .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_schedule_has_five_fields_or_is_one_of_the_named_ones() {
    let nodes = nodes();
    let (_, field) = nodes
        .iter()
        .find(|(path, _)| path == "SympoziumSchedule.spec.schedule")
        .unwrap();
    let pattern = regex::Regex::new(field["pattern"].as_str().unwrap()).unwrap();
    for (text, fits) in [
        ("30 8 * * MON-FRI", true),
        ("*/5 0-6 1,15 JAN-MAR 7", true),
        ("@daily", true),
        ("0 8 * *", false),
        ("0 0 8 * * *", false),
        ("not a cron", false),
        ("@sometimes", false),
        ("@daily please", false),
        ("", false),
    ] {
        assert_eq!(pattern.is_match(text), fits, "{text:?}");
    }
}

#[test]
fn the_definitions_are_named_as_kubectl_users_know_them() {
    let found: Vec<_> = crd::all()
        .into_iter()
        .map(|crd| {
            let version = &crd.spec.versions[0];
            assert_eq!(
                (crd.spec.scope.as_str(), version.name.as_str()),
                ("Namespaced", crd::VERSION)
            );
            assert!(version.subresources.as_ref().unwrap().status.is_some());
            assert_eq!(crd.spec.names.categories, Some(vec!["sympozium".to_owned()]));
            let selectable: Vec<_> = version
                .selectable_fields
                .iter()
                .flatten()
                .map(|f| f.json_path.clone())
                .collect();
            (
                crd.spec.names.kind,
                crd.spec.names.plural,
                crd.spec.names.short_names.unwrap().join(","),
                selectable.join(","),
            )
        })
        .collect();
    let expected = [
        ("AgentRun", "agentruns", "run", ".status.phase,.spec.instanceRef"),
        ("SkillPack", "skillpacks", "skill", ""),
        ("SympoziumInstance", "sympoziuminstances", "inst", ""),
        ("SympoziumPolicy", "sympoziumpolicies", "spol", ""),
        ("SympoziumSchedule", "sympoziumschedules", "sched", ""),
    ]
    .map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn every_field_of_a_run_has_a_rule_against_change() {
    let nodes = nodes();
    let (_, spec) = nodes.iter().find(|(path, _)| path == "AgentRun.spec").unwrap();
    let rules: Vec<_> = spec["x-kubernetes-validations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            rule["fieldPath"]
                .as_str()
                .unwrap()
                .trim_start_matches('.')
                .to_owned()
        })
        .collect();
    let fields: Vec<_> = spec["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(rules, fields);
}

#[test]
fn the_definitions_in_the_repository_are_current() {
    let rendered: BTreeMap<_, _> = crd::yaml().unwrap().into_iter().collect();
    let mut stored = BTreeMap::new();
    for entry in fs::read_dir(folder("crd")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        stored.insert(name, fs::read_to_string(entry.path()).unwrap());
    }
    assert!(
        stored == rendered,
        "config/crd is stale: run `cargo xtask manifests`"
    );
}

#[test]
fn the_page_of_fields_is_current_and_has_a_line_for_each() {
    let page = crd::reference();
    for (path, node) in nodes() {
        let Some((_, field)) = path.split_once('.') else {
            continue;
        };
        let is_field = field.contains('.') && !field.ends_with("[]") && !field.ends_with("{}");
        // What stands below a map or a list of Kubernetes' own conditions is not ours to explain.
        if is_field && !field.contains("{}.") {
            let line = format!("| `{field}` | ");
            assert!(page.contains(&line), "{path} {node}");
        }
    }
    let stored = folder("../docs/reference/custom-resources.md");
    assert!(
        fs::read_to_string(stored).unwrap_or_default() == page,
        "docs/reference is stale: run `cargo xtask manifests`"
    );
}

#[test]
fn rendered_definitions_read_back_equal() {
    for (crd, (name, text)) in crd::all().into_iter().zip(crd::yaml().unwrap()) {
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, serde_json::to_value(crd).unwrap(), "{name}");
    }
}

#[test]
fn every_sample_is_read() {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(folder("samples")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let documents = sympozium_k8s::documents::parse(&name, &fs::read_to_string(entry.path()).unwrap());
        kinds.insert(name, documents.unwrap_or_else(|e| panic!("{e}")).len());
    }
    let expected = [
        ("agent_run.yaml", 1),
        ("instance.yaml", 1),
        ("local_run.yaml", 5),
        ("policy.yaml", 1),
        ("schedule.yaml", 1),
        ("skill_pack.yaml", 1),
    ];
    assert_eq!(
        kinds,
        expected.map(|(name, count)| (name.to_owned(), count)).into()
    );
}
