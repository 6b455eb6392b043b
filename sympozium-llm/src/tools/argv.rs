//! From a typed tool's template and a model's arguments to a command line, without a shell.
//!
//! Pure. An element that is one placeholder takes the value as it is (a list becomes several elements); other elements
//! have values written into them. A value can't become an option: one that begins with `-` is refused where it would
//! stand at the start of an element, unless `--` came before it.

use serde_json::{Map, Value};

/// Why no command line can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgvError {
    /// A placeholder stands inside an element, but its argument is not given.
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
    /// The template is empty.
    #[error("the tool has no command")]
    Empty,
}

/// The command line. An element that is only a placeholder of an absent argument is left out.
pub fn command_line(template: &[String], arguments: &Map<String, Value>) -> Result<Vec<String>, ArgvError> {
    let mut line = Vec::with_capacity(template.len());
    let mut options_ended = false;
    for element in template {
        if let Some(name) = only_placeholder(element) {
            for value in whole_values(name, arguments)? {
                line.push(checked(name, value, options_ended)?);
            }
        } else {
            line.push(written(element, arguments, options_ended)?);
        }
        options_ended |= element == "--";
    }
    if line.is_empty() {
        Err(ArgvError::Empty)
    } else {
        Ok(line)
    }
}

fn only_placeholder(element: &str) -> Option<&str> {
    let name = element.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains("{{") && !name.contains("}}")).then(|| name.trim())
}

fn whole_values<'a>(name: &str, arguments: &'a Map<String, Value>) -> Result<Vec<&'a Value>, ArgvError> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => Ok(values.iter().collect()),
        Some(Value::Object(_)) => Err(form(name, "an object")),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => Ok(vec![value]),
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

fn written(element: &str, arguments: &Map<String, Value>, options_ended: bool) -> Result<String, ArgvError> {
    let mut text = String::with_capacity(element.len());
    let mut rest = element;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        let name = name.trim();
        text.push_str(before);
        let value = arguments.get(name).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| ArgvError::Missing {
            name: name.to_owned(),
        })?;
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

fn scalar(name: &str, value: &Value) -> Result<String, ArgvError> {
    match value {
        Value::String(text) if text.contains('\0') => Err(form(name, "a text with a NUL in it")),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err(form(name, "null")),
        Value::Array(_) => Err(form(name, "a list")),
        Value::Object(_) => Err(form(name, "an object")),
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
    use serde_json::json;

    fn check(template: &[&str], arguments: Value, expected: Result<&[&str], &str>) {
        let template: Vec<String> = template.iter().map(|t| (*t).to_owned()).collect();
        let got = command_line(&template, arguments.as_object().unwrap()).map_err(|error| error.to_string());
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
            json!({"list": ["a", 1]}),
            Ok(&["x", "a", "1"]),
        );
        check(&["x", "{{gone}}"], json!({}), Ok(&["x"]));
        check(&["x", "{{"], json!({}), Ok(&["x", "{{"]));
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
        check(&["x", "n={{a}}"], json!({}), Err("the argument a is needed"));
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
        check(&["{{a}}"], json!({}), Err("the tool has no command"));
    }
}
