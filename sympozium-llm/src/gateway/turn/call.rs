//! A model call: decided, attempted as often as it helps, and on record.

use super::super::stage::stopping;
use super::super::{Inner, problem, runs};
use super::attempt::{Call, Failure};
use super::flight::Flight;
use crate::retry::next_delay;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use sympozium_core::chat::{ChatRequest, ChatResponse};
use sympozium_core::error::Classify;
use sympozium_core::gateway::{GatewayEvent, Problem, ProblemKind, RetryNotice};
use sympozium_core::ids::StepId;
use sympozium_core::llm::LlmProvider;
use sympozium_core::policy::{Outcome, decide_model};
use sympozium_core::run::RunPlan;
use sympozium_core::store::{AuditKind, AuditRecord};
use tokio::time::Instant;
use uuid::Uuid;

/// A model call that is wanted.
pub(super) struct Wanted<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) step: &'a StepId,
    pub(super) request: ChatRequest,
    /// The receiver can be told that what was streamed is void.
    pub(super) resumable: bool,
}

/// Decides about the model, calls it, and records both.
pub(super) async fn call(
    inner: &Inner,
    flight: &Flight,
    wanted: Wanted<'_>,
) -> Result<ChatResponse, Problem> {
    let plan = wanted.plan;
    let model = wanted.request.model.clone();
    let verdict = decide_model(&plan.policies, &plan.model.provider, &model);
    if verdict.outcome != Outcome::Allow {
        let detail = json!({
            "question": verdict.question.to_string(),
            "outcome": verdict.outcome.as_str(),
            "policy": verdict.policy,
            "rule": verdict.rule,
        });
        audit(inner, plan, AuditKind::Verdict, detail).await?;
        return Err(problem::of_verdict(ProblemKind::ModelNotAllowed, &verdict));
    }
    let provider = inner
        .parts
        .providers
        .provider(plan)
        .await
        .map_err(|error| problem::of_source(&error))?;
    let step = wanted.step.clone();
    let (outcome, attempts) = attempts(inner, flight, wanted, &provider).await;
    let (usage, error) = match &outcome {
        Ok(answer) => (json!(answer.usage), Value::Null),
        Err(failure) => (Value::Null, json!(failure.kind())),
    };
    let detail = json!({
        "step": step,
        "provider": plan.model.provider,
        "model": model,
        "attempts": attempts,
        "usage": usage,
        "error": error,
    });
    audit(inner, plan, AuditKind::ModelCall, detail).await?;
    outcome.map_err(Failure::into_problem)
}

async fn attempts(
    inner: &Inner,
    flight: &Flight,
    wanted: Wanted<'_>,
    provider: &Arc<dyn LlmProvider>,
) -> (Result<ChatResponse, Failure>, u32) {
    let Wanted {
        plan,
        request,
        resumable,
        ..
    } = wanted;
    let parts = &inner.parts;
    let clock = inner.runs.seen(plan.run.uid, plan.limits.timeout);
    let deadline = clock.deadline.min(Instant::now() + parts.limits.turn);
    let max_tokens = request.max_tokens;
    let mut call = Call {
        parts,
        plan,
        provider,
        request,
        flight,
        deadline,
        cancel: &clock.cancel,
        over: &inner.course.over,
    };
    let mut attempt = 1;
    loop {
        call.request.max_tokens = max_tokens;
        let failure = match call.attempt().await {
            Ok(answer) => return (Ok(answer), attempt),
            Err(failure) => failure,
        };
        if inner.course.over.is_cancelled() {
            return (Err(stopping().into()), attempt);
        }
        if clock.remaining().is_zero() {
            return (Err(runs::time_is_up().into()), attempt);
        }
        let pause = match &failure {
            Failure::Provider { streamed: true, .. } if !resumable => None,
            Failure::Provider { error, .. } => {
                next_delay(error.retry(), attempt, &parts.limits.retry, fastrand::f64())
            }
            Failure::Ours(_) => None,
        };
        let Some(pause) = pause.filter(|pause| Instant::now() + *pause < deadline) else {
            return (Err(failure), attempt);
        };
        flight.push(GatewayEvent::Retry(notice(attempt, pause, &failure)));
        tokio::select! {
            () = tokio::time::sleep(pause) => attempt += 1,
            () = clock.cancel.cancelled() => return (Err(failure), attempt),
            () = inner.course.over.cancelled() => return (Err(stopping().into()), attempt),
        }
    }
}

fn notice(attempt: u32, pause: Duration, failure: &Failure) -> RetryNotice {
    let detail = match failure {
        Failure::Provider { error, .. } => problem::of_llm(error).detail,
        Failure::Ours(problem) => problem.detail.clone(),
    };
    RetryNotice {
        attempt,
        after_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        detail,
    }
}

/// A step that is asked for again after it failed is another event, so the record's id is not derived from the step.
pub(crate) async fn audit(
    inner: &Inner,
    plan: &RunPlan,
    kind: AuditKind,
    detail: Value,
) -> Result<(), Problem> {
    let record = AuditRecord {
        id: Uuid::new_v4(),
        run: plan.run.uid,
        at: inner.parts.clock.now(),
        kind,
        detail,
    };
    inner
        .parts
        .stores
        .audit
        .append(&record)
        .await
        .map_err(|error| problem::of_store(&error))
}
