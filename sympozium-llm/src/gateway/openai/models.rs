//! `GET /v1/models`: the models that a run may use, as far as they are named somewhere.

use super::super::routes::{Admitted, Door};
use super::error::Refusal;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ids::ModelName;
use sympozium_core::policy::{Outcome, decide_model};
use sympozium_core::run::RunPlan;

pub(in super::super) async fn models(State(door): State<Door>, request: Parts) -> Response {
    match door.admit(&request).await {
        Ok(Admitted { plan, .. }) => {
            let all: Vec<_> = usable(&plan).iter().map(|model| shown(&plan, model)).collect();
            Json(json!({"object": "list", "data": all})).into_response()
        }
        Err(problem) => Refusal::from(problem).into_response(),
    }
}

pub(in super::super) async fn model(
    State(door): State<Door>,
    Path(id): Path<String>,
    request: Parts,
) -> Response {
    let plan = match door.admit(&request).await {
        Ok(Admitted { plan, .. }) => plan,
        Err(problem) => return Refusal::from(problem).into_response(),
    };
    if let Some(model) = usable(&plan).into_iter().find(|model| model.as_str() == id) {
        return Json(shown(&plan, &model)).into_response();
    }
    let problem = Problem::new(
        ProblemKind::NotFound,
        format!("There is no model {id} for this run."),
    );
    Refusal {
        param: Some("model".to_owned()),
        ..problem.into()
    }
    .into_response()
}

fn shown(plan: &RunPlan, model: &ModelName) -> Value {
    json!({"id": model, "object": "model", "created": 0, "owned_by": plan.model.provider})
}

/// The run's own model and those that policies name in full, as far as all policies allow them.
fn usable(plan: &RunPlan) -> BTreeSet<ModelName> {
    let provider = &plan.model.provider;
    let prefix = format!("{provider}/");
    let listed = plan
        .policies
        .iter()
        .flat_map(|policy| &policy.models.allow)
        .filter(|pattern| pattern.is_exact());
    let names = listed.filter_map(|pattern| match pattern.as_str().strip_prefix(&prefix) {
        Some(model) => ModelName::new(model).ok(),
        // A slash belongs to another provider.
        None if pattern.as_str().contains('/') => None,
        None => ModelName::new(pattern.as_str()).ok(),
    });
    names
        .chain([plan.model.model.clone()])
        .filter(|model| decide_model(&plan.policies, provider, model).outcome == Outcome::Allow)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::policy::Pattern;
    use sympozium_core::testing::run_plan;

    #[test]
    fn the_models_of_a_run_are_those_that_every_policy_allows() {
        let mut plan = run_plan("the task");
        let patterns = |all: &[&str]| all.iter().map(|text| Pattern::new(*text).unwrap()).collect();
        let names = |plan: &RunPlan| usable(plan).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&plan), ["m"]);
        plan.policies[0].models.allow = patterns(&["m", "fake/a", "other/b", "c", "d*"]);
        plan.policies[0].models.deny = patterns(&["c"]);
        assert_eq!(names(&plan), ["a", "m"]);
        plan.policies[0].models.deny = patterns(&["*"]);
        assert!(names(&plan).is_empty());
    }
}
