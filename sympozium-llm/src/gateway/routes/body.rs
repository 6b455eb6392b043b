//! Reads a request's body: bounded in size and time, JSON.

use super::super::GatewayLimits;
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use sympozium_core::gateway::{Problem, ProblemKind};

/// The body as a `T`.
pub(in super::super) async fn json<T: DeserializeOwned>(
    body: Body,
    limits: &GatewayLimits,
) -> Result<T, Problem> {
    let bytes = read(body, limits).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(
            ProblemKind::BadRequest,
            format!("The request is not understood: {error}."),
        )
    })
}

async fn read(body: Body, limits: &GatewayLimits) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, limits.max_body).collect();
    let Ok(read) = tokio::time::timeout(limits.receive, whole).await else {
        let detail = format!("The request's body did not arrive within {:?}.", limits.receive);
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    };
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let detail = format!("The request is larger than {} bytes.", limits.max_body);
            return Problem::new(ProblemKind::TooLarge, detail);
        }
        Problem::new(ProblemKind::BadRequest, "The request's body broke off.")
    })
}
