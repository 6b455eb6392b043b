//! Label and field selectors.

use serde_json::Value;

/// Whether an object is selected. Both selectors may be empty.
pub(crate) fn selected(object: &Value, labels: &str, fields: &str) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str().unwrap_or_default();
    let field = |path: &str| {
        let mut value = object;
        for part in path.split('.') {
            value = &value[part];
        }
        value.as_str().unwrap_or_default()
    };
    matches(labels, label) && matches(fields, field)
}

fn matches<'a>(selector: &str, value: impl Fn(&str) -> &'a str) -> bool {
    selector.split(',').filter(|part| !part.is_empty()).all(|part| {
        if let Some((key, wanted)) = part.split_once("!=") {
            value(key) != wanted
        } else {
            let (key, wanted) = part.split_once('=').unwrap();
            value(key) == wanted.trim_start_matches('=')
        }
    })
}
