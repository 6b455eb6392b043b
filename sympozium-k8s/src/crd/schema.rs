//! Walks over schemas as JSON: what the generated ones lack for the API server.
//!
//! Pure. Entry: [`tidy`].

use serde_json::{Map, Value};

/// Makes a generated schema one that the API server takes and that says what the original's say:
///
/// * without `additionalProperties: false` beside `properties`, which structural schemas forbid (strict field validation
///   does that work in the cluster);
/// * without `nullable`: absent is the one way to say nothing;
/// * without formats that the API server does not know (`uint32`, `uint16`), which say less than the bounds do;
/// * with descriptions on one line.
pub(super) fn tidy(schema: &mut Value) {
    walk(schema, &mut tidy_one);
}

fn tidy_one(node: &mut Map<String, Value>) {
    if node.get("additionalProperties") == Some(&Value::Bool(false)) {
        node.remove("additionalProperties");
    }
    node.remove("nullable");
    if let Some(Value::String(text)) = node.get_mut("description") {
        // Doc comments are wrapped for the source; `kubectl explain` wraps for the terminal.
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    if matches!(node.get("format").and_then(Value::as_str), Some(format) if format.starts_with("uint")) {
        node.remove("format");
    }
}

/// Calls `visit` for the schema and every schema below it.
pub(super) fn walk(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let Value::Object(node) = schema else { return };
    visit(node);
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(|property| walk(property, visit));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(below) = node.get_mut(key) {
            walk(below, visit);
        }
    }
}
