//! What goes wrong, in the shape that OpenAI's clients understand. The status is that of the native form.

use super::super::meter;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sympozium_core::gateway::{Problem, ProblemKind};

/// Tells OpenAI's clients whether to try again by themselves; otherwise they do after every 409, 429 and 5xx.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// A pause in milliseconds, which OpenAI's clients prefer to `Retry-After`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// A problem, and the field of the request that it is about.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) problem: Box<Problem>,
    pub(super) param: Option<String>,
}

impl Refusal {
    /// A field of the request is wrong.
    pub(super) fn invalid(param: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Problem::new(ProblemKind::BadRequest, detail).into()
        }
    }

    /// The JSON object that stands for it, in an answer or as an event of a stream.
    pub(super) fn body(&self) -> Value {
        let Problem {
            kind,
            detail,
            policy,
            rule,
            ..
        } = &*self.problem;
        let (kind_of_error, code) = words(*kind, self.param.as_deref());
        let mut error = json!({
            "message": detail,
            "type": kind_of_error,
            "param": self.param,
            "code": code,
            "problem": kind.uri(),
        });
        if let (Value::Object(error), Some(policy), Some(rule)) = (&mut error, policy, rule) {
            error.insert("policy".to_owned(), json!(policy));
            error.insert("rule".to_owned(), json!(rule));
        }
        json!({ "error": error })
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem: problem.into(),
            param: None,
        }
    }
}

/// OpenAI's `type` and `code`: its own words where it has some, so that clients that look at them do the right thing.
fn words(kind: ProblemKind, param: Option<&str>) -> (&'static str, &'static str) {
    let own = kind.uri().rsplit(':').next().unwrap_or("problem");
    match kind {
        ProblemKind::NotFound if param == Some("model") => ("invalid_request_error", "model_not_found"),
        ProblemKind::BadRequest if param.is_some() => ("invalid_request_error", "invalid_value"),
        ProblemKind::BadRequest
        | ProblemKind::NotFound
        | ProblemKind::StepConflict
        | ProblemKind::TooLarge => ("invalid_request_error", own),
        ProblemKind::ContextLength => ("invalid_request_error", "context_length_exceeded"),
        ProblemKind::Unauthenticated => ("authentication_error", "invalid_api_key"),
        ProblemKind::RunEnded
        | ProblemKind::ModelNotAllowed
        | ProblemKind::EgressRefused
        | ProblemKind::PolicyRefused => ("permission_error", own),
        ProblemKind::BudgetExhausted => ("insufficient_quota", "insufficient_quota"),
        ProblemKind::RateLimited => ("rate_limit_error", "rate_limit_exceeded"),
        ProblemKind::Internal
        | ProblemKind::ProviderUnavailable
        | ProblemKind::ProviderRefused
        | ProblemKind::FetchFailed
        | ProblemKind::RunNotReady
        | ProblemKind::Stopping
        | ProblemKind::StoreUnavailable
        | ProblemKind::Timeout => ("server_error", own),
    }
}

/// Whether the client may try again by itself. What is worth repeating at the provider was repeated already.
fn worth_repeating(kind: ProblemKind) -> bool {
    match kind {
        ProblemKind::RateLimited
        | ProblemKind::RunNotReady
        | ProblemKind::Stopping
        | ProblemKind::StoreUnavailable => true,
        ProblemKind::BadRequest
        | ProblemKind::ContextLength
        | ProblemKind::Unauthenticated
        | ProblemKind::RunEnded
        | ProblemKind::ModelNotAllowed
        | ProblemKind::EgressRefused
        | ProblemKind::PolicyRefused
        | ProblemKind::NotFound
        | ProblemKind::StepConflict
        | ProblemKind::TooLarge
        | ProblemKind::BudgetExhausted
        | ProblemKind::Internal
        | ProblemKind::ProviderUnavailable
        | ProblemKind::ProviderRefused
        | ProblemKind::FetchFailed
        | ProblemKind::Timeout => false,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        meter::problem(self.problem.kind);
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        let again = if worth_repeating(self.problem.kind) {
            "true"
        } else {
            "false"
        };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(again));
        if let Some(ms) = self.problem.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_keeps_its_status_and_its_name() {
        for kind in ProblemKind::ALL {
            let refusal = Refusal::from(Problem::new(*kind, "why"));
            let body = refusal.body();
            assert_eq!(body["error"]["problem"], kind.uri());
            assert_eq!(refusal.into_response().status().as_u16(), kind.status());
        }
    }

    #[test]
    fn a_refusal_names_policy_rule_and_field() {
        let mut problem = Problem::new(ProblemKind::ModelNotAllowed, "no");
        (problem.policy, problem.rule) = (Some("p".to_owned()), Some("models.deny[0]".to_owned()));
        let body = Refusal {
            param: Some("model".to_owned()),
            ..problem.into()
        }
        .body();
        let expected = json!({"error": {
            "message": "no", "type": "permission_error", "param": "model", "code": "model-not-allowed",
            "problem": "urn:sympozium:problem:model-not-allowed", "policy": "p", "rule": "models.deny[0]",
        }});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_used_up_budget_is_not_tried_again_and_a_busy_provider_is() {
        let header = |kind| {
            let response = Refusal::from(Problem::new(kind, "why")).into_response();
            response.headers().get(SHOULD_RETRY).cloned().unwrap()
        };
        assert_eq!(header(ProblemKind::BudgetExhausted), "false");
        assert_eq!(header(ProblemKind::RateLimited), "true");
    }
}
