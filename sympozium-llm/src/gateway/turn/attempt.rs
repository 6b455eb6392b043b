//! One attempt at a model call: reserve, stream, settle.

use super::super::builder::Parts;
use super::super::{budget, meter, problem};
use super::conversation::json_len;
use super::flight::Flight;
use futures::StreamExt;
use std::sync::Arc;
use sympozium_core::chat::{Accumulator, ChatEvent, ChatRequest, ChatResponse};
use sympozium_core::error::Classify;
use sympozium_core::gateway::{GatewayEvent, Problem, ProblemKind};
use sympozium_core::llm::{LlmError, LlmProvider};
use sympozium_core::policy::charges;
use sympozium_core::run::RunPlan;
use sympozium_core::store::{Amount, Charge, Reservation};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the output bound is lowered anew when other calls took what was left meanwhile.
const SQUEEZES: u32 = 8;

/// What a model call needs.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) plan: &'a RunPlan,
    pub(super) provider: &'a Arc<dyn LlmProvider>,
    pub(super) request: ChatRequest,
    pub(super) flight: &'a Flight,
    pub(super) deadline: Instant,
    pub(super) cancel: &'a CancellationToken,
    /// Cancelled when this gateway gives up what is under way.
    pub(super) over: &'a CancellationToken,
}

/// How far an attempt got.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The provider began to answer.
    answer: bool,
    /// A piece of the answer was passed on.
    piece: bool,
}

/// Why an attempt failed.
pub(super) enum Failure {
    /// The provider's fault; perhaps worth another attempt.
    Provider {
        error: LlmError,
        /// Pieces of the answer were passed on before.
        streamed: bool,
    },
    /// Not the provider's; another attempt would not help.
    Ours(Problem),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Ours(problem)
    }
}

impl Failure {
    /// The name of what went wrong, for records.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Provider { error, .. } => error.kind(),
            Self::Ours(problem) => problem.kind.uri().rsplit(':').next().unwrap_or("problem"),
        }
    }

    pub(super) fn into_problem(self) -> Problem {
        match self {
            Self::Provider { error, .. } => problem::of_llm(&error),
            Self::Ours(problem) => problem,
        }
    }
}

