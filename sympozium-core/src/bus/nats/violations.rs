//! What the server says when it refuses a subject. It says so beside the exchange, and nowhere else: without this, whoever
//! published what it may not would wait for its deadline.

/// Reads `Permissions Violation for Publish to "subject"` and its kin; gives the subject. The text is nats-server's
/// (2.10 to 2.15, `client.go`).
pub(super) fn refused_subject(text: &str) -> Option<&str> {
    let rest = text
        .trim_matches('\'')
        .strip_prefix("Permissions Violation for ")?;
    let rest = ["Publish to ", "Subscription to ", "Publish with Reply of "]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))?;
    let (subject, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some(subject)
}

/// Whether a refused subject stands in the way of an exchange on `subject` whose answer comes below `inbox`.
pub(super) fn concerns(refused: &str, subject: &str, inbox: &str) -> bool {
    refused == subject
        || refused
            .strip_prefix(inbox)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_subject_is_read_from_the_servers_words() {
        for (text, wanted) in [
            (r#"Permissions Violation for Publish to "a.b""#, Some("a.b")),
            (r#"'Permissions Violation for Publish to "a.b"'"#, Some("a.b")),
            (
                r#"Permissions Violation for Subscription to "_INBOX.x.*""#,
                Some("_INBOX.x.*"),
            ),
            (
                r#"Permissions Violation for Subscription to "a" using queue "q""#,
                Some("a"),
            ),
            (
                r#"Permissions Violation for Publish with Reply of "x.y""#,
                Some("x.y"),
            ),
            ("User Authentication Expired", None),
            ("Permissions Violation for Something to \"a\"", None),
            ("", None),
        ] {
            assert_eq!(refused_subject(text), wanted, "{text}");
        }
    }

    #[test]
    fn an_exchange_fails_with_its_own_subject_or_its_own_inbox() {
        let concerns = |refused| concerns(refused, "a.b", "_INBOX.x");
        assert!(concerns("a.b") && concerns("_INBOX.x.*") && concerns("_INBOX.x"));
        assert!(!concerns("a.c") && !concerns("_INBOX.xy.*"));
    }
}
