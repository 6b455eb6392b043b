//! The slow, obvious answers.
//!
//! For each policy, everything that speaks for each outcome is written down; the strictest outcome of all policies is the
//! answer. Patterns are matched by trying every split, and sets of hosts are compared name by name.

mod accounts;
mod reach;
mod run;
mod tools;
mod words;

pub(crate) use accounts::{Accounts, accounts};
pub(crate) use reach::{egress, is_private};
pub(crate) use tools::tool;
pub(crate) use words::Answer;

use reach::sidecar_egress;
use run::{budget, feature, image, model, network, sandbox, skills, subagents};
use sympozium_core::policy::{Feature, Policy, Question, RunRequest};

/// Every question that `decide` answers, with the field that it has to name, in order.
pub(crate) fn questions(policies: &[Policy], request: &RunRequest) -> Vec<(Question, String, Vec<Answer>)> {
    let mut all = vec![
        (
            Question::Sandbox,
            "spec.sandbox".to_owned(),
            sandbox(policies, request),
        ),
        (
            Question::Subagents,
            "spec.parent.spawnDepth".to_owned(),
            subagents(policies, request),
        ),
        (
            Question::Model(format!("{}/{}", request.provider, request.model)),
            "spec.model.model".to_owned(),
            model(policies, request),
        ),
    ];
    for (field, name) in &request.images {
        all.push((
            Question::Image(name.clone()),
            field.clone(),
            image(policies, name),
        ));
    }
    all.push((
        Question::Network("pod".to_owned()),
        "spec".to_owned(),
        network(policies, request),
    ));
    for (field, target) in &request.egress {
        let shown = format!("{}:{}", target.host, target.port);
        all.push((
            Question::Network(shown),
            field.clone(),
            sidecar_egress(policies, target),
        ));
    }
    all.push((
        Question::Skills,
        "spec.skills".to_owned(),
        skills(policies, request),
    ));
    all.push((Question::Budget, String::new(), budget(policies)));
    for wanted in Feature::ALL {
        let field = request
            .features
            .iter()
            .find(|(f, _)| *f == wanted)
            .map(|(_, field)| field.clone());
        all.push((
            Question::Feature(wanted),
            field.unwrap_or_default(),
            feature(policies, wanted),
        ));
    }
    for (field, name) in &request.needed_tools {
        all.push((
            Question::Tool(name.clone()),
            field.clone(),
            tool(policies, request, name),
        ));
    }
    for name in &request.tools {
        if request.needed_tools.iter().all(|(_, needed)| needed != name) {
            all.push((
                Question::Tool(name.clone()),
                String::new(),
                tool(policies, request, name),
            ));
        }
    }
    all
}
