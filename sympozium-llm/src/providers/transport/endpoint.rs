//! One request to a provider.

use super::reading::read;
use super::retry_after::retry_after;
use crate::http::{AddressRefused, GuardedClient, shown};
use crate::providers::decode::{Decode, Scrub, Words};
use crate::providers::setup::{ProviderSettings, SetupError};
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::{ChatStream, LlmError};
use url::Url;

/// How much of an error's body is read, and for how long.
const MAX_ERROR: usize = 64 << 10;
const ERROR_TIME: Duration = Duration::from_secs(5);

/// What the endpoints of a wire format have in common.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Form {
    /// The header that carries the key, in lower case.
    pub(in crate::providers) key_header: &'static str,
    /// What stands before the key in it.
    pub(in crate::providers) key_prefix: &'static str,
    /// What every request carries besides.
    pub(in crate::providers) headers: &'static [(&'static str, &'static str)],
}

/// A provider's base address, with what every request to it carries.
#[derive(Clone)]
pub(in crate::providers) struct Endpoint {
    client: GuardedClient,
    base: Url,
    headers: HeaderMap,
    scrub: Scrub,
}

impl Endpoint {
    /// `example` is what a base URL looks like, for the error when there is none.
    pub(in crate::providers) fn new(
        settings: ProviderSettings,
        client: &GuardedClient,
        form: Form,
        example: &'static str,
    ) -> Result<Self, SetupError> {
        let provider = settings.name;
        let Some(base) = settings.base_url else {
            return Err(SetupError::MissingBaseUrl { provider, example });
        };
        if base.cannot_be_a_base() || base.fragment().is_some() {
            return Err(SetupError::InvalidBaseUrl {
                provider,
                url: shown(&base),
                detail: "it must be a plain address that paths can be added to",
            });
        }
        let fixed = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers: HeaderMap = form.headers.iter().map(fixed).collect();
        if let Some(key) = &settings.api_key {
            let value = key_value(key, form.key_prefix).ok_or(SetupError::InvalidKey { provider })?;
            headers.insert(HeaderName::from_static(form.key_header), value);
        }
        Ok(Self {
            client: client.clone(),
            base,
            headers,
            scrub: Scrub::new(settings.api_key),
        })
    }

    pub(in crate::providers) fn base(&self) -> &Url {
        &self.base
    }

    pub(in crate::providers) fn scrub(&self) -> &Scrub {
        &self.scrub
    }

    /// Posts a request and gives its streamed answer, or the error by class.
    pub(in crate::providers) async fn stream<D: Decode>(
        &self,
        url: Url,
        body: &(impl Serialize + Sync),
        decoder: D,
    ) -> Result<ChatStream, LlmError> {
        let request = self
            .client
            .request(Method::POST, url.clone())
            .map_err(|refused| refusal(&refused))?
            .headers(self.headers.clone())
            .header(header::ACCEPT, "text/event-stream")
            .json(body);
        let response = request.send().await.map_err(|error| unsent(&url, error))?;
        if response.status() == StatusCode::OK && !is_other_media(&response) {
            Ok(read(response, decoder))
        } else {
            Err(self.refused(response).await)
        }
    }

    /// What an answer that is no stream says.
    async fn refused(&self, response: Response) -> LlmError {
        let status = response.status();
        let after = retry_after(response.headers(), Timestamp::now());
        let media = media(&response).to_owned();
        if status.is_redirection() {
            return LlmError::BadRequest {
                status: status.as_u16(),
                detail:
                    "it redirects elsewhere, which is not followed; give the address that it redirects to"
                        .to_owned(),
            };
        }
        let body = error_body(response).await;
        if !status.is_success() {
            return Words::of_body(&body, &self.scrub).with_status(status.as_u16(), after);
        }
        let error = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|value| value.get("error").cloned())
            .filter(|error| !error.is_null());
        match error {
            Some(error) => Words::of_value(&error, &self.scrub).within_stream(),
            None => LlmError::Protocol {
                detail: self.scrub.clean(&format!(
                    "it answered {} with {media} instead of a stream of events; is the base URL right?",
                    status.as_u16()
                )),
            },
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base", &shown(&self.base))
            .finish_non_exhaustive()
    }
}

/// A URL under another: path segments are appended, its query stays.
pub(in crate::providers) fn sub_url(
    base: &Url,
    segments: &[&str],
    provider: &ProviderName,
) -> Result<Url, SetupError> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(segments);
        }
        Err(()) => {
            return Err(SetupError::InvalidBaseUrl {
                provider: provider.clone(),
                url: shown(base),
                detail: "nothing can be added to its path",
            });
        }
    }
    Ok(url)
}

fn key_value(key: &SecretString, prefix: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose_secret())).ok()?;
    // Not shown by `Debug`, and not put into a compression table.
    value.set_sensitive(true);
    Some(value)
}

fn media(response: &Response) -> &str {
    let value = response.headers().get(header::CONTENT_TYPE);
    value
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map_or("nothing", str::trim)
}

/// Whether the answer says of itself that it is something else than a stream. Servers that say nothing are believed.
fn is_other_media(response: &Response) -> bool {
    matches!(
        media(response),
        "application/json" | "application/problem+json" | "text/html"
    )
}

async fn error_body(response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    // What was read until then is what is known.
    let _ = tokio::time::timeout(ERROR_TIME, async {
        while let Some(Ok(chunk)) = chunks.next().await {
            let room = MAX_ERROR.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if chunk.len() >= room {
                break;
            }
        }
    })
    .await;
    body
}

fn unsent(url: &Url, error: reqwest::Error) -> LlmError {
    match AddressRefused::behind(&error) {
        Some(refused) => LlmError::AddressRefused {
            url: shown(url),
            detail: refused.detail.clone(),
        },
        None => LlmError::Connect {
            url: shown(url),
            source: error.without_url().into(),
        },
    }
}

fn refusal(refused: &AddressRefused) -> LlmError {
    LlmError::AddressRefused {
        url: refused.url.clone(),
        detail: refused.detail.clone(),
    }
}
