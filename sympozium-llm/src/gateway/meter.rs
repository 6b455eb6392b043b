//! Metrics: model calls by the names of OpenTelemetry's GenAI conventions (in tokens and seconds), fetches, and
//! problems.
//!
//! Recorded through the `metrics` facade: whoever embeds a gateway brings the recorder. Labels are bounded: provider,
//! model as configured in the run's plan, and the kind of error.

use std::time::Duration;
use sympozium_core::chat::ChatResponse;
use sympozium_core::error::Classify;
use sympozium_core::llm::LlmError;
use sympozium_core::run::RunPlan;

/// One attempt at a model call.
pub(crate) fn call(plan: &RunPlan, outcome: &Result<ChatResponse, LlmError>, took: Duration) {
    let labels = [
        ("gen_ai_provider_name", plan.model.provider.to_string()),
        ("gen_ai_request_model", plan.model.model.to_string()),
        (
            "error_type",
            outcome.as_ref().err().map_or("", Classify::kind).to_owned(),
        ),
    ];
    metrics::histogram!("gen_ai_client_operation_duration_seconds", &labels).record(took.as_secs_f64());
    let Some(usage) = outcome.as_ref().ok().and_then(|answer| answer.usage) else {
        return;
    };
    for (kind, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
        let [provider, model, _] = labels.clone();
        let labels = [provider, model, ("gen_ai_token_type", kind.to_owned())];
        metrics::counter!("gen_ai_client_token_usage_total", &labels).increment(tokens);
    }
}

/// A refused or failed request, by kind of problem.
pub(crate) fn problem(kind: sympozium_core::gateway::ProblemKind) {
    let kind = kind.uri().rsplit(':').next().unwrap_or("problem");
    metrics::counter!("sympozium_gateway_problems_total", "type" => kind).increment(1);
}

/// A fetch, and the problem in which it ended, if in one.
pub(crate) fn fetch(problem: Option<sympozium_core::gateway::ProblemKind>) {
    let outcome = problem.map_or("ok", |kind| kind.uri().rsplit(':').next().unwrap_or("problem"));
    metrics::counter!("sympozium_gateway_fetches_total", "outcome" => outcome).increment(1);
}
