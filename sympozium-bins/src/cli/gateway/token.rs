//! The token that callers of `gateway serve` present.

use crate::cli::config::Config;
use crate::cli::failure::Failure;
use crate::cli::objects::read_text;
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

/// The fewest characters of a token that a person chose.
const SHORTEST: usize = 16;

/// A token, and whether it was made here and has to be told.
pub(super) struct Token {
    pub(super) secret: SecretString,
    pub(super) is_new: bool,
}

impl Token {
    /// That of the file, else the environment's, else a new one.
    pub(super) fn find(file: Option<&Path>, config: &Config) -> Result<Self, Failure> {
        let (origin, secret) = match (file, &config.gateway_token) {
            (Some(path), _) => (
                path.display().to_string(),
                SecretString::from(read_text(path)?.trim().to_owned()),
            ),
            (None, Some(token)) => ("SYMPOZIUM_GATEWAY_TOKEN".to_owned(), token.clone()),
            (None, None) => return Ok(Self::new()),
        };
        check(&origin, secret.expose_secret())?;
        Ok(Self {
            secret,
            is_new: false,
        })
    }

    /// 244 random bits.
    fn new() -> Self {
        let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        let text: String = random.iter().map(|part| part.simple().to_string()).collect();
        Self {
            secret: SecretString::from(format!("sympozium-{text}")),
            is_new: true,
        }
    }
}

fn check(origin: &str, token: &str) -> Result<(), Failure> {
    let can_be_sent = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.len() >= SHORTEST && can_be_sent {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{origin}: a token has at least {SHORTEST} characters, all of them printable ASCII without blanks."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_can_be_sent() {
        for (token, fine) in [
            ("0123456789abcdef", true),
            ("short", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdefä", false),
        ] {
            let checked = check("file", token);
            assert_eq!(checked.is_ok(), fine, "{token}");
            if let Err(failure) = checked {
                assert!(!failure.to_string().contains(token));
            }
        }
    }

    #[test]
    fn new_tokens_differ() {
        let (one, other) = (Token::new(), Token::new());
        assert_ne!(one.secret.expose_secret(), other.secret.expose_secret());
        assert!(one.is_new && check("new", one.secret.expose_secret()).is_ok());
    }
}
