//! A typed tool's command line from its template and a model's arguments. Pure; no shell is ever involved.
//!
//! An element that is one placeholder (`{{name}}`) takes the value as it is; a list becomes one element per value, and an
//! argument that is not given leaves it out, unless the tool's schema requires it. Other elements have values written into
//! them. A value can't become an option: one that begins with `-` is refused where it would stand at the start of an
//! element, unless `--` came before it.

use crate::skill::TypedTool;
use serde_json::{Map, Value};

/// The longest value, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// Why no command line can be made. The sentences are for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgvError {
    /// The arguments are no object.
    #[error("the arguments must be a JSON object")]
    NoObject,
    /// An argument that is needed is not given.
    #[error("the argument {name} is needed")]
    Missing {
        /// The argument.
        name: String,
    },
    /// The value has a form that can't be written there.
    #[error("the argument {name} can't be {what} here")]
    Form {
        /// The argument.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// The value would be read as an option.
    #[error("the argument {name} must not begin with '-'")]
    Option {
        /// The argument.
        name: String,
    },
    /// The template is empty, or a placeholder in it is never closed.
    #[error("the tool's command line is not usable; its pack has to be mended")]
    Template,
}

/// The command line.
pub fn argv(tool: &TypedTool, arguments: &Value) -> Result<Vec<String>, ArgvError> {
    let filling = Filling {
        arguments: arguments.as_object().ok_or(ArgvError::NoObject)?,
        required: tool
            .parameters
            .get("required")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice),
    };
    let mut line = Vec::with_capacity(tool.argv.len());
    let mut options_ended = false;
    for element in &tool.argv {
        if let Some(name) = only_placeholder(element) {
            for value in filling.whole(name)? {
                line.push(checked(name, value, options_ended)?);
            }
        } else {
            line.push(filling.written(element, options_ended)?);
        }
        options_ended |= element == "--";
    }
    if line.first().is_none_or(String::is_empty) {
        Err(ArgvError::Template)
    } else {
        Ok(line)
    }
}

fn only_placeholder(element: &str) -> Option<&str> {
    let name = element.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("{{") && !name.contains("}}")).then(|| name.trim())
}

struct Filling<'a> {
    arguments: &'a Map<String, Value>,
    required: &'a [Value],
}

impl<'a> Filling<'a> {
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.arguments.get(name).filter(|value| !value.is_null())
    }

    /// The values of an element that is one placeholder.
    fn whole(&self, name: &str) -> Result<Vec<&'a Value>, ArgvError> {
        match self.given(name) {
            None if self.required.iter().any(|required| required == name) => Err(missing(name)),
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values.iter().collect()),
            Some(value) => Ok(vec![value]),
        }
    }

    /// An element with the values written into it.
    fn written(&self, element: &str, options_ended: bool) -> Result<String, ArgvError> {
        let mut text = String::with_capacity(element.len());
        let mut rest = element;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").ok_or(ArgvError::Template)?;
            let name = name.trim();
            text.push_str(before);
            let value = self.given(name).ok_or_else(|| missing(name))?;
            let piece = if text.is_empty() {
                checked(name, value, options_ended)?
            } else {
                scalar(name, value)?
            };
            text.push_str(&piece);
            rest = behind;
        }
        text.push_str(rest);
        Ok(text)
    }
}

fn checked(name: &str, value: &Value, options_ended: bool) -> Result<String, ArgvError> {
    let text = scalar(name, value)?;
    // A negative number is a value in every program's eyes that asked for a number.
    if value.is_string() && text.starts_with('-') && !options_ended {
        return Err(ArgvError::Option {
            name: name.to_owned(),
        });
    }
    Ok(text)
}

fn scalar(name: &str, value: &Value) -> Result<String, ArgvError> {
    match value {
        Value::String(text) if text.contains('\0') => Err(form(name, "a text with a NUL in it")),
        Value::String(text) if text.len() > MAX_VALUE => Err(form(name, "a text of more than 64 KiB")),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err(form(name, "null")),
        Value::Array(_) => Err(form(name, "a list")),
        Value::Object(_) => Err(form(name, "an object")),
    }
}

fn missing(name: &str) -> ArgvError {
    ArgvError::Missing {
        name: name.to_owned(),
    }
}

fn form(name: &str, what: &'static str) -> ArgvError {
    ArgvError::Form {
        name: name.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ToolName;
    use serde_json::json;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "the rows are easier to read without references"
    )]
    fn check(template: &[&str], arguments: Value, expected: Result<&[&str], &str>) {
        let tool = TypedTool {
            name: ToolName::new("t").unwrap(),
            description: String::new(),
            parameters: json!({"required": ["needed"]}),
            argv: template.iter().map(|&s| s.to_owned()).collect(),
            timeout_seconds: 30,
        };
        let got = argv(&tool, &arguments).map_err(|error| error.to_string());
        let expected = expected
            .map(|line| line.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{template:?} with {arguments}");
    }

    #[test]
    fn values_become_elements_and_never_more_than_that() {
        check(
            &["get", "{{kind}}"],
            json!({"kind": "pods; rm -rf / $(x)"}),
            Ok(&["get", "pods; rm -rf / $(x)"]),
        );
        check(
            &["get", "-n={{ns}}", "{{n}}"],
            json!({"ns": "a", "n": 3}),
            Ok(&["get", "-n=a", "3"]),
        );
        check(
            &["x", "{{ a }}{{b}}"],
            json!({"a": true, "b": "-y"}),
            Ok(&["x", "true-y"]),
        );
        check(
            &["x", "{{list}}"],
            json!({"list": ["a b", 1]}),
            Ok(&["x", "a b", "1"]),
        );
        check(&["x", "{{gone}}"], json!({}), Ok(&["x"]));
        check(
            &["x", "{{a}}"],
            json!({"a": "{{b}}", "b": "c"}),
            Ok(&["x", "{{b}}"]),
        );
    }

    #[test]
    fn a_value_never_becomes_an_option() {
        let denied = Err("the argument a must not begin with '-'");
        check(&["x", "{{a}}"], json!({"a": "--kubeconfig=/etc/x"}), denied);
        check(&["x", "{{a}}/b"], json!({"a": "-v"}), denied);
        check(&["x", "{{a}}"], json!({"a": ["ok", "-v"]}), denied);
        check(&["x", "--", "{{a}}"], json!({"a": "-v"}), Ok(&["x", "--", "-v"]));
        check(&["x", "{{a}}"], json!({"a": -5}), Ok(&["x", "-5"]));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let unusable = Err("the tool's command line is not usable; its pack has to be mended");
        check(&["x", "n={{a}}"], json!({}), Err("the argument a is needed"));
        check(
            &["x", "{{needed}}"],
            json!({"needed": null}),
            Err("the argument needed is needed"),
        );
        check(
            &["x", "n={{a}}"],
            json!({"a": [1]}),
            Err("the argument a can't be a list here"),
        );
        check(
            &["x", "{{a}}"],
            json!({"a": {}}),
            Err("the argument a can't be an object here"),
        );
        check(
            &["x", "{{a}}"],
            json!({"a": "a\0b"}),
            Err("the argument a can't be a text with a NUL in it here"),
        );
        check(
            &["x", "{{a}}"],
            json!({"a": "x".repeat(MAX_VALUE + 1)}),
            Err("the argument a can't be a text of more than 64 KiB here"),
        );
        check(&["x", "{{a"], json!({"a": 1}), unusable);
        check(&["{{a}}"], json!({}), unusable);
        check(&[], json!({}), unusable);
        check(
            &["x"],
            json!("no object"),
            Err("the arguments must be a JSON object"),
        );
    }
}
