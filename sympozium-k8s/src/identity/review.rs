//! Asking the API server whose a token is.

use super::subject::{Subject, subject};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use sympozium_core::error::BoxError;

/// How long a review may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// A review that gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("have the API server review a token")]
pub(super) struct ReviewError {
    #[source]
    source: BoxError,
}

/// Who presents this token for that audience; `None` = nobody, or nobody with a pod.
pub(super) async fn review(
    client: &Client,
    token: &SecretString,
    audience: &str,
) -> Result<Option<Subject>, ReviewError> {
    let asked = TokenReview {
        spec: TokenReviewSpec {
            audiences: Some(vec![audience.to_owned()]),
            token: Some(token.expose_secret().to_owned()),
        },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let params = PostParams::default();
    let answer = tokio::time::timeout(DEADLINE, reviews.create(&params, &asked)).await;
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        // The error of a request never holds its body, so no token is told here.
        Ok(Err(source)) => {
            return Err(ReviewError {
                source: source.into(),
            });
        }
        Err(late) => return Err(ReviewError { source: late.into() }),
    };
    Ok(answer
        .status
        .as_ref()
        .and_then(|status| subject(status, audience)))
}
