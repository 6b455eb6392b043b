//! Durations as Kubernetes writes them: `30s`, `10m`, `1h30m`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// What [`GoDuration`] accepts, as a regular expression.
const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$";

/// The most characters; the longest sensible text is far below.
const MAX_LENGTH: usize = 32;

/// A duration in the syntax of Go: one or more numbers with a unit (`ns`, `us`, `ms`, `s`, `m`, `h`), never negative.
///
/// The text is kept as it was written, because an immutable field must come back unchanged.
///
/// ```
/// # use sympozium_k8s::crd::v1alpha1::GoDuration;
/// # use std::time::Duration;
/// let timeout: GoDuration = "1h30m".parse().unwrap();
/// assert_eq!(timeout.value(), Duration::from_secs(5400));
/// assert_eq!(timeout.to_string(), "1h30m");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    value: Duration,
}

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write numbers with units, such as 30s, 10m or 1h30m")]
pub struct InvalidDuration(String);

impl GoDuration {
    /// The duration.
    pub const fn value(&self) -> Duration {
        self.value
    }
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let refuse = || InvalidDuration(text.chars().take(80).collect());
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(refuse());
        }
        let mut rest = text;
        let mut value = Duration::ZERO;
        while !rest.is_empty() {
            let (part, after) = parse_part(rest).ok_or_else(refuse)?;
            value = value.checked_add(part).ok_or_else(refuse)?;
            rest = after;
        }
        Ok(Self {
            text: text.to_owned(),
            value,
        })
    }
}

/// One number with its unit, and what follows it.
fn parse_part(text: &str) -> Option<(Duration, &str)> {
    let (whole, rest) = split_digits(text)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest)?,
        None => ("", rest),
    };
    let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(unit_end)?;
    let unit_nanos = nanos_per(unit)?;
    let mut nanos = whole.parse::<u128>().ok()?.checked_mul(unit_nanos)?;
    if !fraction.is_empty() {
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        nanos = nanos.checked_add(fraction.parse::<u128>().ok()?.checked_mul(unit_nanos)? / scale)?;
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let subsecond = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some((Duration::new(seconds, subsecond), rest))
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        None
    } else {
        text.split_at_checked(end)
    }
}

fn nanos_per(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;
    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.text
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_LENGTH, "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("10m", Some(Duration::from_mins(10))),
            ("1h30m", Some(Duration::from_mins(90))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("300ms", Some(Duration::from_millis(300))),
            ("2µs", Some(Duration::from_micros(2))),
            ("0s", Some(Duration::ZERO)),
            ("", None),
            ("10", None),
            ("m", None),
            ("-5m", None),
            ("5 m", None),
            ("5d", None),
            ("1.m", None),
            ("99999999999999999999999h", None),
        ] {
            assert_eq!(
                text.parse::<GoDuration>().ok().map(|d| d.value()),
                expected,
                "{text:?}"
            );
        }
    }
}
