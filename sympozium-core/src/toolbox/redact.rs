//! Taking a secret out of what a command has said. Pure.
//!
//! A command needs its token to get out, so it can say it, and what it says goes to a model. This keeps it from being said by
//! accident, as `env` or `curl -v` do; a command that means to can write it down in a thousand ways.

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};

const INSTEAD: &[u8] = b"[redacted]";
/// The shortest beginning of a secret that is taken out where the rest was cut off.
const SHORTEST: usize = 6;

/// The forms of one secret.
#[derive(Debug, Clone)]
pub(super) struct Redaction {
    forms: Vec<SecretString>,
}

impl Redaction {
    /// Takes out a token: as it is, and as clients write it in a header.
    pub(super) fn of_token(token: &SecretString) -> Self {
        let basic = format!("{}:{}", super::proxy::USER, token.expose_secret());
        Self {
            forms: vec![token.clone(), BASE64.encode(basic.as_bytes()).into()],
        }
    }

    /// The same bytes without the secret. `cut`: there were more bytes behind them.
    pub(super) fn apply(&self, mut bytes: Vec<u8>, cut: bool) -> Vec<u8> {
        for form in &self.forms {
            let form = form.expose_secret().as_bytes();
            if form.len() < SHORTEST {
                continue;
            }
            bytes = without(&bytes, form);
            if cut {
                without_beginning(&mut bytes, form);
            }
        }
        bytes
    }
}

fn without(bytes: &[u8], form: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(form) {
            kept.extend_from_slice(INSTEAD);
            rest = after;
        } else {
            kept.push(*first);
            rest = behind;
        }
    }
    kept
}

fn without_beginning(bytes: &mut Vec<u8>, form: &[u8]) {
    let longest = form.len().min(bytes.len());
    let found = (SHORTEST..=longest).rev().find(|len| {
        form.get(..*len)
            .is_some_and(|beginning| bytes.ends_with(beginning))
    });
    if let Some(len) = found {
        bytes.truncate(bytes.len() - len);
        bytes.extend_from_slice(INSTEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str, cut: bool) -> String {
        let redaction = Redaction::of_token(&"s3cr3t-token".to_owned().into());
        String::from_utf8(redaction.apply(text.into(), cut)).unwrap()
    }

    #[test]
    fn a_token_is_taken_out_in_each_form_and_where_it_is_cut() {
        let basic = BASE64.encode(b"token:s3cr3t-token");
        for (text, cut, expected) in [
            ("nothing", false, "nothing"),
            ("s3cr3t-tokens3cr3t-token", false, "[redacted][redacted]"),
            (
                "a https://token:s3cr3t-token@gw b",
                false,
                "a https://token:[redacted]@gw b",
            ),
            (basic.as_str(), false, "[redacted]"),
            ("ends in s3cr3t-tok", false, "ends in s3cr3t-tok"),
            ("ends in s3cr3t-tok", true, "ends in [redacted]"),
            ("ends in s3", true, "ends in s3"),
            ("", true, ""),
        ] {
            assert_eq!(apply(text, cut), expected, "{text}");
        }
    }

    #[test]
    fn a_token_that_is_too_short_to_be_one_takes_nothing_out() {
        let redaction = Redaction::of_token(&"e".to_owned().into());
        assert_eq!(redaction.apply(b"these".to_vec(), true), b"these");
    }

    #[test]
    fn it_is_not_shown() {
        let redaction = Redaction::of_token(&"s3cr3t-token".to_owned().into());
        assert!(!format!("{redaction:?}").contains("s3cr3t"));
    }
}
