//! Which request headers a run may choose. Pure.
//!
//! `Host` would reach another site at a checked address; the hop-by-hop ones would change how the request is read on
//! its way; credentials, cookies and what proxies add are not a run's to give; a forged method would get past a policy.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use sympozium_core::gateway::{Problem, ProblemKind};

/// The most headers, and the most bytes of one value.
const MOST: usize = 20;
const LONGEST: usize = 2 << 10;

/// Refused by name.
const REFUSED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// Refused by beginning.
const REFUSED_BEGINNINGS: &[&str] = &["proxy-", "sec-", "x-forwarded-"];
/// Refused by what is in the name: credentials, and what metadata services want to see.
const REFUSED_PARTS: &[&str] = &[
    "auth", "cookie", "token", "secret", "api-key", "apikey", "metadata",
];

/// The headers, if a run may choose all of them.
pub(super) fn allowed(wanted: &BTreeMap<String, String>) -> Result<HeaderMap, Problem> {
    let bad = |detail: String| Problem::new(ProblemKind::BadRequest, detail);
    if wanted.len() > MOST {
        return Err(bad(format!(
            "There are {} headers; at most {MOST} are sent.",
            wanted.len()
        )));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let known: HeaderName = name
            .parse()
            .map_err(|_| bad(format!("{:?} is not a header's name.", cut(name))))?;
        if refused(known.as_str()) {
            return Err(bad(format!("The header {known} can't be chosen; leave it out.")));
        }
        let value: HeaderValue = value
            .parse()
            .map_err(|_| bad(format!("The value of {known} is not valid.")))?;
        if value.len() > LONGEST {
            return Err(bad(format!(
                "The value of {known} is longer than {LONGEST} bytes."
            )));
        }
        headers.append(known, value);
    }
    Ok(headers)
}

/// `name` is in lower case.
fn refused(name: &str) -> bool {
    REFUSED.contains(&name)
        || REFUSED_BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
        || REFUSED_PARTS.iter().any(|part| name.contains(part))
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<HeaderMap, Problem> {
        allowed(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn what_could_forge_or_carry_credentials_is_refused() {
        for name in [
            "Host",
            "HOST",
            "Authorization",
            "Proxy-Authorization",
            "Proxy-Connection",
            "X-Auth-Token",
            "Cookie",
            "Cookie2",
            "Set-Cookie",
            "X-Api-Key",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Content-Length",
            "Expect",
            "HTTP2-Settings",
            "X-Forwarded-Host",
            "X-Forwarded-For",
            "Forwarded",
            "X-HTTP-Method-Override",
            "Metadata-Flavor",
            "X-aws-ec2-metadata-token",
            "Accept-Encoding",
            "X-Rewrite-URL",
            "Sec-Fetch-Site",
        ] {
            assert_eq!(
                one(name, "x").unwrap_err().kind,
                ProblemKind::BadRequest,
                "{name}"
            );
        }
    }

    #[test]
    fn harmless_headers_are_sent_as_they_are() {
        for (name, value) in [
            ("Accept", "text/plain"),
            ("accept-language", "de"),
            ("User-Agent", "me"),
            ("Range", "bytes=0-9"),
        ] {
            assert_eq!(one(name, value).unwrap().get(name).unwrap(), value);
        }
    }

    #[test]
    fn headers_that_split_requests_or_have_no_end_are_refused() {
        for (name, value) in [
            ("Accept", "a\r\nHost: b"),
            ("Accept\r\nHost", "b"),
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
        ] {
            assert!(one(name, value).is_err(), "{name:?} {value:?}");
        }
        assert!(one("Accept", &"x".repeat(LONGEST + 1)).is_err());
        let many = (0..=MOST).map(|i| (format!("x-{i}"), String::new())).collect();
        assert!(allowed(&many).is_err());
    }
}
