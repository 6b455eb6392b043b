//! The page that lists every field of every kind, written from the definitions.
//!
//! Pure. Entry: [`reference`].

use super::all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use std::fmt::Write;

const HEAD: &str = "\
# Custom resources

Written by `cargo xtask manifests` from the Rust types; do not edit.
`kubectl explain` says the same in a cluster, and `sympozium crds` prints the definitions.

All kinds are of `sympozium.ai/v1alpha1` and namespaced; `kubectl get sympozium` lists them.
An unknown field is an error that says where it stands.
";

/// The page, as Markdown: one table for `spec` and one for `status` of each kind.
pub fn reference() -> String {
    all().iter().fold(HEAD.to_owned(), |page, crd| page + &kind(crd))
}

fn kind(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    let short = names.short_names.as_deref().unwrap_or_default().join(", ");
    let version = crd.spec.versions.first();
    let schema = version.and_then(|version| version.schema.as_ref());
    let root = serde_json::to_value(schema.map(|schema| &schema.open_api_v3_schema)).unwrap_or_default();
    let mut text = format!(
        "\n## {}\n\n{}\n\nShort name: `{short}`.\n{}",
        names.kind,
        said(&root, "description"),
        rules(&root)
    );
    for part in ["spec", "status"] {
        let Some(schema) = below(&root, "properties").and_then(|properties| properties.get(part)) else {
            continue;
        };
        text += "\n| Field | Value | Meaning |\n| --- | --- | --- |\n";
        rows(part, schema, &mut text);
    }
    text
}

/// The rules about the object as a whole, a sentence each.
fn rules(schema: &Value) -> String {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    let sentence = |rule: &Value| {
        format!(
            "Its {}.\n",
            said(rule, "message").replace("metadata.name", "name")
        )
    };
    rules.into_iter().flatten().map(sentence).collect()
}

/// One row per field, fields of objects below their object.
fn rows(path: &str, schema: &Value, text: &mut String) {
    let required = schema.get("required").and_then(Value::as_array);
    let Some(properties) = below(schema, "properties") else {
        return;
    };
    for (name, field) in properties {
        let path = format!("{path}.{name}");
        let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
        let value = value(field) + if needed { ", required" } else { "" };
        let meaning = said(field, "description").replace('|', "\\|");
        // Writing to a text can't fail.
        let _ = writeln!(text, "| `{path}` | {value} | {meaning} |");
        match field
            .get("items")
            .filter(|items| below(items, "properties").is_some())
        {
            Some(items) => rows(&format!("{path}[]"), items, text),
            None => rows(&path, field, text),
        }
    }
}

/// What may stand in a field, in a few words.
fn value(schema: &Value) -> String {
    let mut words = vec![kind_of_value(schema)];
    for (key, what) in [
        ("maxLength", "characters"),
        ("maxItems", "entries"),
        ("maxProperties", "entries"),
    ] {
        let most = schema.get(key).and_then(Value::as_u64);
        words.extend(most.map(|most| format!(", at most {most} {what}")));
    }
    let bound = |key: &str, word: &str| {
        let bound = schema.get(key).and_then(Value::as_f64);
        bound.map(|bound| format!(" {word} {bound}"))
    };
    words.extend(bound("minimum", "from"));
    words.extend(bound("maximum", "to"));
    // An empty object as default only says that the fields below have defaults of their own.
    let default = schema.get("default").filter(|default| !default.is_object());
    words.extend(default.map(|default| format!("; default `{}`", default.to_string().trim_matches('"'))));
    words.concat()
}

fn kind_of_value(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        return values.join(", ");
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "amount".to_owned();
    }
    match said(schema, "type").as_str() {
        "array" => format!(
            "list of {}",
            schema.get("items").map_or("anything".into(), kind_of_value)
        ),
        "object" => match schema.get("additionalProperties") {
            Some(values) => format!("map to {}", kind_of_value(values)),
            None => "object".to_owned(),
        },
        "string" if said(schema, "format") == "date-time" => "time".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    }
}

fn below<'a>(schema: &'a Value, key: &str) -> Option<&'a serde_json::Map<String, Value>> {
    schema.get(key).and_then(Value::as_object)
}

fn said(schema: &Value, key: &str) -> String {
    schema
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
