//! `Proxy-Authorization`. Pure.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use secrecy::SecretString;

/// The user name that stands before a token.
const USER: &str = "token";

/// The token of a request: `Basic token:<token>`, as clients make it from `https://token:<token>@proxy`, or `Bearer`.
pub(super) fn token(headers: &HeaderMap) -> Option<SecretString> {
    let value = headers.get(header::PROXY_AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| SecretString::from(rest));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, token) = text.split_once(':')?;
    (user == USER && !token.is_empty()).then(|| SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    #[test]
    fn a_token_is_read_from_what_clients_make_of_a_proxys_address() {
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for (value, expected) in [
            (basic("token:abc"), Some("abc")),
            (basic("token:a:b"), Some("a:b")),
            (basic("token:abc").replace("Basic", "basic"), Some("abc")),
            ("Bearer abc".to_owned(), Some("abc")),
            (basic("token:"), None),
            (basic("other:abc"), None),
            (basic("abc"), None),
            ("Basic !".to_owned(), None),
            ("Digest abc".to_owned(), None),
            ("Bearer ".to_owned(), None),
        ] {
            let value = HeaderValue::from_str(&value).unwrap();
            let headers = HeaderMap::from_iter([(header::PROXY_AUTHORIZATION, value.clone())]);
            let found = token(&headers).map(|token| token.expose_secret().to_owned());
            assert_eq!(found.as_deref(), expected, "{value:?}");
        }
        assert!(token(&HeaderMap::new()).is_none());
    }
}
