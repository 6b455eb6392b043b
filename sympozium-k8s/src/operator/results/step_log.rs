//! The last answer that the gateway recorded for a run: [`StepLogResults`].

use crate::crd::v1alpha1::RunUsage;
use crate::operator::run::{ContainerSeen, Found, Origin, ResultSource, SourceError, Wanted};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use sympozium_core::chat::{ChatResponse, FinishReason, Usage};
use sympozium_core::run::{AgentResult, LimitHit, ResultMetrics, ResultStatus};
use sympozium_core::store::{StepLog, StepRecord};

/// The last answer that the gateway recorded for a run. It counts only as the result of an agent that ended well, and
/// only when it asks for no further tool: what an agent that failed would have said nobody knows.
#[derive(Clone)]
pub struct StepLogResults {
    steps: Arc<dyn StepLog>,
}

impl std::fmt::Debug for StepLogResults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepLogResults").finish_non_exhaustive()
    }
}

impl StepLogResults {
    /// Reads from this log.
    pub fn new(steps: Arc<dyn StepLog>) -> Self {
        Self { steps }
    }
}

#[async_trait]
impl ResultSource for StepLogResults {
    fn origin(&self) -> Origin {
        Origin::StepLog
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Option<Found>, SourceError> {
        let steps = self
            .steps
            .steps(wanted.run.uid)
            .await
            .map_err(|source| SourceError {
                origin: Origin::StepLog,
                source: source.into(),
            })?;
        let ended_well = wanted
            .pod
            .is_none_or(|pod| matches!(&pod.agent, ContainerSeen::Terminated { exit_code: 0, .. }));
        Ok(if ended_well { from_steps(&steps) } else { None })
    }
}

/// The result that the steps of a run amount to. Pure.
fn from_steps(steps: &[StepRecord]) -> Option<Found> {
    let answers: Vec<ChatResponse> = steps
        .iter()
        .filter_map(|step| serde_json::from_value(step.answer.clone()?).ok())
        .collect();
    let last = answers.last()?;
    // A step without an answer means that the agent was still asking.
    if steps.last()?.answer.is_none() || last.finish == FinishReason::ToolCalls {
        return None;
    }
    let usage = sum(&answers);
    let began = steps.first().map(|step| step.begun_at);
    Some(Found {
        result: AgentResult {
            status: ResultStatus::Success,
            response: last.message.text(),
            error: None,
            metrics: ResultMetrics {
                duration_ms: milliseconds(began, steps.last().map(|step| step.begun_at)),
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
                tool_calls: tool_calls(&answers),
            },
            limit: (last.finish == FinishReason::Length).then_some(LimitHit::Output),
        },
        origin: Origin::StepLog,
        usage: Some(metered(&answers, usage)),
        at: None,
    })
}

fn sum(answers: &[ChatResponse]) -> Usage {
    let mut sum = Usage::default();
    for usage in answers.iter().filter_map(|answer| answer.usage.as_ref()) {
        sum.input_tokens = sum.input_tokens.saturating_add(usage.input_tokens);
        sum.output_tokens = sum.output_tokens.saturating_add(usage.output_tokens);
        sum.cache_read_tokens = sum.cache_read_tokens.saturating_add(usage.cache_read_tokens);
        sum.cache_write_tokens = sum.cache_write_tokens.saturating_add(usage.cache_write_tokens);
    }
    sum
}

/// Cost is left out: prices are the gateway's.
fn metered(answers: &[ChatResponse], usage: Usage) -> RunUsage {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    RunUsage {
        model_calls: i64::try_from(answers.len()).unwrap_or(i64::MAX),
        input_tokens: whole(usage.input_tokens),
        output_tokens: whole(usage.output_tokens),
        cache_read_tokens: whole(usage.cache_read_tokens),
        cache_write_tokens: whole(usage.cache_write_tokens),
        cost_micro_usd: None,
    }
}

fn tool_calls(answers: &[ChatResponse]) -> u32 {
    let calls = answers
        .iter()
        .map(|answer| answer.message.tool_calls().count())
        .sum::<usize>();
    u32::try_from(calls).unwrap_or(u32::MAX)
}

fn milliseconds(from: Option<Timestamp>, to: Option<Timestamp>) -> u64 {
    let (Some(from), Some(to)) = (from, to) else {
        return 0;
    };
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::Message;
    use sympozium_core::ids::{RunUid, StepId};
    use sympozium_core::store::StepKey;

    fn step(number: u32, answer: Option<(&str, FinishReason)>) -> StepRecord {
        let answer = answer.map(|(text, finish)| ChatResponse {
            message: Message::assistant(text),
            finish,
            usage: Some(Usage {
                input_tokens: 10,
                output_tokens: 2,
                ..Usage::default()
            }),
            model: None,
        });
        StepRecord {
            key: StepKey {
                run: RunUid(uuid::Uuid::from_u128(1)),
                step: StepId::new(format!("turn-{number}")).unwrap(),
            },
            begun_at: Timestamp::from_second(i64::from(number)).unwrap(),
            answer: answer.map(|answer| serde_json::to_value(answer).unwrap()),
        }
    }

    #[test]
    fn the_last_answer_is_the_result_unless_it_asks_for_more() {
        let asks = step(1, Some(("", FinishReason::ToolCalls)));
        let says = step(2, Some(("Done.", FinishReason::Stop)));
        let found = from_steps(&[asks.clone(), says.clone()]).unwrap();
        assert_eq!(found.result.response, "Done.");
        assert_eq!(
            (
                found.result.metrics.input_tokens,
                found.result.metrics.duration_ms
            ),
            (20, 1000)
        );
        assert_eq!(found.usage.unwrap().model_calls, 2);
        assert_eq!(from_steps(std::slice::from_ref(&asks)), None);
        assert_eq!(from_steps(&[says, step(3, None)]), None);
        assert_eq!(from_steps(&[]), None);
    }
}
