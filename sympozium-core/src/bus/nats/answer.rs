//! What the server's answers mean. Pure.

use crate::bus::BusError;
use async_nats::jetstream::{self, ErrorCode};
use serde::Deserialize;

/// JetStream's answer to a published message.
#[derive(Deserialize)]
struct Stored {
    error: Option<jetstream::Error>,
}

/// Whether the server has stored a message.
pub(super) fn stored(payload: &[u8]) -> Result<(), BusError> {
    let answer: Stored = serde_json::from_slice(payload).map_err(|error| BusError::Unavailable {
        step: "publish",
        source: Box::new(error),
    })?;
    answer
        .error
        .map_or(Ok(()), |error| Err(refusal("publish", &error)))
}

/// JetStream's `maximum bytes exceeded` and `maximum messages exceeded`.
const STORE_FAILED: ErrorCode = ErrorCode::STREAM_STORE_FAILED;

/// An error of JetStream's own. What is not known to be final may pass.
pub(super) fn refusal(step: &'static str, error: &jetstream::Error) -> BusError {
    let detail = error.to_string();
    match error.error_code() {
        STORE_FAILED | ErrorCode::INSUFFICIENT_RESOURCES | ErrorCode::MAXIMUM_CONSUMERS_LIMIT => {
            BusError::Full { step, detail }
        }
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        | ErrorCode::STREAM_SUBJECT_OVERLAP
        | ErrorCode::STREAM_INVALID_CONFIG
        | ErrorCode::CONSUMER_INVALID_POLICY
        | ErrorCode::STREAM_NOT_MATCH
        | ErrorCode::BAD_REQUEST => BusError::Refused { step, detail },
        _ => BusError::Unavailable {
            step,
            source: detail.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Classify;

    #[test]
    fn the_answer_to_a_publish_says_what_to_do() {
        for (answer, wanted) in [
            (r#"{"stream":"sympozium-work","seq":7}"#, None),
            (r#"{"stream":"sympozium-work","seq":7,"duplicate":true}"#, None),
            (
                r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"x","seq":0}"#,
                Some("bus-full"),
            ),
            (
                r#"{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}"#,
                Some("refused"),
            ),
            (
                r#"{"error":{"code":503,"err_code":10008,"description":"system temporarily unavailable"}}"#,
                Some("bus-unavailable"),
            ),
            ("nonsense", Some("bus-unavailable")),
        ] {
            let kind = stored(answer.as_bytes()).err().map(|error| error.kind());
            assert_eq!(kind, wanted, "{answer}");
        }
    }
}
