//! Whether the next request fits into the model's window, and which old tool output is cut when it does not.
//!
//! Pure. Tokens are estimated from bytes (one per four) and corrected upwards by what the provider reports.

use sympozium_core::chat::{Message, Part, Shorten, Usage};

/// Tokens per 1000 bytes that are assumed at least. English prose has about 230, code and JSON up to 330.
const LEAST_PER_MILLE: u64 = 250;
/// More than this is a misreport, not a tokenizer.
const MOST_PER_MILLE: u64 = 1000;
/// From here on old output is cut, in percent of the window. The rest is for the answer and the estimate's error.
const FULL_PERCENT: u64 = 80;
/// Down to here it is cut, so that the next turns need no new cut, which would void the provider's prompt cache.
const TARGET_PERCENT: u64 = 60;
/// Bytes kept of each old tool result, from gentle to hard.
const KEEPS: [u32; 5] = [8192, 2048, 512, 128, 0];
/// The note that stands in for what was cut, and the JSON around a part.
const PART_OVERHEAD: u64 = 64;

/// The estimate and the cut in force.
#[derive(Debug, Clone)]
pub(crate) struct ContextBudget {
    window: Option<u64>,
    /// Bytes of what every request carries besides the run's messages.
    overhead: u64,
    per_mille: u64,
    rule: Option<Shorten>,
}

impl ContextBudget {
    pub(crate) fn new(window: Option<u32>, overhead: u64) -> Self {
        Self {
            window: window.map(u64::from),
            overhead,
            per_mille: LEAST_PER_MILLE,
            rule: None,
        }
    }

    /// The cut for the next request.
    pub(crate) fn plan(&mut self, messages: &[Message]) -> Option<Shorten> {
        let Some(window) = self.window else {
            return self.rule;
        };
        if self.tokens(messages, self.rule) > window * FULL_PERCENT / 100 {
            let fits = |rule: &Shorten| self.tokens(messages, Some(*rule)) <= window * TARGET_PERCENT / 100;
            let all = candidates(messages, self.rule);
            self.rule = all.iter().find(|rule| fits(rule)).or(all.last()).copied();
        }
        self.rule
    }

    /// A harder cut after the provider said that the request was too long; false when nothing is left to cut.
    pub(crate) fn cut_harder(&mut self, messages: &[Message]) -> bool {
        let now = self.bytes(messages, self.rule);
        if let Some(window) = self.window {
            self.per_mille = (window * 1000 / now.max(1) + 1).clamp(self.per_mille, MOST_PER_MILLE);
        }
        let all = candidates(messages, self.rule);
        let halves = |rule: &Shorten| self.bytes(messages, Some(*rule)) * 2 <= now;
        let Some(rule) = all.iter().find(|rule| halves(rule)).or(all.last()).copied() else {
            return false;
        };
        if self.bytes(messages, Some(rule)) >= now {
            return false;
        }
        self.rule = Some(rule);
        true
    }

    /// Learns from what the provider counted for the request of these messages.
    pub(crate) fn observe(&mut self, messages: &[Message], usage: &Usage) {
        let seen = usage.input_tokens.saturating_mul(1000) / self.bytes(messages, self.rule).max(1);
        self.per_mille = seen.clamp(LEAST_PER_MILLE, MOST_PER_MILLE);
    }

    fn tokens(&self, messages: &[Message], rule: Option<Shorten>) -> u64 {
        self.bytes(messages, rule).saturating_mul(self.per_mille) / 1000
    }

    fn bytes(&self, messages: &[Message], rule: Option<Shorten>) -> u64 {
        let sizes = messages.iter().zip(0_u32..).map(|(message, index)| {
            let keep = rule.filter(|rule| index < rule.before).map(|rule| rule.keep);
            message
                .parts
                .iter()
                .map(|part| part_bytes(part, keep))
                .sum::<u64>()
        });
        self.overhead.saturating_add(sizes.sum())
    }
}

