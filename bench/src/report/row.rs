//! One measured figure and what it is compared with.

use crate::spread::Spread;
use serde::Serialize;

/// What the numbers of a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "µs")]
    Microseconds,
    /// Of 1,000,000 bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// Of 1,048,576 bytes.
    #[serde(rename = "MiB")]
    Mebibytes,
    /// Of 1,000 bytes.
    #[serde(rename = "kB")]
    Kilobytes,
}

impl Unit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Megabytes => "MB",
            Self::Mebibytes => "MiB",
            Self::Kilobytes => "kB",
        }
    }
}

/// A figure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) measured: Spread,
    pub(crate) baseline: Option<Baseline>,
    /// The same of the system in Go, where it was measured.
    pub(crate) go: Option<f64>,
    /// The most that the median may be.
    pub(crate) goal: Option<f64>,
}

/// The bare thing that was measured in turn with a figure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Baseline {
    pub(crate) what: String,
    pub(crate) measured: Spread,
    /// The figure is what came on top of this.
    added: bool,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, unit: Unit, samples: Vec<f64>) -> anyhow::Result<Self> {
        Ok(Self {
            what: what.into(),
            unit,
            measured: Spread::of(samples)?,
            baseline: None,
            go: None,
            goal: None,
        })
    }

    /// Beside this, which does the least that has to be done.
    pub(crate) fn beside(self, what: impl Into<String>, samples: Vec<f64>) -> anyhow::Result<Self> {
        self.with_baseline(what.into(), samples, false)
    }

    /// On top of this: the figure is the difference.
    pub(crate) fn on_top_of(self, what: impl Into<String>, samples: Vec<f64>) -> anyhow::Result<Self> {
        self.with_baseline(what.into(), samples, true)
    }

    fn with_baseline(mut self, what: String, samples: Vec<f64>, added: bool) -> anyhow::Result<Self> {
        let measured = Spread::of(samples)?;
        self.baseline = Some(Baseline {
            what,
            measured,
            added,
        });
        Ok(self)
    }

    pub(crate) const fn go(mut self, go: f64) -> Self {
        self.go = Some(go);
        self
    }

    pub(crate) const fn goal(mut self, at_most: f64) -> Self {
        self.goal = Some(at_most);
        self
    }

    /// How many times the baseline it takes.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let baseline = self.baseline.as_ref()?;
        let bare = baseline.measured.p50;
        let whole = if baseline.added {
            bare + self.measured.p50
        } else {
            self.measured.p50
        };
        (bare > 0.0).then_some(whole / bare)
    }

    pub(crate) fn is_met(&self) -> Option<bool> {
        Some(self.measured.p50 <= self.goal?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(median: f64) -> Row {
        Row::new("x", Unit::Milliseconds, vec![median]).unwrap()
    }

    #[test]
    fn a_ratio_compares_the_whole_with_the_baseline() {
        assert_eq!(row(3.0).ratio(), None);
        assert_eq!(row(3.0).beside("b", vec![2.0]).unwrap().ratio(), Some(1.5));
        assert_eq!(row(3.0).on_top_of("b", vec![2.0]).unwrap().ratio(), Some(2.5));
        assert_eq!(row(3.0).beside("b", vec![0.0]).unwrap().ratio(), None);
    }

    #[test]
    fn a_goal_is_met_by_the_median_itself() {
        assert_eq!(row(2.0).is_met(), None);
        assert_eq!(row(2.0).goal(2.0).is_met(), Some(true));
        assert_eq!(row(2.1).goal(2.0).is_met(), Some(false));
    }
}
