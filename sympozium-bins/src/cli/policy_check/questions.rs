//! Which questions are asked, and the answers. Pure.

use crate::cli::config::{DEFAULT_INSTANCE, DEFAULT_NAMESPACE};
use crate::cli::failure::Failure;
use crate::cli::objects::{Objects, name_of};
use crate::cli::planning::{Planned, Sources, Wishes, plans};
use serde::Serialize;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};
use sympozium_core::policy::{Question, Verdict, decide_egress};
use url::Url;

/// The task of a run that nobody described.
const ANY_TASK: &str = "any";

/// A model that no question is about: the verdict on it is left out.
const ANY_MODEL: (&str, &str) = ("any", "any");

/// What flags ask beyond the documents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) provider: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    pub(super) urls: &'a [Url],
}

/// All answers about one run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// The run: `AgentRun hello`, `any run of SympoziumInstance me`, `any run`.
    pub(super) subject: String,
    /// Whether it may exist; nothing when no document describes it.
    pub(super) admitted: Option<bool>,
    /// The policies that hold, in order.
    pub(super) policies: Vec<String>,
    /// One per question.
    pub(super) verdicts: Vec<Verdict>,
    /// What in the policies changes nothing.
    pub(super) notes: Vec<PolicyNote>,
}

/// Something in a policy that changes nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyNote {
    pub(super) policy: String,
    pub(super) field: String,
    pub(super) reason: &'static str,
    pub(super) explanation: &'static str,
}

/// One report per run of the documents, else per instance, else one for any run.
pub(super) fn reports(objects: &Objects, asked: &Asked<'_>) -> Result<Vec<Report>, Failure> {
    if !objects.runs.is_empty() {
        let planned = planned(objects, asked, None, DEFAULT_INSTANCE)?;
        return Ok(planned
            .into_iter()
            .map(|planned| {
                let subject = format!("AgentRun {}", planned.plan.run.name);
                report(subject, planned, asked, Described::Yes)
            })
            .collect());
    }
    if objects.instances.is_empty() {
        let planned = planned(objects, asked, Some(ANY_TASK), DEFAULT_INSTANCE)?;
        return Ok(planned
            .into_iter()
            .map(|planned| report("any run".to_owned(), planned, asked, Described::No))
            .collect());
    }
    let mut reports = Vec::new();
    for instance in &objects.instances {
        let name = name_of(&instance.object.metadata);
        let subject = format!("any run of SympoziumInstance {name}");
        for planned in planned(objects, asked, Some(ANY_TASK), name)? {
            reports.push(report(subject.clone(), planned, asked, Described::Yes));
        }
    }
    Ok(reports)
}

fn planned(
    objects: &Objects,
    asked: &Asked<'_>,
    task: Option<&str>,
    instance: &str,
) -> Result<Vec<Planned>, Failure> {
    let wrong = |error| Failure::input(format!("{error}."));
    let by_documents = !objects.runs.is_empty() || !objects.instances.is_empty();
    let any = |text: &str| Some(text.to_owned()).filter(|_| !by_documents);
    // Of packs alone, all are asked about.
    let skills: &[_] = if by_documents { &[] } else { &objects.packs };
    let wishes = Wishes {
        task: task.map(str::to_owned),
        instance: InstanceRef {
            namespace: Namespace::new(DEFAULT_NAMESPACE).map_err(wrong)?,
            name: InstanceName::new(instance).map_err(wrong)?,
        },
        provider: match (asked.provider, asked.model) {
            (Some(provider), _) => Some(provider.to_owned()),
            (None, Some(_)) => None,
            (None, None) => any(ANY_MODEL.0),
        },
        model: asked
            .model
            .map_or_else(|| any(ANY_MODEL.1), |model| Some(model.to_owned())),
        base_url: None,
        session: None,
        memory: false,
        timeout: None,
        sandbox: !by_documents,
        keyless: false,
    };
    let sources = Sources {
        objects,
        policies: &[],
        skills,
    };
    plans(&wishes, sources, RunUid::random)
}

/// Whether a document describes the run that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Described {
    Yes,
    No,
}

fn report(subject: String, planned: Planned, asked: &Asked<'_>, described: Described) -> Report {
    let policies = &planned.holding.policies;
    let admitted = match described {
        Described::Yes => Some(planned.decision.admits()),
        Described::No => None,
    };
    let knows_model = described == Described::Yes || asked.model.is_some();
    let mut verdicts = planned.decision.verdicts;
    verdicts.retain(|verdict| knows_model || !is_about_model(verdict));
    verdicts.extend(
        asked
            .urls
            .iter()
            .map(|url| decide_egress(policies, url, "GET").verdict),
    );
    Report {
        subject,
        admitted,
        policies: policies.iter().map(|policy| policy.name.0.clone()).collect(),
        verdicts,
        notes: planned
            .holding
            .notes
            .into_iter()
            .map(|(policy, note)| PolicyNote {
                policy: policy.0,
                field: note.path,
                reason: note.reason.as_str(),
                explanation: note.reason.explanation(),
            })
            .collect(),
    }
}

const fn is_about_model(verdict: &Verdict) -> bool {
    matches!(verdict.question, Question::Model(_))
}

#[cfg(test)]
#[path = "questions_tests.rs"]
mod tests;
