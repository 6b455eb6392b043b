//! Texts as arguments and variables of containers, taken literally.

use crate::objects::BuildError;
use serde::Serialize;
use sympozium_core::run::pod_contract::{CONFIG_JSON, MAX_ARGUMENT};

/// Kubernetes reads `$(NAME)` in arguments and values as a variable, and `$$` as a dollar sign.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A configuration as arguments.
///
/// A dollar sign is written as JSON's escape, so that nothing depends on how arguments are read; texts are the only place
/// where JSON has one.
pub(super) fn config(what: &'static str, config: &impl Serialize) -> Result<Vec<String>, BuildError> {
    let text = serde_json::to_string(config).map_err(|error| BuildError::Encode {
        what,
        detail: error.to_string(),
    })?;
    let text = text.replace('$', "\\u0024");
    Ok(parts(&text, MAX_ARGUMENT)
        .into_iter()
        .flat_map(|part| [CONFIG_JSON.to_owned(), part.to_owned()])
        .collect())
}

/// Cuts a text into pieces of at most `most` bytes, between characters. `most` is more than a character takes.
fn parts(mut text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > most {
        let end = (0..=most).rev().find(|&at| text.is_char_boundary(at));
        let Some((part, rest)) = end
            .filter(|&end| end > 0)
            .and_then(|end| text.split_at_checked(end))
        else {
            break;
        };
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_configuration_survives_being_cut_and_holds_no_dollar_sign(
            texts in proptest::collection::vec("(\\PC|[$()\\\\\"é])*", 0..8),
        ) {
            let arguments = config("a test", &texts).unwrap();
            prop_assert!(arguments.iter().all(|argument| !argument.contains('$')));
            let joined: String = arguments.iter().skip(1).step_by(2).map(String::as_str).collect();
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&joined).unwrap(), texts);
        }

        #[test]
        fn parts_are_short_and_together_the_text(text in "\\PC{0,60}", most in 4..9usize) {
            let cut = parts(&text, most);
            prop_assert!(cut.iter().all(|part| part.len() <= most));
            prop_assert_eq!(cut.concat(), text);
        }
    }

    #[test]
    fn a_long_configuration_has_several_parts_that_a_program_can_be_given() {
        let arguments = config("a test", &vec!["ä".repeat(100_000)]).unwrap();
        assert_eq!(arguments.len(), 6);
        assert!(arguments.iter().all(|argument| argument.len() <= MAX_ARGUMENT));
    }
}
