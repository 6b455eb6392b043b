//! What many measurements of one thing say together. Pure.

use anyhow::Context;
use serde::Serialize;

/// The least, the quarters and the number of some measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) n: usize,
    pub(crate) min: f64,
    pub(crate) p25: f64,
    pub(crate) p50: f64,
    pub(crate) p75: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(mut samples: Vec<f64>) -> anyhow::Result<Self> {
        samples.sort_by(f64::total_cmp);
        // The nearest rank: a value that was measured, never one in between.
        let at = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1);
            samples.get(rank - 1).copied().context("nothing was measured")
        };
        Ok(Self {
            n: samples.len(),
            min: at(0)?,
            p25: at(25)?,
            p50: at(50)?,
            p75: at(75)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_values_that_were_measured() {
        let samples = (1_u8..=8).rev().map(f64::from).collect();
        let expected = Spread {
            n: 8,
            min: 1.0,
            p25: 2.0,
            p50: 4.0,
            p75: 6.0,
        };
        assert_eq!(Spread::of(samples).unwrap(), expected);
        let one = Spread::of(vec![7.0]).unwrap();
        assert_eq!(
            one,
            Spread {
                n: 1,
                min: 7.0,
                p25: 7.0,
                p50: 7.0,
                p75: 7.0
            }
        );
        assert!(Spread::of(vec![]).is_err());
    }
}
