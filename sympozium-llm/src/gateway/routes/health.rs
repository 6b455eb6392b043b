//! `GET /healthz`, `GET /readyz`, `GET /metrics`: for whoever watches over the gateway. They need no credentials.

use super::super::builder::Stores;
use super::super::problem::{self, Answer};
use super::super::stage::{Stage, stopping};
use super::{Door, missing};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri, header};
use std::time::Duration;
use sympozium_core::gateway::{Problem, ProblemKind};
use sympozium_core::ids::RunUid;
use sympozium_core::store::{Account, Scope, SessionFilter, StoreError, Window};

/// How long all stores together may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn alive() -> &'static str {
    "ok"
}

pub(super) async fn ready(State(door): State<Door>) -> Response {
    let inner = &door.gateway.inner;
    if inner.course.stage() > Stage::Serving {
        return Answer(stopping()).into_response();
    }
    let stores = &inner.parts.stores;
    let problem = match tokio::time::timeout(PATIENCE, ask(stores)).await {
        Ok(Ok(())) => return (StatusCode::OK, "ok").into_response(),
        Ok(Err(error)) => problem::of_store(&error),
        Err(_) => {
            let detail = format!("The stores did not answer within {PATIENCE:?}.");
            Problem::new(ProblemKind::StoreUnavailable, detail)
        }
    };
    Answer(problem).into_response()
}

/// One cheap read of each store.
async fn ask(stores: &Stores) -> Result<(), StoreError> {
    let nobody = RunUid(uuid::Uuid::nil());
    stores.sessions.list(&SessionFilter::default(), None, 1).await?;
    stores.steps.steps(nobody).await?;
    stores
        .ledger
        .held(&Account {
            scope: Scope::Run(nobody),
            window: Window::Total,
        })
        .await?;
    stores.audit.read(nobody, None, 1).await?;
    Ok(())
}

/// A listener that was made for a run does not show what other runs do.
pub(super) async fn metrics(State(door): State<Door>, method: Method, uri: Uri) -> Response {
    let render = door
        .gateway
        .inner
        .parts
        .metrics
        .clone()
        .filter(|_| door.listener.is_none());
    match render {
        Some(render) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render()).into_response(),
        None => missing(method, uri).await,
    }
}
