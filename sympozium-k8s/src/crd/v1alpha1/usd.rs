//! Amounts of money in US dollars.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The largest amount: a billion dollars, far within what a double holds exactly in millionths.
const MAX: f64 = 1e9;

/// An amount of US dollars, rounded to the millionth, from 0 to a billion. Written as a number: `5`, `0.25`.
///
/// ```
/// # use sympozium_k8s::crd::v1alpha1::Usd;
/// let usd: Usd = serde_json::from_str("0.25").unwrap();
/// assert_eq!(usd.micros(), 250_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Usd {
    micros: u64,
}

/// A number that is not an amount of money here.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0} is not an amount of US dollars: write a number from 0 to 1000000000")]
pub struct InvalidUsd(f64);

impl Usd {
    /// The amount in millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.micros
    }
}

impl TryFrom<f64> for Usd {
    type Error = InvalidUsd;

    fn try_from(dollars: f64) -> Result<Self, InvalidUsd> {
        if !(0.0..=MAX).contains(&dollars) {
            return Err(InvalidUsd(dollars));
        }
        // Rounded, not refused: whatever the schema accepts must be readable, or one object would stop a watch over all.
        let rounded = (dollars * 1e6).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked above, and the value is whole"
        )]
        let micros = rounded as u64;
        Ok(Self { micros })
    }
}

impl From<Usd> for f64 {
    fn from(usd: Usd) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most 10^15, below 2^53")]
        let micros = usd.micros as Self;
        micros / 1e6
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_kept_to_the_millionth_and_never_negative() {
        for (dollars, expected) in [
            (0.0, Some(0)),
            (5.0, Some(5_000_000)),
            (0.1, Some(100_000)),
            (0.000_001, Some(1)),
            (0.000_000_1, Some(0)),
            (-1.0, None),
            (1e9, Some(1_000_000_000_000_000)),
            (1e10, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(
                Usd::try_from(dollars).ok().map(Usd::micros),
                expected,
                "{dollars}"
            );
        }
    }
}
