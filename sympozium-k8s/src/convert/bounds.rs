//! The limits of the schemas, for objects that no API server has seen.
//!
//! Pure. Checks lengths, counts and numbers against the same definitions that the cluster has, so that the limits stand
//! in one place.

use super::problem::Findings;
use crate::crd;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::OnceLock};

/// Reports every value of `spec` that is beyond a limit of its kind's schema.
pub(super) fn check(kind: &str, spec: &impl Serialize, findings: &mut Findings) {
    let Some(schema) = spec_schemas().get(kind) else {
        return;
    };
    match serde_json::to_value(spec) {
        Ok(value) => below("spec", schema, &value, findings),
        Err(error) => findings.add("spec", error),
    }
}

/// The schema of `spec` by kind. The definitions never change while a program runs.
fn spec_schemas() -> &'static BTreeMap<String, Value> {
    static SCHEMAS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut schemas = BTreeMap::new();
        for crd in crd::all() {
            let root = crd
                .spec
                .versions
                .first()
                .and_then(|version| version.schema.as_ref());
            let Some(Ok(root)) = root.map(|root| serde_json::to_value(&root.open_api_v3_schema)) else {
                continue;
            };
            if let Some(spec) = root.pointer("/properties/spec") {
                schemas.insert(crd.spec.names.kind.clone(), spec.clone());
            }
        }
        schemas
    })
}

fn below(path: &str, schema: &Value, value: &Value, findings: &mut Findings) {
    let Value::Object(schema) = schema else { return };
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            limits(
                path,
                schema,
                ("minLength", "maxLength"),
                length,
                "characters",
                findings,
            );
        }
        Value::Array(items) => {
            limits(
                path,
                schema,
                ("minItems", "maxItems"),
                items.len(),
                "entries",
                findings,
            );
            if let Some(item_schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    below(&format!("{path}[{index}]"), item_schema, item, findings);
                }
            }
        }
        Value::Object(fields) => {
            limits(
                path,
                schema,
                ("minProperties", "maxProperties"),
                fields.len(),
                "entries",
                findings,
            );
            for (name, field) in fields {
                let field_schema = schema
                    .get("properties")
                    .and_then(|properties| properties.get(name))
                    .or_else(|| schema.get("additionalProperties"));
                if let Some(field_schema) = field_schema {
                    below(&format!("{path}.{name}"), field_schema, field, findings);
                }
            }
        }
        Value::Number(number) => range(path, schema, number.as_f64(), findings),
        Value::Bool(_) | Value::Null => {}
    }
}

fn limits(
    path: &str,
    schema: &Map<String, Value>,
    (min, max): (&str, &str),
    given: usize,
    unit: &str,
    findings: &mut Findings,
) {
    let bound = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_u64)
            .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    };
    if let Some(least) = bound(min)
        && given < least
    {
        findings.add(
            path,
            format_args!("has {given} {unit}; at least {least} are needed"),
        );
    }
    if let Some(most) = bound(max)
        && given > most
    {
        findings.add(
            path,
            format_args!("has {given} {unit}; at most {most} are allowed"),
        );
    }
}

fn range(path: &str, schema: &Map<String, Value>, given: Option<f64>, findings: &mut Findings) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let Some(given) = given else { return };
    if let Some(least) = bound("minimum")
        && given < least
    {
        findings.add(path, format_args!("is {given}; at least {least} is needed"));
    }
    if let Some(most) = bound("maximum")
        && given > most
    {
        findings.add(path, format_args!("is {given}; at most {most} is allowed"));
    }
}
