//! Five cron fields in a time zone: [`Expression`].

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

/// A text that says no times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Not five fields, or a field that can't be read.
    #[error("{text:?} is no schedule: {reason}")]
    Expression {
        /// The text, as it was given.
        text: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// No such time zone.
    #[error("there is no time zone {0:?}; use a name such as Europe/Berlin or UTC")]
    TimeZone(String),
}

impl ScheduleError {
    fn expression(text: &str, reason: impl Into<String>) -> Self {
        Self::Expression {
            text: text.to_owned(),
            reason: reason.into(),
        }
    }
}

/// When something is due: minute, hour, day of month, month, day of week, in a time zone.
///
/// Ranges, steps, lists and names as in Kubernetes CronJobs; if both day fields are given, either may match. `L`, `W`,
/// `#`, `+` and 7 for Sunday, which only some programs know, are refused. A time that a change of clocks skips is due
/// right after the gap; one that it repeats is due once.
///
/// ```
/// # use sympozium_core::schedule::Expression;
/// let weekdays = Expression::new("30 9 * * 1-5", Some("Europe/Berlin"))?;
/// let monday = "2026-11-30T09:00:00Z".parse()?;
/// assert_eq!(weekdays.after(monday).unwrap().to_string(), "2026-12-01T08:30:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Expression {
    cron: Cron,
    zone: TimeZone,
}

impl Expression {
    /// Reads the fields, or one of `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. No
    /// zone means UTC.
    pub fn new(text: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        let fields = fields(text)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .sloppy_ranges(true)
            .build()
            .parse(&fields)
            .map_err(|error| ScheduleError::expression(text, error.to_string()))?;
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| ScheduleError::TimeZone(name.to_owned()))?,
        };
        let expression = Self { cron, zone };
        // The 30th of February and its like would otherwise wait in silence.
        if expression.after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(ScheduleError::expression(text, "no such day ever comes"));
        }
        Ok(expression)
    }

    /// The first time after `moment`; `None` when none comes.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let local = moment.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        let next = next.timestamp();
        // Where clocks are set back, a local time can lie before the moment at which it was asked for.
        (next > moment).then_some(next)
    }
}

/// The five fields that a text stands for.
fn fields(text: &str) -> Result<String, ScheduleError> {
    let five = match text.trim() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other if other.starts_with('@') => {
            let reason = "use @hourly, @daily, @midnight, @weekly, @monthly, @yearly, or five fields";
            return Err(ScheduleError::expression(text, reason));
        }
        other => other,
    };
    let parts: Vec<&str> = five.split_whitespace().collect();
    let Ok([minute, hour, day, month, weekday]) = <[&str; 5]>::try_from(parts) else {
        let reason = "there must be five fields: minute, hour, day of month, month, day of week";
        return Err(ScheduleError::expression(text, reason));
    };
    for field in [minute, hour, day, month, weekday] {
        check_marks(text, field)?;
    }
    if numbers(weekday).any(|number| number == "7") {
        return Err(ScheduleError::expression(text, "Sunday is 0 or SUN, not 7"));
    }
    Ok(five.to_owned())
}

/// Refuses what only some programs understand, or understand differently.
fn check_marks(text: &str, field: &str) -> Result<(), ScheduleError> {
    if field.contains(['#', '+']) {
        return Err(ScheduleError::expression(text, "`#` and `+` are not understood"));
    }
    // Names of days and months hold the letters too, so only what is no name counts.
    let upper = field.to_ascii_uppercase();
    let odd = upper
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.contains(['L', 'W']) && !is_name(word));
    match odd {
        Some(_) => Err(ScheduleError::expression(text, "`L` and `W` are not understood")),
        None => Ok(()),
    }
}

fn is_name(word: &str) -> bool {
    const NAMES: [&str; 19] = [
        "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
        "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    NAMES.contains(&word)
}

/// The numbers of a field, steps left out.
fn numbers(field: &str) -> impl Iterator<Item = &str> {
    field
        .split(',')
        .filter_map(|part| part.split('/').next())
        .flat_map(|range| range.split('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(text: &str, zone: Option<&str>, from: &str) -> String {
        let expression = Expression::new(text, zone).unwrap();
        expression.after(at(from)).unwrap().to_string()
    }

    #[test]
    fn times_are_those_of_cron_jobs() {
        for (text, expected) in [
            ("* * * * *", "2026-11-30T09:01:00Z"),
            ("5/15 * * * *", "2026-11-30T09:05:00Z"),
            ("0 12 * * MON-FRI", "2026-11-30T12:00:00Z"),
            ("0 9 * * *", "2026-12-01T09:00:00Z"),
            // Either day field may match.
            ("0 0 13 * FRI", "2026-12-04T00:00:00Z"),
            ("0 0 1 JUL *", "2027-07-01T00:00:00Z"),
            ("0 0 * * 0", "2026-12-06T00:00:00Z"),
            ("@hourly", "2026-11-30T10:00:00Z"),
            ("@midnight", "2026-12-01T00:00:00Z"),
            ("@weekly", "2026-12-06T00:00:00Z"),
            ("@annually", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(next(text, None, "2026-11-30T09:00:00Z"), expected, "{text}");
        }
    }

    #[test]
    fn what_programs_understand_differently_is_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "0 0 L * *",
            "0 0 1W * *",
            "0 0 * * 5#2",
            "0 0 * * +MON",
            "0 0 * * 7",
            "0 0 * * 1-7",
            "0 0 * * FRIL",
            "61 * * * *",
            "0 0 30 2 *",
            "@every 5m",
            "TZ=UTC 0 0 * * *",
            "0 0 * * MON,FRI,7",
        ] {
            assert!(Expression::new(text, None).is_err(), "{text:?}");
        }
        // A step of seven is no Sunday.
        assert!(Expression::new("0 0 * * */7", None).is_ok());
        let error = Expression::new("0 0 * * *", Some("Mars/Olympus")).unwrap_err();
        assert!(error.to_string().contains("Europe/Berlin"));
    }

    #[test]
    fn a_skipped_time_comes_after_the_gap_and_a_repeated_one_once() {
        let berlin = Some("Europe/Berlin");
        assert_eq!(
            next("30 2 * * *", berlin, "2026-03-28T12:00:00Z"),
            "2026-03-29T01:00:00Z"
        );
        let first = next("30 2 * * *", berlin, "2026-10-24T12:00:00Z");
        assert_eq!(first, "2026-10-25T00:30:00Z");
        assert_eq!(next("30 2 * * *", berlin, &first), "2026-10-26T01:30:00Z");
    }
}