impl Call<'_> {
    /// Makes the attempt. The answer's last event is not passed on yet: first it must be stored.
    pub(super) async fn attempt(&mut self) -> Result<ChatResponse, Failure> {
        let (id, reserved) = self.reserve().await?;
        let started = Instant::now();
        let mut seen = Seen::default();
        let outcome = self.stream(&mut seen).await;
        meter::call(self.plan, &outcome, started.elapsed());
        if let Some(used) = self.used(&outcome, seen, reserved) {
            let now = self.parts.clock.now();
            // Unsettled means charged in full, so a store that is gone by now can't make a budget larger.
            if let Err(error) = self.parts.stores.ledger.settle(id, used, now).await {
                tracing::warn!(%error, run = %self.plan.run.uid, "a reservation stays charged in full");
            }
        }
        outcome.map_err(|error| Failure::Provider {
            error,
            streamed: seen.piece,
        })
    }

    /// Reserves the bound of the call, lowering its output to what is left.
    async fn reserve(&mut self) -> Result<(Uuid, Amount), Problem> {
        let RunPlan {
            policies,
            run,
            instance,
            model,
            ..
        } = self.plan;
        let price = self
            .parts
            .prices
            .of(model.provider.as_str(), self.request.model.as_str());
        let bytes = json_len(&self.request).unwrap_or(u64::MAX);
        let wanted = self
            .request
            .max_tokens
            .unwrap_or(self.parts.limits.default_output_tokens);
        let mut refusal = None;
        for squeeze in 0..=SQUEEZES {
            let now = self.parts.clock.now();
            let charges = charges(policies, run.uid, instance, now);
            refuse_unpriced(&charges, price.is_some(), self.request.model.as_str())?;
            // Nearly always all of it fits, so nothing is looked up before it does not.
            let fitting = if squeeze == 0 {
                Some(wanted)
            } else {
                let accounts = self.held(&charges).await?;
                budget::fitting(wanted, bytes, price, &accounts)
            };
            // When nothing fits, the smallest call is tried, so that the ledger says which account is full.
            let max_tokens = fitting.unwrap_or(1);
            let amount = budget::bound(bytes, max_tokens, price);
            let reservation = Reservation {
                id: Uuid::new_v4(),
                amount,
                charges,
            };
            let answer = self.parts.stores.ledger.reserve(&reservation, now).await;
            match problem::of_budget(&answer.map_err(|error| problem::of_store(&error))?) {
                None => {
                    self.request.max_tokens = Some(max_tokens);
                    return Ok((reservation.id, amount));
                }
                Some(problem) if fitting.is_none() => return Err(problem),
                // Another call was faster; what is left now may still do.
                Some(problem) => refusal = Some(problem),
            }
        }
        Err(refusal.unwrap_or_else(|| Problem::new(ProblemKind::BudgetExhausted, "The budget is used up.")))
    }

    /// What the limited accounts hold now.
    async fn held(&self, charges: &[Charge]) -> Result<Vec<(Charge, Amount)>, Problem> {
        let mut accounts = Vec::new();
        for charge in charges
            .iter()
            .filter(|c| c.max_tokens.is_some() || c.max_micro_usd.is_some())
        {
            let held = self.parts.stores.ledger.held(&charge.account).await;
            accounts.push((charge.clone(), held.map_err(|error| problem::of_store(&error))?));
        }
        Ok(accounts)
    }

    async fn stream(&self, seen: &mut Seen) -> Result<ChatResponse, LlmError> {
        let max = self.parts.limits.max_answer;
        let whole = async {
            let mut stream = self.provider.stream(self.request.clone()).await?;
            seen.answer = true;
            let mut answer = Accumulator::default();
            let mut size = 0;
            while let Some(event) = stream.next().await {
                let event = event?;
                answer.push(&event);
                size += weight(&event);
                if size > max {
                    return Err(LlmError::Protocol {
                        detail: format!("the answer is larger than {max} bytes"),
                    });
                }
                if let ChatEvent::Done { .. } = event {
                    break;
                }
                self.flight.push(GatewayEvent::Chat(event));
                seen.piece = true;
            }
            answer.finish().ok_or_else(|| LlmError::Interrupted {
                detail: "the stream ended too early".to_owned(),
            })
        };
        tokio::select! {
            answer = whole => answer,
            () = self.cancel.cancelled() => Err(LlmError::Cancelled),
            () = self.over.cancelled() => Err(LlmError::Interrupted {
                detail: "the gateway stops".to_owned(),
            }),
            () = tokio::time::sleep_until(self.deadline) => Err(LlmError::Timeout { limit: self.parts.limits.turn }),
        }
    }

    /// What to settle; `None` = the reservation stands.
    fn used(&self, outcome: &Result<ChatResponse, LlmError>, seen: Seen, reserved: Amount) -> Option<Amount> {
        let price = self
            .parts
            .prices
            .of(self.plan.model.provider.as_str(), self.request.model.as_str());
        let used = match outcome {
            Ok(answer) => budget::used(&answer.usage?, price),
            // An error inside a stream comes from a provider that was at work already.
            Err(error) if !seen.answer && never_worked(error) => Amount::default(),
            Err(_) => return None,
        };
        // The ledger keeps the truth, even when a provider did more than it was asked for.
        if used.tokens > reserved.tokens {
            let (run, used, reserved) = (self.plan.run.uid, used.tokens, reserved.tokens);
            tracing::warn!(%run, used, reserved, "a call used more than its bound");
        }
        Some(used)
    }
}

/// True when the provider certainly did no work for this attempt.
fn never_worked(error: &LlmError) -> bool {
    match error {
        LlmError::Authentication { .. }
        | LlmError::BadRequest { .. }
        | LlmError::ContextLength { .. }
        | LlmError::RateLimited { .. }
        | LlmError::QuotaExhausted { .. }
        | LlmError::AddressRefused { .. }
        | LlmError::Refused { .. } => true,
        // Nothing was sent. A connection that broke later may have, and so may one of which that is not known.
        LlmError::Connect { source, .. } => source
            .downcast_ref::<reqwest::Error>()
            .is_some_and(reqwest::Error::is_connect),
        // These two mean that it took nothing on; other failures of its own may have come after the work.
        LlmError::Unavailable { status, .. } => matches!(status, 503 | 529),
        // It may have worked and nobody said how much; kinds that are not known yet count as that.
        _ => false,
    }
}

fn refuse_unpriced(charges: &[Charge], priced: bool, model: &str) -> Result<(), Problem> {
    let Some(charge) = charges
        .iter()
        .find(|charge| charge.max_micro_usd.is_some() && !priced)
    else {
        return Ok(());
    };
    let detail = format!("The model {model} has no price in the price table, and the budget is in dollars.");
    let mut problem = Problem::new(ProblemKind::PolicyRefused, detail);
    problem.rule = Some(charge.rule.clone());
    Err(problem)
}

/// Roughly how much memory an event takes.
fn weight(event: &ChatEvent) -> usize {
    64 + match event {
        ChatEvent::TextDelta { text, .. } => text.len(),
        ChatEvent::ThinkingDelta {
            text,
            signature,
            redacted,
            ..
        } => {
            text.len() + signature.as_ref().map_or(0, String::len) + redacted.as_ref().map_or(0, String::len)
        }
        ChatEvent::ToolCallDelta { arguments, .. } => arguments.len(),
        // The rest is small, and so are kinds that are not known yet.
        _ => 0,
    }
}
