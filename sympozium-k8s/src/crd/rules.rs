//! CEL rules that are generated rather than written at a field: names, and what can't change.
//!
//! Pure: functions from a schema (as JSON) to a schema.

use serde_json::{Value, json};

/// Adds the rule that the object's name is a lower-case DNS label of at most `max` characters, because it becomes a
/// label value, a Job's name and a token of bus subjects.
pub(super) fn limit_name(schema: &mut Value, max: usize) {
    add(
        schema,
        json!({
            "rule": format!(
                "self.metadata.name.size() <= {max} && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')"
            ),
            "message": format!(
                "metadata.name must be a lower-case DNS label (a-z, 0-9, -) of at most {max} characters"
            ),
        }),
    );
}

/// Adds one rule per property of `spec` that forbids its change; `cancel` alone may go from false to true.
///
/// One rule each, because CEL has no "object without a field", and because the refusal should name the field.
pub(super) fn freeze_spec(spec: &mut Value) {
    let fields: Vec<String> = spec
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default();
    for field in fields {
        let rule = if field == "cancel" {
            cancel_once()
        } else {
            frozen(&field)
        };
        add(spec, rule);
    }
}

/// The rule that a field can't change once the object exists.
fn frozen(field: &str) -> Value {
    json!({
        "rule": format!("has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"),
        "message": format!("{field} can't be changed once the run is created"),
        "fieldPath": format!(".{field}"),
    })
}

fn cancel_once() -> Value {
    json!({
        "rule": "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
        "message": "cancel can't be taken back",
        "fieldPath": ".cancel",
    })
}

fn add(schema: &mut Value, rule: Value) {
    let Value::Object(node) = schema else { return };
    let rules = node
        .entry("x-kubernetes-validations")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(rules) = rules {
        rules.push(rule);
    }
}
