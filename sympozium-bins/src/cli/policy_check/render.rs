//! Reports for people. Pure.

use super::questions::Report;
use crate::cli::output::columns;

/// All reports, each below its subject.
pub(super) fn text(reports: &[Report]) -> String {
    let parts: Vec<_> = reports.iter().map(one).collect();
    parts.join("\n")
}

fn one(report: &Report) -> String {
    let answer = match report.admitted {
        Some(true) => " would be admitted",
        Some(false) => " would be REFUSED",
        None => "",
    };
    let rows: Vec<Vec<String>> = report
        .verdicts
        .iter()
        .map(|verdict| {
            vec![
                verdict.outcome.as_str().to_uppercase(),
                verdict.question.to_string(),
                verdict.policy.0.clone(),
                verdict.rule.clone(),
                verdict.reason.clone(),
            ]
        })
        .chain(report.notes.iter().map(|note| {
            vec![
                "NOTE".to_owned(),
                note.field.clone(),
                note.policy.clone(),
                note.reason.to_owned(),
                format!("It {}.", note.explanation),
            ]
        }))
        .collect();
    format!(
        "{}{answer} under {}\n{}",
        report.subject,
        report.policies.join(", "),
        columns(&rows)
    )
}
