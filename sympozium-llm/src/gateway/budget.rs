//! What a call may cost at most, and what it cost. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sympozium_core::chat::Usage;
use sympozium_core::store::{Amount, Charge};

/// What a model costs, in millionths of a US dollar per million tokens (so a price of 2.50 USD per million is 2,500,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// Input tokens.
    pub input: u64,
    /// Input tokens read from the provider's cache. Default: as other input.
    #[serde(default)]
    pub cache_read: Option<u64>,
    /// Input tokens written to the provider's cache. Default: as other input.
    #[serde(default)]
    pub cache_write: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: u64,
}

/// Prices by `provider/model`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceTable(pub BTreeMap<String, Price>);

impl PriceTable {
    /// The price of a model; `None` when it is not known.
    pub fn of(&self, provider: &str, model: &str) -> Option<Price> {
        self.0.get(&format!("{provider}/{model}")).copied()
    }
}

const PER: u128 = 1_000_000;

impl Price {
    fn dearest_input(&self) -> u64 {
        self.input
            .max(self.cache_read.unwrap_or(0))
            .max(self.cache_write.unwrap_or(0))
    }

    fn cost_of(&self, usage: &Usage) -> u64 {
        let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
        let plain = usage.input_tokens.saturating_sub(cached);
        let sum = cost(plain, self.input)
            + cost(usage.cache_read_tokens, self.cache_read.unwrap_or(self.input))
            + cost(usage.cache_write_tokens, self.cache_write.unwrap_or(self.input))
            + cost(usage.output_tokens, self.output);
        up(sum)
    }
}

fn cost(tokens: u64, price: u64) -> u128 {
    u128::from(tokens) * u128::from(price)
}

/// Rounded up, so that many small calls can't be free.
fn up(sum: u128) -> u64 {
    u64::try_from(sum.div_ceil(PER)).unwrap_or(u64::MAX)
}

/// The upper bound of a call: its request's bytes as input tokens, and all output tokens that it may make.
///
/// No tokenizer makes more tokens than bytes, so the bound holds for every model.
pub(crate) fn bound(request_bytes: u64, max_tokens: u32, price: Option<Price>) -> Amount {
    let tokens = request_bytes.saturating_add(u64::from(max_tokens));
    let micro_usd = price.map_or(0, |p| {
        up(cost(request_bytes, p.dearest_input()) + cost(u64::from(max_tokens), p.output))
    });
    Amount { tokens, micro_usd }
}

/// What a call used.
pub(crate) fn used(usage: &Usage, price: Option<Price>) -> Amount {
    Amount {
        tokens: usage.total(),
        micro_usd: price.map_or(0, |p| p.cost_of(usage)),
    }
}

/// The most output tokens that still fit into every account, given what each holds; `None` when not even one does.
pub(crate) fn fitting(
    wanted: u32,
    request_bytes: u64,
    price: Option<Price>,
    accounts: &[(Charge, Amount)],
) -> Option<u32> {
    let mut most = u64::from(wanted);
    for (charge, held) in accounts {
        if let Some(max) = charge.max_tokens {
            most = most.min(max.saturating_sub(held.tokens).checked_sub(request_bytes)?);
        }
        if let (Some(max), Some(price)) = (charge.max_micro_usd, price) {
            let left = u128::from(max.saturating_sub(held.micro_usd)) * PER;
            let left = left.checked_sub(cost(request_bytes, price.dearest_input()))?;
            if price.output > 0 {
                most = most.min(u64::try_from(left / u128::from(price.output)).unwrap_or(u64::MAX));
            }
        }
    }
    u32::try_from(most).ok().filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::ids::RunUid;
    use sympozium_core::store::{Account, Scope, Window};

    const PRICE: Price = Price {
        input: 2_000_000,
        cache_read: Some(200_000),
        cache_write: Some(2_500_000),
        output: 8_000_000,
    };

    fn charge(max_tokens: Option<u64>, max_micro_usd: Option<u64>) -> Charge {
        let account = Account {
            scope: Scope::Run(RunUid::random()),
            window: Window::Total,
        };
        Charge {
            account,
            max_tokens,
            max_micro_usd,
            rule: String::new(),
        }
    }

    #[test]
    fn the_bound_is_never_below_what_a_call_can_use() {
        let bound = bound(100, 50, Some(PRICE));
        let worst = Usage {
            input_tokens: 100,
            output_tokens: 50,
            cache_write_tokens: 100,
            ..Usage::default()
        };
        let used = used(&worst, Some(PRICE));
        assert_eq!(
            bound,
            Amount {
                tokens: 150,
                micro_usd: 650
            }
        );
        assert!(used.tokens <= bound.tokens && used.micro_usd <= bound.micro_usd);
    }

    #[test]
    fn output_is_lowered_to_what_every_account_has_left() {
        let held = Amount {
            tokens: 100,
            micro_usd: 100,
        };
        let fit = |charge| fitting(1000, 200, Some(PRICE), &[(charge, held)]);
        assert_eq!(fit(charge(None, None)), Some(1000));
        assert_eq!(fit(charge(Some(400), None)), Some(100));
        assert_eq!(fit(charge(Some(300), None)), None);
        assert_eq!(fit(charge(Some(250), None)), None);
        assert_eq!(fit(charge(None, Some(1400))), Some(100));
        assert_eq!(fit(charge(None, Some(500))), None);
    }

    #[test]
    fn money_is_rounded_up() {
        let usage = Usage {
            input_tokens: 1,
            ..Usage::default()
        };
        assert_eq!(
            used(
                &usage,
                Some(Price {
                    input: 1,
                    cache_read: None,
                    cache_write: None,
                    output: 0
                })
            )
            .micro_usd,
            1
        );
    }
}
