//! Holds a model's arguments against a typed tool's JSON schema.
//!
//! Pure. Knows the keywords that tool schemas use: type, properties, required, additionalProperties, enum, const, items,
//! minimum, maximum, minLength, maxLength, maxItems. Names that the schema does not list are refused unless it says
//! otherwise, because a template could not use them anyhow.

use serde_json::{Map, Value};

/// `None` when the arguments fit; else one sentence on the first thing that does not.
pub(crate) fn misfit(schema: &Value, arguments: &Map<String, Value>) -> Option<String> {
    object(schema, arguments, "")
}

fn object(schema: &Value, value: &Map<String, Value>, at: &str) -> Option<String> {
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !value.contains_key(name) {
            return Some(format!("The argument {} is missing.", path(at, name)));
        }
    }
    let open = matches!(
        schema.get("additionalProperties"),
        Some(Value::Bool(true) | Value::Object(_))
    );
    value.iter().find_map(|(name, value)| match properties.get(name) {
        Some(schema) => check(schema, value, &path(at, name)),
        None if open => None,
        None => Some(format!("There is no argument {}.", path(at, name))),
    })
}

fn path(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

fn check(schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(wanted) = schema.get("type")
        && !types(wanted).any(|name| is_of(name, value))
    {
        let wanted = types(wanted).collect::<Vec<_>>().join(" or ");
        return Some(format!("The argument {at} must be of type {wanted}."));
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array)
        && !list.contains(value)
    {
        return Some(format!(
            "The argument {at} must be one of {}.",
            Value::from(list.clone())
        ));
    }
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        return Some(format!("The argument {at} must be {only}."));
    }
    bounds(schema, value, at).or_else(|| match value {
        Value::Object(map) => object(schema, map, at),
        Value::Array(list) => {
            let items = schema.get("items")?;
            list.iter()
                .enumerate()
                .find_map(|(i, value)| check(items, value, &format!("{at}[{i}]")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn types(wanted: &Value) -> impl Iterator<Item = &str> {
    let list = wanted
        .as_array()
        .map_or(std::slice::from_ref(wanted), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn bounds(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let size = match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "lengths of arguments are far below 2^52"
        )]
        Value::String(text) => Some((
            text.chars().count() as f64,
            "minLength",
            "maxLength",
            "characters long",
        )),
        #[expect(
            clippy::cast_precision_loss,
            reason = "lengths of arguments are far below 2^52"
        )]
        Value::Array(list) => Some((list.len() as f64, "minItems", "maxItems", "items long")),
        Value::Number(number) => number.as_f64().map(|n| (n, "minimum", "maximum", "")),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    };
    let (size, least, most, unit) = size?;
    let say = |word: &str, bound: f64| {
        format!("The argument {at} must be {word} {bound} {unit}")
            .trim_end()
            .to_owned()
            + "."
    };
    if let Some(least) = limit(least).filter(|least| size < *least) {
        return Some(say("at least", least));
    }
    limit(most)
        .filter(|most| size > *most)
        .map(|most| say("at most", most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_misfit_is_named() {
        let schema = json!({
            "type": "object", "required": ["kind"],
            "properties": {
                "kind": {"type": "string", "enum": ["pods", "jobs"]},
                "count": {"type": "integer", "minimum": 1, "maximum": 5},
                "name": {"type": ["string", "null"], "maxLength": 3},
                "list": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
            },
        });
        for (arguments, expected) in [
            (
                json!({"kind": "pods", "count": 5, "name": null, "list": ["a"]}),
                None,
            ),
            (json!({}), Some("The argument kind is missing.")),
            (
                json!({"kind": "x"}),
                Some("The argument kind must be one of [\"pods\",\"jobs\"]."),
            ),
            (
                json!({"kind": 3}),
                Some("The argument kind must be of type string."),
            ),
            (
                json!({"kind": "pods", "count": 6}),
                Some("The argument count must be at most 5."),
            ),
            (
                json!({"kind": "pods", "name": "abcd"}),
                Some("The argument name must be at most 3 characters long."),
            ),
            (
                json!({"kind": "pods", "name": 1}),
                Some("The argument name must be of type string or null."),
            ),
            (
                json!({"kind": "pods", "list": ["a", 1]}),
                Some("The argument list[1] must be of type string."),
            ),
            (
                json!({"kind": "pods", "more": 1}),
                Some("There is no argument more."),
            ),
        ] {
            assert_eq!(
                misfit(&schema, arguments.as_object().unwrap()).as_deref(),
                expected,
                "{arguments}"
            );
        }
    }
}
