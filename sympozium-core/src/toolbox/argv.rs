//! A typed tool's command line from its template and arguments. Pure; no shell is ever involved.

use crate::skill::TypedTool;
use serde_json::Value;

/// Why no command line could be made. The sentences are for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgvError {
    /// The arguments are no object.
    #[error("the arguments must be a JSON object")]
    NoObject,
    /// The template names an argument that is not there.
    #[error("the argument {0} is missing")]
    Missing(String),
    /// An argument that is a list or an object.
    #[error("the argument {0} must be a text, a number or a boolean")]
    NotScalar(String),
    /// An argument that no program can be given.
    #[error("the argument {0} holds a NUL or is longer than 64 KiB")]
    Unusable(String),
    /// The template is empty or never closes a brace.
    #[error("the tool's command line is not usable; its pack has to be mended")]
    Template,
}

/// Fills a template. Each element stays one element, whatever the values hold; text around `{{name}}` is kept.
///
/// An element that is exactly `{{name?}}` is left out when that argument is missing.
pub fn argv(tool: &TypedTool, arguments: &Value) -> Result<Vec<String>, ArgvError> {
    let arguments = arguments.as_object().ok_or(ArgvError::NoObject)?;
    let mut line = Vec::with_capacity(tool.argv.len());
    for element in &tool.argv {
        let optional = element
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("?}}"));
        match optional {
            Some(name) if !arguments.contains_key(name) => {}
            Some(name) => line.push(value(name, arguments.get(name))?),
            None => line.push(fill(element, arguments)?),
        }
    }
    if line.first().is_none_or(String::is_empty) {
        Err(ArgvError::Template)
    } else {
        Ok(line)
    }
}

fn fill(element: &str, arguments: &serde_json::Map<String, Value>) -> Result<String, ArgvError> {
    let mut filled = String::new();
    let mut rest = element;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").ok_or(ArgvError::Template)?;
        filled.push_str(before);
        filled.push_str(&value(name.trim(), arguments.get(name.trim()))?);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(name: &str, value: Option<&Value>) -> Result<String, ArgvError> {
    let text = match value {
        None | Some(Value::Null) => return Err(ArgvError::Missing(name.to_owned())),
        Some(Value::String(text)) => text.clone(),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
        Some(Value::Array(_) | Value::Object(_)) => return Err(ArgvError::NotScalar(name.to_owned())),
    };
    if text.contains('\0') || text.len() > 65_536 {
        Err(ArgvError::Unusable(name.to_owned()))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ToolName;
    use serde_json::json;

    fn check(template: &[&str], arguments: &Value, expected: Result<&[&str], ArgvError>) {
        let tool = TypedTool {
            name: ToolName::new("t").unwrap(),
            description: String::new(),
            parameters: json!({}),
            argv: template.iter().map(|&s| s.to_owned()).collect(),
            timeout_seconds: 30,
        };
        assert_eq!(
            argv(&tool, arguments),
            expected.map(|line| line.iter().map(|&s| s.to_owned()).collect())
        );
    }

    #[test]
    fn a_value_stays_one_argument_whatever_it_holds() {
        check(
            &["grep", "{{p}}"],
            &json!({"p": "a b; rm -rf $(x) {{q}}"}),
            Ok(&["grep", "a b; rm -rf $(x) {{q}}"]),
        );
        check(
            &["x", "--n={{n}}", "{{b}}"],
            &json!({"n": 3, "b": true}),
            Ok(&["x", "--n=3", "true"]),
        );
        check(&["x", "{{o?}}"], &json!({}), Ok(&["x"]));
        check(&["x", "{{o?}}"], &json!({"o": "v"}), Ok(&["x", "v"]));
        check(&["x", "{{m}}"], &json!({}), Err(ArgvError::Missing("m".into())));
        check(
            &["x", "{{m}}"],
            &json!({"m": [1]}),
            Err(ArgvError::NotScalar("m".into())),
        );
        check(
            &["x", "{{m}}"],
            &json!({"m": "\0"}),
            Err(ArgvError::Unusable("m".into())),
        );
        check(&["x", "{{m"], &json!({"m": 1}), Err(ArgvError::Template));
        check(&[], &json!({}), Err(ArgvError::Template));
        check(&["x"], &json!("no object"), Err(ArgvError::NoObject));
    }
}
