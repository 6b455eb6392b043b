//! The paths of the gateway, and what every handler does first: who is calling, may it go on, which step is it.
//!
//! Handlers translate; what is decided or remembered is decided elsewhere.

mod body;
mod chat;
mod fetch;
mod health;
mod run;

pub(super) use body::json;
pub(super) use chat::first_event;

use super::problem::{self, Answer};
use super::runs::RunClock;
use super::server::Peer;
use super::{Gateway, openai};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use secrecy::SecretString;
use std::any::Any;
use std::sync::Arc;
use sympozium_core::auth::{AuthError, Credentials, Principal, Purpose};
use sympozium_core::gateway::{Problem, ProblemKind, STEP_HEADER};
use sympozium_core::ids::StepId;
use sympozium_core::run::RunPlan;
use tower_http::catch_panic::CatchPanicLayer;

/// A gateway as one of its listeners shows it.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) gateway: Gateway,
    /// The listener's name, when it was made for a run.
    pub(super) listener: Option<Arc<str>>,
}

/// Everything, for a listener of one run or of one person.
pub(super) fn router(gateway: &Gateway, listener: Option<Arc<str>>) -> Router {
    finish(of_runs().merge(of_watchers()), gateway, listener)
}

/// What runs ask for and nothing else, for a listener that many of them reach: how the gateway does is not their business,
/// and asking for it is not free.
pub(super) fn runs_router(gateway: &Gateway) -> Router {
    finish(of_runs(), gateway, None)
}

/// Health and metrics alone.
pub(super) fn health_router(gateway: &Gateway) -> Router {
    finish(of_watchers(), gateway, None)
}

fn of_runs() -> Router<Door> {
    Router::new()
        .route("/v1/run", get(run::get))
        .route("/v1/chat", post(chat::post))
        .route("/v1/chat/completions", post(openai::completions))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*id}", get(openai::model))
        .route("/v1/fetch", post(fetch::post))
}

fn of_watchers() -> Router<Door> {
    Router::new()
        .route("/metrics", get(health::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

fn finish(routes: Router<Door>, gateway: &Gateway, listener: Option<Arc<str>>) -> Router {
    routes
        .fallback(missing)
        .method_not_allowed_fallback(missing)
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(Door {
            gateway: gateway.clone(),
            listener,
        })
}

/// A run that may go on.
pub(super) struct Admitted {
    pub(super) plan: Arc<RunPlan>,
    pub(super) clock: RunClock,
}

impl Door {
    /// Who is calling, if it may go on.
    pub(super) async fn admit(&self, request: &Parts) -> Result<Admitted, Problem> {
        let inner = &self.gateway.inner;
        let credentials = Credentials {
            bearer: bearer(&request.headers),
            listener: self.listener.as_deref().map(str::to_owned),
            purpose: Purpose::Agent,
            peer: request.extensions.get().map(|Peer(peer)| *peer),
        };
        let caller = inner.parts.auth.authenticate(&credentials).await;
        let caller = caller.map_err(|error| problem::of_auth(&error))?;
        let plan = match caller.principal {
            Principal::Agent => caller.plan,
            Principal::Skill(_) => return Err(problem::of_auth(&AuthError::Unauthenticated)),
        };
        let clock = inner.runs.admit(&plan)?;
        Ok(Admitted { plan, clock })
    }
}

fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| SecretString::from(token))
}

/// The step that a request names, and whether it named one.
pub(super) fn step(headers: &HeaderMap) -> Result<(StepId, bool), Problem> {
    let bad = |rule: String| {
        Problem::new(
            ProblemKind::BadRequest,
            format!("The header Idempotency-Key: {rule}."),
        )
    };
    let Some(value) = headers.get(STEP_HEADER) else {
        let fresh = StepId::new(uuid::Uuid::new_v4().to_string());
        return Ok((fresh.map_err(|error| bad(error.to_string()))?, false));
    };
    let text = value
        .to_str()
        .map_err(|_| bad("it has to be printable ASCII".to_owned()))?;
    Ok((StepId::new(text).map_err(|error| bad(error.to_string()))?, true))
}

async fn missing(method: Method, uri: Uri) -> Response {
    let detail = format!("There is no {method} {} here.", uri.path());
    Answer(Problem::new(ProblemKind::NotFound, detail)).into_response()
}

#[expect(clippy::needless_pass_by_value, reason = "the layer calls it with the value")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = said.unwrap_or("no message"), "a handler panicked");
    Answer(Problem::new(
        ProblemKind::Internal,
        "The gateway failed; its log says more.",
    ))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            let token = bearer(&headers).map(|token| token.expose_secret().to_owned());
            assert_eq!(token.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_request_without_a_step_gets_one_that_nobody_can_repeat() {
        let (one, named) = step(&HeaderMap::new()).unwrap();
        let (other, _) = step(&HeaderMap::new()).unwrap();
        assert!(one != other && !named);
        let headers = |value| HeaderMap::from_iter([(header::HeaderName::from_static(STEP_HEADER), value)]);
        assert!(step(&headers(HeaderValue::from_static("turn-1"))).unwrap().1);
        assert!(step(&headers(HeaderValue::from_static("two words"))).is_err());
        assert!(step(&headers(HeaderValue::from_str(&"x".repeat(129)).unwrap())).is_err());
    }
}
