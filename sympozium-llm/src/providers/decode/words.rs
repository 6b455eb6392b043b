//! What a provider's error is. Pure.
//!
//! Both wire formats, and the many servers that speak one of them nearly, put their words in the same few places and
//! use the same few names; what is told apart by more than its status is told apart here.

use super::scrub::Scrub;
use serde_json::Value;
use std::time::Duration;
use sympozium_core::llm::LlmError;

/// What an error body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::providers) struct Words {
    /// For people, fit to be shown.
    pub(in crate::providers) message: String,
    /// Names for programs: `type` and `code`, lower case.
    names: Vec<String>,
    /// A status that the body names itself.
    status: Option<u16>,
}

/// Names which mean that the conversation is too long.
const TOO_LONG: [&str; 3] = [
    "context_length_exceeded",
    "model_context_window_exceeded",
    "exceed_context_size_error",
];
/// The same in words, for servers that have no name for it.
const TOO_LONG_WORDS: [&str; 5] = [
    "maximum context length",
    "prompt is too long",
    "context window",
    "context length",
    "context size",
];
/// Names which mean that no credit is left.
const NO_CREDIT: [&str; 4] = [
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
];
const NO_CREDIT_WORDS: [&str; 1] = ["credit balance is too low"];

impl Words {
    /// Reads a body: `{"error": {"message", "type", "code"}}`, `{"error": "words"}`, `{"message"}`, `{"detail"}`, or
    /// plain text.
    pub(in crate::providers) fn of_body(body: &[u8], scrub: &Scrub) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_value(value.get("error").unwrap_or(&value), scrub),
            Err(_) => Self {
                message: scrub.clean(&String::from_utf8_lossy(body)),
                ..Self::default()
            },
        }
    }

    /// Reads what stands under `error`.
    pub(in crate::providers) fn of_value(error: &Value, scrub: &Scrub) -> Self {
        if let Value::String(words) = error {
            return Self {
                message: scrub.clean(words),
                ..Self::default()
            };
        }
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let names: Vec<_> = ["type", "code"]
            .into_iter()
            .filter_map(text)
            .map(str::to_lowercase)
            .collect();
        let said = text("message")
            .or_else(|| text("detail"))
            .or(names.first().map(String::as_str));
        let status = error.get("code").and_then(Value::as_u64);
        Self {
            message: scrub.clean(said.unwrap_or_default()),
            status: status
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (400..600).contains(code)),
            names,
        }
    }

    /// The error of an answer with that status.
    pub(in crate::providers) fn with_status(self, status: u16, after: Option<Duration>) -> LlmError {
        if self.is_no_credit() || status == 402 {
            return LlmError::QuotaExhausted {
                detail: self.detail(),
            };
        }
        if status == 413 || (!matches!(status, 401 | 403 | 429) && self.is_too_long()) {
            return LlmError::ContextLength {
                detail: self.detail(),
            };
        }
        let detail = self.detail();
        match status {
            401 | 403 => LlmError::Authentication { detail },
            429 => LlmError::RateLimited { after, detail },
            // Timeouts and conflicts pass, and so does whatever a server says of itself.
            408 | 409 | 425 | 500.. => LlmError::Unavailable {
                status,
                after,
                detail,
            },
            _ => LlmError::BadRequest { status, detail },
        }
    }

    /// The error of an event inside a stream, which has no status but perhaps a name.
    pub(in crate::providers) fn within_stream(self) -> LlmError {
        let has = |name: &str| self.names.iter().any(|own| own == name);
        let status = if has("overloaded_error") {
            529
        } else if has("rate_limit_error") || has("rate_limit_exceeded") {
            429
        } else if has("authentication_error") || has("permission_error") || has("invalid_api_key") {
            401
        } else if has("invalid_request_error") || self.is_too_long() || self.is_no_credit() {
            400
        } else if let Some(status) = self.status {
            status
        } else {
            return LlmError::Interrupted {
                detail: self.detail(),
            };
        };
        self.with_status(status, None)
    }

    fn is_too_long(&self) -> bool {
        self.is_any(&TOO_LONG, &TOO_LONG_WORDS)
    }

    fn is_no_credit(&self) -> bool {
        self.is_any(&NO_CREDIT, &NO_CREDIT_WORDS)
    }

    fn is_any(&self, names: &[&str], words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        self.names.iter().any(|name| names.contains(&name.as_str()))
            || words.iter().any(|words| message.contains(words))
    }

    fn detail(self) -> String {
        if self.message.is_empty() {
            "it gave no reason".to_owned()
        } else {
            self.message
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::error::{Classify, Retry};

    fn of(status: u16, body: &str) -> LlmError {
        Words::of_body(body.as_bytes(), &Scrub::default()).with_status(status, Some(Duration::from_secs(3)))
    }

    fn check(status: u16, body: &str, kind: &str, retry: Retry) {
        let error = of(status, body);
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{status} {body}");
    }

    #[test]
    fn statuses_become_classes() {
        let after = Retry::After(Duration::from_secs(3));
        for (status, kind, retry) in [
            (302, "bad-request", Retry::Never),
            (400, "bad-request", Retry::Never),
            (401, "authentication", Retry::Never),
            (402, "quota-exhausted", Retry::Never),
            (403, "authentication", Retry::Never),
            (404, "bad-request", Retry::Never),
            (408, "unavailable", after),
            (409, "unavailable", after),
            (413, "context-length", Retry::Never),
            (422, "bad-request", Retry::Never),
            (429, "rate-limited", after),
            (500, "unavailable", after),
            (502, "unavailable", after),
            (503, "unavailable", after),
            (529, "unavailable", after),
        ] {
            check(status, r#"{"error": {"message": "m"}}"#, kind, retry);
            check(status, "", kind, retry);
        }
    }

    #[test]
    fn names_and_words_tell_apart_what_statuses_do_not() {
        for (status, body, kind) in [
            (
                429,
                r#"{"error": {"message": "You exceeded your quota", "type": "insufficient_quota"}}"#,
                "quota-exhausted",
            ),
            (
                429,
                r#"{"error": {"message": "m", "code": "insufficient_quota"}}"#,
                "quota-exhausted",
            ),
            (
                400,
                r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}}"#,
                "quota-exhausted",
            ),
            (
                400,
                r#"{"error": {"message": "m", "code": "context_length_exceeded"}}"#,
                "context-length",
            ),
            (
                400,
                r#"{"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}"#,
                "context-length",
            ),
            (
                400,
                r#"{"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}"#,
                "context-length",
            ),
            (
                500,
                r#"{"error": "input exceeds the context length"}"#,
                "context-length",
            ),
            (
                429,
                r#"{"error": {"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}}"#,
                "rate-limited",
            ),
            (401, "context length", "authentication"),
        ] {
            let error = of(status, body);
            assert_eq!(error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn words_are_found_wherever_servers_put_them() {
        for (body, expected) in [
            (r#"{"error": {"message": "a"}}"#, "a"),
            (r#"{"error": "a"}"#, "a"),
            (r#"{"message": "a"}"#, "a"),
            (r#"{"detail": "a"}"#, "a"),
            (r#"{"error": {"type": "api_error"}}"#, "api_error"),
            ("upstream\nfailed", "upstream failed"),
            ("", "it gave no reason"),
            ("[1]", "it gave no reason"),
            (r#"{"error": null}"#, "it gave no reason"),
        ] {
            let LlmError::BadRequest { detail, .. } = of(400, body) else {
                panic!("{body}")
            };
            assert_eq!(detail, expected, "{body}");
        }
    }

    #[test]
    fn errors_within_a_stream_have_classes_too() {
        for (error, kind) in [
            (
                r#"{"type": "overloaded_error", "message": "Overloaded"}"#,
                "unavailable",
            ),
            (r#"{"type": "rate_limit_error", "message": "m"}"#, "rate-limited"),
            (
                r#"{"type": "authentication_error", "message": "m"}"#,
                "authentication",
            ),
            (
                r#"{"type": "invalid_request_error", "message": "m"}"#,
                "bad-request",
            ),
            (
                r#"{"type": "invalid_request_error", "message": "prompt is too long"}"#,
                "context-length",
            ),
            (
                r#"{"code": "insufficient_quota", "message": "m"}"#,
                "quota-exhausted",
            ),
            (r#"{"code": 502, "message": "m"}"#, "unavailable"),
            (r#"{"code": 7, "message": "m"}"#, "interrupted"),
            (
                r#"{"type": "server_error", "message": "overloaded", "code": null}"#,
                "interrupted",
            ),
            (r#""words""#, "interrupted"),
        ] {
            let value = serde_json::from_str(error).unwrap();
            assert_eq!(
                Words::of_value(&value, &Scrub::default()).within_stream().kind(),
                kind,
                "{error}"
            );
        }
    }
}
