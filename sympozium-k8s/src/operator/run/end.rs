//! How a run ended, for its status and its Event: [`End`]. Pure.

use super::view::RunView;
use crate::crd::v1alpha1::{AgentRunStatus, RunUsage, TokenUsage};
use crate::operator::conditions::{ConditionType, find, second};
use jiff::Timestamp;
use sympozium_core::memory::extract;
use sympozium_core::run::{AgentResult, Ending, LimitHit, Observed, ResultMetrics, RunPhase};

/// The most bytes of an answer in a status.
pub const MOST_RESULT: usize = 32 * 1024;
/// The most characters of an error in a status.
const MOST_ERROR: usize = 2048;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Its last phase.
    pub phase: RunPhase,
    /// Why it did not succeed, in one sentence.
    pub error: Option<String>,
    /// Why it was never taken on, in one CamelCase word; `None` for runs that were.
    pub refusal: Option<&'static str>,
    /// Its answer, cut.
    pub answer: Option<String>,
    /// Whether the answer is cut.
    pub truncated: bool,
    /// What it wants to remember.
    pub memory: Option<String>,
    /// The agent's exit code.
    pub exit_code: Option<i32>,
    /// Its counts.
    pub tokens: Option<TokenUsage>,
    /// What the gateway metered.
    pub usage: Option<RunUsage>,
    /// When the agent ended, else now.
    pub at: Timestamp,
}

impl End {
    fn bare(phase: RunPhase, error: impl Into<String>, at: Timestamp) -> Self {
        let error: String = error.into();
        Self {
            phase,
            error: (!error.is_empty()).then(|| error.chars().take(MOST_ERROR).collect()),
            refusal: None,
            answer: None,
            truncated: false,
            memory: None,
            exit_code: None,
            tokens: None,
            usage: None,
            at: second(at),
        }
    }

    /// The end that a status tells; `None` if it tells none.
    pub fn of_status(status: &AgentRunStatus) -> Option<Self> {
        let phase = status.phase.filter(|phase| phase.is_terminal())?;
        let at = status.completed_at.as_ref().map(|time| time.0);
        let refused = find(&status.conditions, ConditionType::Admitted)
            .is_some_and(|one| one.status == "False")
            && status.job_name.is_none()
            && phase == RunPhase::Failed;
        let mut end = Self::bare(
            phase,
            status.error.clone().unwrap_or_default(),
            at.unwrap_or_default(),
        );
        end.refusal = refused.then_some("Refused");
        Some(end)
    }

    /// A run that was never taken on. `at` is filled in by the status.
    pub(super) fn refused(reason: &'static str, message: &str) -> Self {
        Self {
            refusal: Some(reason),
            ..Self::bare(RunPhase::Failed, message, Timestamp::UNIX_EPOCH)
        }
    }

    /// A run whose agent did not get to work in time.
    pub(super) fn never_started(view: &RunView<'_>) -> Self {
        let holdup = view.pod().and_then(super::seen::PodSeen::holdup);
        let why = holdup.unwrap_or_else(|| "no reason is known".to_owned());
        let most = view.timing.start_deadline;
        Self::bare(
            RunPhase::Failed,
            format!("The agent did not start within {most:#}: {why}"),
            view.now,
        )
    }
}

/// How a run ended, from what the phase machine says and what was found.
pub(super) fn end(view: &RunView<'_>, ending: &Ending, observed: &Observed) -> End {
    let result = view.found.map(|found| &found.result);
    let (phase, error) = match ending {
        Ending::Answered => (RunPhase::Succeeded, String::new()),
        Ending::Error(error) => (RunPhase::Failed, error.clone()),
        Ending::Died { exit_code } => (RunPhase::Failed, died(view, *exit_code)),
        Ending::Deadline => (RunPhase::Failed, deadline(result)),
        Ending::Cancelled => (RunPhase::Cancelled, "The run was cancelled.".to_owned()),
        Ending::Lost => (
            RunPhase::Failed,
            "The Job and the pod of the run are gone, and it left no result.".to_owned(),
        ),
    };
    let at = match observed {
        Observed::Finished { at, .. } => (*at).min(view.now),
        _ => view.now,
    };
    let bare = End::bare(phase, error, at);
    let Some(result) = result else {
        return End {
            exit_code: view.exit_code(),
            ..bare
        };
    };
    let taken = extract(&result.response);
    let (answer, truncated) = cut(&taken.answer);
    let remembers = matches!(ending, Ending::Answered | Ending::Deadline);
    End {
        answer: (!answer.is_empty()).then_some(answer),
        truncated,
        memory: taken.memory.filter(|_| remembers),
        exit_code: exit_code(observed),
        tokens: Some(tokens(&result.metrics)),
        usage: view.found.and_then(|found| found.usage.clone()),
        ..bare
    }
}

fn exit_code(observed: &Observed) -> Option<i32> {
    match observed {
        Observed::Finished { exit_code, .. } => Some(*exit_code),
        _ => None,
    }
}

fn died(view: &RunView<'_>, exit_code: i32) -> String {
    use super::seen::ContainerSeen;
    let pod = view.pod();
    if let Some(ContainerSeen::Terminated { reason, .. }) = pod.map(|pod| &pod.agent) {
        let why = if reason.is_empty() || reason == "Error" {
            String::new()
        } else {
            format!(" ({reason})")
        };
        return format!("The agent ended with exit code {exit_code}{why} and left no result.");
    }
    let trouble = pod.and_then(|pod| pod.trouble.clone());
    trouble.map_or_else(
        || "The pod of the run ended and left no result.".to_owned(),
        |(reason, message)| format!("The pod of the run was ended: {reason}: {message}"),
    )
}

fn deadline(result: Option<&AgentResult>) -> String {
    result
        .filter(|result| result.limit != Some(LimitHit::Deadline) || result.error.is_some())
        .and_then(|result| result.error.clone())
        .unwrap_or_else(|| "The time was up before there was an answer.".to_owned())
}

/// The answer, at most [`MOST_RESULT`] bytes long, and whether something is missing.
fn cut(answer: &str) -> (String, bool) {
    let end = answer.floor_char_boundary(MOST_RESULT);
    let kept = answer.get(..end).unwrap_or_default();
    (kept.to_owned(), kept.len() < answer.len())
}

fn tokens(metrics: &ResultMetrics) -> TokenUsage {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    TokenUsage {
        input_tokens: whole(metrics.input_tokens),
        output_tokens: whole(metrics.output_tokens),
        total_tokens: whole(metrics.input_tokens.saturating_add(metrics.output_tokens)),
        tool_calls: i64::from(metrics.tool_calls),
        duration_ms: whole(metrics.duration_ms),
    }
}
