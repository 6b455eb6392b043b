//! `GET /v1/run`.

use super::super::problem::{self, Answer};
use super::super::run_input::run_input;
use super::super::turn::history;
use super::{Admitted, Door};
use crate::windows::window_of;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use sympozium_core::gateway::{Problem, RunInput};

pub(super) async fn get(State(door): State<Door>, request: Parts) -> Response {
    match input(&door, &request).await {
        Ok(input) => Json(input).into_response(),
        Err(problem) => Answer(problem).into_response(),
    }
}

async fn input(door: &Door, request: &Parts) -> Result<RunInput, Problem> {
    let Admitted { plan, clock } = door.admit(request).await?;
    let inner = &door.gateway.inner;
    let provider = inner
        .parts
        .providers
        .provider(&plan)
        .await
        .map_err(|error| problem::of_source(&error))?;
    let history = history(inner, &plan).await?;
    let told = || window_of(plan.model.model.as_str());
    let window = provider.capabilities().context_window.or_else(told);
    Ok(run_input(&plan, history, window, clock.remaining()))
}