fn part_bytes(part: &Part, keep: Option<u32>) -> u64 {
    let len = |text: &str| text.len() as u64;
    PART_OVERHEAD
        + match part {
            Part::Text { text } => len(text),
            Part::Thinking(thinking) => {
                len(&thinking.text)
                    + thinking.signature.as_deref().map_or(0, len)
                    + thinking.redacted.as_deref().map_or(0, len)
            }
            Part::ToolCall(call) => len(call.name.as_str()) + len(&call.arguments.to_string()),
            Part::ToolResult(result) => {
                let whole = len(&result.content);
                keep.map_or(whole, |keep| whole.min(u64::from(keep) + PART_OVERHEAD))
            }
        }
}

/// All cuts, from gentle to hard: first everything but the newest results, then those too.
fn candidates(messages: &[Message], rule: Option<Shorten>) -> Vec<Shorten> {
    let at = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let newest = messages
        .iter()
        .rposition(|message| message.results().next().is_some())
        .unwrap_or(messages.len());
    let floor = rule.map_or(0, |rule| rule.before);
    [at(newest), at(messages.len())]
        .into_iter()
        .filter(|before| *before >= floor)
        .flat_map(|before| KEEPS.map(|keep| Shorten { before, keep }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::chat::{ToolResult, shorten_tool_output};
    use sympozium_core::ids::CallId;

    fn results(bytes: usize) -> Message {
        Message::tool_results(vec![ToolResult {
            id: CallId::new("c").unwrap(),
            content: "x".repeat(bytes),
            is_error: false,
        }])
    }

    #[test]
    fn without_a_known_window_nothing_is_cut() {
        let mut budget = ContextBudget::new(None, 0);
        assert_eq!(budget.plan(&[results(10_000_000)]), None);
    }

    #[test]
    fn a_request_below_the_mark_is_left_alone_and_one_above_loses_old_output_first() {
        let mut budget = ContextBudget::new(Some(10_000), 1000);
        let mut messages = vec![Message::user("go"), results(12_000)];
        assert_eq!(budget.plan(&messages), None);
        messages.extend([Message::assistant("more"), results(20_000)]);
        assert_eq!(
            budget.plan(&messages),
            Some(Shorten {
                before: 3,
                keep: 2048
            })
        );
        // The rule stays in force and the newest output stays whole.
        let mut sent = messages.clone();
        shorten_tool_output(
            &mut sent,
            Shorten {
                before: 3,
                keep: 2048,
            },
        );
        assert_eq!(sent[3], messages[3]);
        assert_eq!(
            budget.plan(&messages),
            Some(Shorten {
                before: 3,
                keep: 2048
            })
        );
    }

    #[test]
    fn the_newest_output_is_cut_when_nothing_else_is_left() {
        let mut budget = ContextBudget::new(Some(10_000), 0);
        let messages = vec![Message::user("go"), results(100_000)];
        assert_eq!(
            budget.plan(&messages),
            Some(Shorten {
                before: 2,
                keep: 8192
            })
        );
    }

    #[test]
    fn what_the_provider_counts_corrects_the_estimate() {
        let mut budget = ContextBudget::new(Some(10_000), 0);
        let messages = vec![Message::user("go"), results(20_000)];
        assert_eq!(budget.plan(&messages), None);
        let usage = Usage {
            input_tokens: 10_000,
            ..Usage::default()
        };
        budget.observe(&messages, &usage);
        assert!(budget.plan(&messages).is_some());
    }

    #[test]
    fn after_a_refusal_the_request_halves_and_gives_up_when_it_cannot() {
        let mut budget = ContextBudget::new(None, 0);
        let messages = vec![Message::user("go"), results(50_000), results(5_000)];
        assert!(budget.cut_harder(&messages));
        assert_eq!(
            budget.rule,
            Some(Shorten {
                before: 2,
                keep: 8192
            })
        );
        let mut budget = ContextBudget::new(Some(100), 0);
        assert!(!budget.cut_harder(&[Message::user("x".repeat(1000))]));
    }
}
