//! Why the gateway could not be asked, or what it refused, and what that means for a model call.

use std::time::Duration;
use sympozium_core::error::{Classify, Retry};
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::llm::LlmError;

/// Why asking the gateway failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// It is not there.
    #[error("could not connect to the gateway at {at}")]
    Connect {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What it takes to ask it is not there.
    #[error("the gateway can't be asked: {detail}")]
    Setup {
        /// What is wrong, without a token in it.
        detail: String,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to the gateway broke: {detail}")]
    Broken {
        /// What was seen.
        detail: String,
    },
    /// It answered with a problem.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// It answered with a bare status.
    #[error("the gateway answered with status {status} and no explanation")]
    Unexplained {
        /// The status.
        status: u16,
    },
    /// What it said makes no sense.
    #[error("the gateway can't be understood: {detail}")]
    Protocol {
        /// What was wrong.
        detail: String,
    },
}

impl GatewayError {
    /// True when a policy or a budget said no.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Problem(problem) => refusal(problem.kind).is_some(),
            Self::Connect { .. }
            | Self::Setup { .. }
            | Self::Broken { .. }
            | Self::Unexplained { .. }
            | Self::Protocol { .. } => false,
        }
    }

    /// What it means for a model call.
    pub fn into_llm(self) -> LlmError {
        match self {
            Self::Connect { at, source } => LlmError::Connect {
                url: format!("the gateway {at}"),
                source: Box::new(source),
            },
            Self::Broken { detail } => LlmError::Interrupted { detail },
            Self::Problem(problem) => of_problem(*problem),
            Self::Unexplained { status } => LlmError::Unavailable {
                status,
                after: None,
                detail: "the gateway gave no explanation".to_owned(),
            },
            Self::Setup { detail } | Self::Protocol { detail } => LlmError::Protocol { detail },
        }
    }
}

impl Classify for GatewayError {
    fn retry(&self) -> Retry {
        match self {
            // Token and certificates are written anew now and then, and may be missing for that moment.
            Self::Connect { .. } | Self::Setup { .. } | Self::Broken { .. } => Retry::Backoff,
            Self::Problem(problem) => match problem.kind {
                ProblemKind::RunNotReady | ProblemKind::Stopping | ProblemKind::StoreUnavailable => problem
                    .retry_after_ms
                    .map_or(Retry::Backoff, |ms| Retry::After(Duration::from_millis(ms))),
                // The gateway has tried what can be tried; everything else stays as it is.
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
                | ProblemKind::RateLimited
                | ProblemKind::Internal
                | ProblemKind::ProviderUnavailable
                | ProblemKind::ProviderRefused
                | ProblemKind::FetchFailed
                | ProblemKind::Timeout => Retry::Never,
            },
            Self::Unexplained { status } if *status >= 500 => Retry::Backoff,
            Self::Unexplained { .. } | Self::Protocol { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Setup { .. } => "setup",
            Self::Broken { .. } => "interrupted",
            Self::Problem(problem) => short(problem.kind),
            Self::Unexplained { .. } => "unavailable",
            Self::Protocol { .. } => "protocol",
        }
    }
}

fn short(kind: ProblemKind) -> &'static str {
    kind.uri().rsplit(':').next().unwrap_or("problem")
}

/// The name of a refusal; `None` for problems that are none.
fn refusal(kind: ProblemKind) -> Option<&'static str> {
    match kind {
        ProblemKind::RunEnded
        | ProblemKind::ModelNotAllowed
        | ProblemKind::EgressRefused
        | ProblemKind::PolicyRefused
        | ProblemKind::BudgetExhausted => Some(short(kind)),
        ProblemKind::BadRequest
        | ProblemKind::ContextLength
        | ProblemKind::Unauthenticated
        | ProblemKind::NotFound
        | ProblemKind::StepConflict
        | ProblemKind::TooLarge
        | ProblemKind::RateLimited
        | ProblemKind::Internal
        | ProblemKind::ProviderUnavailable
        | ProblemKind::ProviderRefused
        | ProblemKind::FetchFailed
        | ProblemKind::RunNotReady
        | ProblemKind::Stopping
        | ProblemKind::StoreUnavailable
        | ProblemKind::Timeout => None,
    }
}

fn of_problem(problem: Problem) -> LlmError {
    let Problem {
        kind,
        status,
        detail,
        policy,
        rule,
        retry_after_ms,
        ..
    } = problem;
    let after = retry_after_ms.map(Duration::from_millis);
    match kind {
        ProblemKind::ContextLength => LlmError::ContextLength { detail },
        ProblemKind::Unauthenticated => LlmError::Authentication { detail },
        ProblemKind::RateLimited => LlmError::RateLimited { after, detail },
        ProblemKind::RunEnded
        | ProblemKind::ModelNotAllowed
        | ProblemKind::EgressRefused
        | ProblemKind::PolicyRefused
        | ProblemKind::BudgetExhausted => LlmError::Refused {
            kind: short(kind),
            detail: with_rule(detail, policy, rule),
        },
        ProblemKind::BadRequest
        | ProblemKind::NotFound
        | ProblemKind::StepConflict
        | ProblemKind::TooLarge
        | ProblemKind::ProviderRefused => LlmError::BadRequest { status, detail },
        ProblemKind::Internal
        | ProblemKind::ProviderUnavailable
        | ProblemKind::FetchFailed
        | ProblemKind::RunNotReady
        | ProblemKind::Stopping
        | ProblemKind::StoreUnavailable
        | ProblemKind::Timeout => LlmError::Unavailable {
            status,
            after,
            detail,
        },
    }
}

fn with_rule(detail: String, policy: Option<String>, rule: Option<String>) -> String {
    match (policy, rule) {
        (Some(policy), Some(rule)) if !detail.contains(&rule) => {
            format!("{detail} (policy {policy}, rule {rule})")
        }
        _ => detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_one_meaning_on_both_sides() {
        for kind in ProblemKind::ALL {
            let error = GatewayError::Problem(Box::new(Problem::new(*kind, "why")));
            assert_eq!(
                error.kind(),
                kind.uri().trim_start_matches("urn:sympozium:problem:")
            );
            let refused = error.is_refusal();
            assert_eq!(
                matches!(error.into_llm(), LlmError::Refused { .. }),
                refused,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_refusal_names_policy_and_rule_once() {
        let mut problem = Problem::new(ProblemKind::BudgetExhausted, "The budget is used up.");
        problem.policy = Some("team/p".into());
        problem.rule = Some("budget.perDay".into());
        assert_eq!(
            of_problem(problem).to_string(),
            "The budget is used up. (policy team/p, rule budget.perDay)"
        );
    }
}
