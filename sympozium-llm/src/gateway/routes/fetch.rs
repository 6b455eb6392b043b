//! `POST /v1/fetch`.

use super::super::problem::Answer;
use super::super::{fetch, runs};
use super::{Admitted, Door, json};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use sympozium_core::gateway::{FetchResponse, Problem};

pub(super) async fn post(State(door): State<Door>, request: Request) -> Response {
    match page(&door, request).await {
        Ok(page) => Json(page).into_response(),
        Err(problem) => Answer(problem).into_response(),
    }
}

async fn page(door: &Door, request: Request) -> Result<FetchResponse, Problem> {
    let (parts, body) = request.into_parts();
    let Admitted { plan, clock } = door.admit(&parts).await?;
    let inner = &door.gateway.inner;
    let wanted = json(body, &inner.parts.limits).await?;
    tokio::select! {
        page = fetch::fetch(inner, &plan, &wanted) => page,
        () = clock.cancel.cancelled() => Err(runs::ended()),
        () = tokio::time::sleep_until(clock.deadline) => Err(runs::time_is_up()),
    }
}
