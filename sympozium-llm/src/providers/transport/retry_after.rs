//! When a provider asks to be tried again. Pure.

use http::{HeaderMap, header};
use jiff::Timestamp;
use std::time::Duration;

/// The longest time that is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// From `retry-after-ms`, else `retry-after` in seconds or as a date. A date is compared with the answer's own `date`,
/// so that clocks need not agree; `now` is for answers without one.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = value("retry-after-ms").and_then(|text| seconds(text, 1_000.0));
    let after = value(header::RETRY_AFTER.as_str());
    millis
        .or_else(|| after.and_then(|text| seconds(text, 1.0)))
        .or_else(|| {
            let until = date(after?)?;
            let from = value(header::DATE.as_str()).and_then(date).unwrap_or(now);
            Some(Duration::try_from(until.duration_since(from)).unwrap_or_default())
        })
        .map(|after| after.min(LONGEST))
}

fn seconds(text: &str, divisor: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    if number < 0.0 {
        return None;
    }
    // Too large a number is finite and means very long; what is no number means nothing.
    number
        .is_finite()
        .then(|| Duration::try_from_secs_f64(number / divisor).unwrap_or(LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn check(headers: &[(&'static str, &'static str)], expected: Option<Duration>) {
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(retry_after(&map, now), expected, "{headers:?}");
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_understood() {
        let of = |seconds| Some(Duration::from_secs(seconds));
        check(&[("retry-after", "7")], of(7));
        check(&[("retry-after", " 1.5 ")], Some(Duration::from_millis(1500)));
        check(&[("retry-after", "0")], of(0));
        check(
            &[("retry-after-ms", "250"), ("retry-after", "7")],
            Some(Duration::from_millis(250)),
        );
        check(&[("retry-after-ms", "soon"), ("retry-after", "7")], of(7));
        check(&[("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT")], of(30));
        check(&[("retry-after", "Fri, 02 Jan 2026 03:04:00 GMT")], of(0));
        check(
            &[
                ("retry-after", "Fri, 02 Jan 2026 05:00:10 GMT"),
                ("date", "Fri, 02 Jan 2026 05:00:00 GMT"),
            ],
            of(10),
        );
    }

    #[test]
    fn nonsense_says_nothing_and_for_ever_is_a_day() {
        check(&[], None);
        for nonsense in ["", "soon", "-1", "NaN", "inf", "Fri, 99 Jan 2026"] {
            check(&[("retry-after", nonsense)], None);
        }
        check(&[("retry-after", "1e300")], Some(LONGEST));
        check(&[("retry-after", "99999999")], Some(LONGEST));
    }
}
