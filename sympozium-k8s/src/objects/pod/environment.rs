//! Environments of containers.

use super::arguments::literal;
use crate::objects::BuildError;
use k8s_openapi::api::core::v1::EnvVar;
use std::collections::BTreeMap;

/// What a program can be given as one variable, with its name, `=` and the zero byte behind it (Linux' `MAX_ARG_STRLEN`).
const MAX_VARIABLE: usize = 131_072;

/// A variable with a literal value.
pub(super) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(literal(value)),
        value_from: None,
    }
}

/// Variables with literal values, sorted, none of them longer than is possible.
pub(super) fn variables(
    container: &str,
    given: &BTreeMap<String, String>,
) -> Result<Vec<EnvVar>, BuildError> {
    let one = |(name, value): (&String, &String)| {
        let bytes = name.len() + value.len() + 2;
        if bytes > MAX_VARIABLE {
            return Err(BuildError::Variable {
                container: container.to_owned(),
                name: name.clone(),
                bytes,
                max: MAX_VARIABLE,
            });
        }
        Ok(variable(name, value))
    };
    given.iter().map(one).collect()
}
