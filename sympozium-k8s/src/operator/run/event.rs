//! The one Event of a run's end. Pure.

use super::end::End;
use crate::crd::v1alpha1::AgentRun;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Resource;
use sympozium_core::run::RunPhase;

/// The Event of a run's end. Its name follows from the run's UID, so that saying it again makes no second one.
pub fn end_event(run: &AgentRun, end: &End, reporter: &str) -> Event {
    let name = run.metadata.name.clone().unwrap_or_default();
    let uid = run.metadata.uid.clone().unwrap_or_default();
    let digits: String = uid.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    let mut event = Event {
        event_time: Some(MicroTime(end.at)),
        type_: Some(
            if end.phase == RunPhase::Failed {
                "Warning"
            } else {
                "Normal"
            }
            .to_owned(),
        ),
        reason: Some(end.refusal.map_or(end.phase.as_str(), |_| "Refused").to_owned()),
        action: Some("End".to_owned()),
        note: Some(note(end)),
        regarding: Some(run.object_ref(&())),
        reporting_controller: Some("sympozium.ai/operator".to_owned()),
        // At most 128 characters, as the API server wants it.
        reporting_instance: Some(reporter.chars().take(128).collect()),
        ..Event::default()
    };
    event.metadata.name = Some(format!("{name}.{digits}"));
    event.metadata.namespace.clone_from(&run.metadata.namespace);
    event
}

/// At most 1,024 bytes, as the API server wants it.
fn note(end: &End) -> String {
    let text = match &end.error {
        Some(error) => error.clone(),
        None => "The run has its answer.".to_owned(),
    };
    let cut = text.floor_char_boundary(1000);
    text.get(..cut).unwrap_or_default().to_owned()
}
