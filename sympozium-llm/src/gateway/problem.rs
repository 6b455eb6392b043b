//! What goes wrong, as a [`Problem`], and problems as HTTP answers.

use super::{SourceError, meter};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;
use sympozium_core::auth::AuthError;
use sympozium_core::error::{Classify, Retry, chain};
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::llm::LlmError;
use sympozium_core::policy::Verdict;
use sympozium_core::store::{Reserve, StoreError};

pub(crate) fn of_auth(error: &AuthError) -> Problem {
    let kind = match error {
        AuthError::RunEnded => ProblemKind::RunEnded,
        AuthError::NotReady => ProblemKind::RunNotReady,
        AuthError::TooMany => ProblemKind::RateLimited,
        AuthError::Refused { .. } => ProblemKind::PolicyRefused,
        AuthError::Unavailable { .. } => ProblemKind::StoreUnavailable,
        // The enum may grow; an unknown reason must not let anybody in.
        AuthError::Unauthenticated | _ => ProblemKind::Unauthenticated,
    };
    timed(Problem::new(kind, sentence(error)), error.retry())
}

pub(crate) fn of_store(error: &StoreError) -> Problem {
    let kind = match error {
        StoreError::Conflict { .. } => ProblemKind::StepConflict,
        StoreError::NotFound { .. } => ProblemKind::NotFound,
        // What can't be read is not there to be relied on.
        StoreError::Unavailable { .. } | StoreError::Corrupt { .. } | _ => ProblemKind::StoreUnavailable,
    };
    timed(Problem::new(kind, sentence(error)), error.retry())
}

pub(crate) fn of_source(error: &SourceError) -> Problem {
    Problem::new(ProblemKind::ProviderRefused, sentence(error))
}

pub(crate) fn of_llm(error: &LlmError) -> Problem {
    if let LlmError::Authentication { .. } = error {
        // Providers quote parts of the key in their refusal, and nothing of it may reach a run.
        return Problem::new(
            ProblemKind::ProviderRefused,
            "The provider refused this gateway's key, or wants one and there is none.",
        );
    }
    let kind = match error {
        LlmError::ContextLength { .. } => ProblemKind::ContextLength,
        LlmError::RateLimited { .. } => ProblemKind::RateLimited,
        LlmError::Authentication { .. } | LlmError::BadRequest { .. } | LlmError::QuotaExhausted { .. } => {
            ProblemKind::ProviderRefused
        }
        LlmError::AddressRefused { .. } => ProblemKind::EgressRefused,
        LlmError::Refused { .. } => ProblemKind::PolicyRefused,
        LlmError::Cancelled => ProblemKind::RunEnded,
        LlmError::Timeout { .. } => ProblemKind::Timeout,
        // Everything else, also what is not known yet, is a provider that can't be had.
        LlmError::Unavailable { .. }
        | LlmError::Connect { .. }
        | LlmError::Interrupted { .. }
        | LlmError::Protocol { .. }
        | _ => ProblemKind::ProviderUnavailable,
    };
    timed(Problem::new(kind, sentence(error)), error.retry())
}

pub(crate) fn of_verdict(kind: ProblemKind, verdict: &Verdict) -> Problem {
    let mut problem = Problem::new(kind, verdict.reason.clone());
    problem.policy = Some(verdict.policy.0.clone());
    problem.rule = Some(verdict.rule.clone());
    problem
}

/// A refused reservation.
pub(crate) fn of_budget(reserve: &Reserve) -> Option<Problem> {
    let Reserve::Exhausted { charge, held } = reserve else {
        return None;
    };
    let (policy, rule) = charge.rule.split_once(": ").unwrap_or(("", charge.rule.as_str()));
    let most = match (charge.max_tokens, charge.max_micro_usd) {
        (Some(tokens), Some(micro)) => format!("{tokens} tokens and {micro} millionths of a dollar"),
        (Some(tokens), None) => format!("{tokens} tokens"),
        (None, Some(micro)) => format!("{micro} millionths of a dollar"),
        (None, None) => "nothing".to_owned(),
    };
    let detail = format!(
        "The budget of {} is used up: it holds {} tokens and {} millionths of a dollar, and may hold {most}.",
        charge.account, held.tokens, held.micro_usd
    );
    let mut problem = Problem::new(ProblemKind::BudgetExhausted, detail);
    problem.policy = Some(policy.to_owned());
    problem.rule = Some(rule.to_owned());
    Some(problem)
}

fn timed(mut problem: Problem, retry: Retry) -> Problem {
    if let Retry::After(after) = retry {
        problem.retry_after_ms = Some(millis(after));
    }
    problem
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The error and its sources as a sentence.
fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let text = chain(error);
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// A problem as an answer.
pub(crate) struct Answer(pub(crate) Problem);

/// Whoever got this should come back over another connection, to another gateway.
fn sends_away(kind: ProblemKind) -> bool {
    kind == ProblemKind::Stopping
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        meter::problem(problem.kind);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if sends_away(problem.kind) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(ms) = problem.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        response
    }
}
