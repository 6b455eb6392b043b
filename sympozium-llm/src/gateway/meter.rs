//! Metrics: what is under way (for whoever decides how many gateways there should be), model calls by the names of OpenTelemetry's GenAI conventions (in tokens and seconds), fetches, and
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

/// Counts a turn as under way for as long as it lives.
pub(crate) struct InFlight(());

impl InFlight {
    pub(crate) fn begin() -> Self {
        metrics::gauge!("sympozium_gateway_turns_in_flight").increment(1.0);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("sympozium_gateway_turns_in_flight").decrement(1.0);
    }
}

/// Counts a stream as open for as long as it lives.
pub(crate) struct OpenStream(());

impl OpenStream {
    pub(crate) fn begin() -> Self {
        metrics::gauge!("sympozium_gateway_streams_open").increment(1.0);
        Self(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        metrics::gauge!("sympozium_gateway_streams_open").decrement(1.0);
    }
}

/// So many tunnels more are open.
pub(crate) fn tunnels(more: f64) {
    metrics::gauge!("sympozium_gateway_tunnels_open").increment(more);
}

/// A tunnel that was not opened.
pub(crate) fn tunnel_refused(kind: sympozium_core::gateway::ProblemKind) {
    let outcome = kind.uri().rsplit(':').next().unwrap_or("problem");
    metrics::counter!("sympozium_gateway_tunnels_total", "outcome" => outcome).increment(1);
}

/// A tunnel that ended, with the bytes from and to the skill.
pub(crate) fn tunnel(end: &'static str, up: u64, down: u64) {
    metrics::counter!("sympozium_gateway_tunnels_total", "outcome" => end).increment(1);
    for (direction, bytes) in [("up", up), ("down", down)] {
        metrics::counter!("sympozium_gateway_tunnel_bytes_total", "direction" => direction).increment(bytes);
    }
}
