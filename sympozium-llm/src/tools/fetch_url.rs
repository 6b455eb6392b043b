//! `fetch_url`: asks the gateway for a web page. The gateway decides which addresses are allowed.

use crate::runner::{GatewayClient, GatewayError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use sympozium_core::gateway::FetchRequest;
use sympozium_core::tool::{Tool, ToolContext, ToolOutput};

/// Fetches web pages through the gateway.
#[derive(Debug, Clone)]
pub struct FetchUrl {
    client: GatewayClient,
}

impl FetchUrl {
    /// Asks that gateway.
    pub fn new(client: GatewayClient) -> Self {
        Self { client }
    }
}

/// Arguments of `fetch_url`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchUrlArgs {
    /// The address; http or https.
    url: String,
    /// Characters of text to return. Default 50000, at most 100000.
    #[schemars(range(min = 1, max = 100_000))]
    max_chars: Option<u32>,
    /// Extra request headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Why a page could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchUrlError {
    /// The gateway refused or failed.
    #[error("The page {url} could not be fetched")]
    Gateway {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: GatewayError,
    },
    /// The call was stopped.
    #[error("The fetch was stopped before it was done")]
    Stopped,
}

impl Tool for FetchUrl {
    const NAME: &'static str = "fetch_url";
    const DESCRIPTION: &'static str =
        "Fetches a web page with GET and returns its text (HTML becomes plain text).";
    type Args = FetchUrlArgs;
    type Error = FetchUrlError;

    async fn call(&self, ctx: &ToolContext, args: FetchUrlArgs) -> Result<ToolOutput, FetchUrlError> {
        let page = FetchRequest {
            url: args.url,
            headers: args.headers,
            max_chars: args.max_chars.map(|max| max.clamp(1, 100_000)),
        };
        let answer = tokio::select! {
            answer = self.client.fetch(&page) => answer,
            () = ctx.cancel.cancelled() => return Err(FetchUrlError::Stopped),
        };
        let answer = answer.map_err(|source| FetchUrlError::Gateway {
            url: page.url,
            source,
        })?;
        let mut text = answer.text;
        if answer.cut_chars > 0 {
            // Writing to a text never fails.
            let _ = write!(
                text,
                "\n[cut: {} more characters; ask again with a larger maxChars, at most 100000]",
                answer.cut_chars
            );
        }
        if answer.status >= 400 {
            return Ok(ToolOutput::error(format!(
                "{} answered with status {}.\n{text}",
                answer.url, answer.status
            )));
        }
        Ok(ToolOutput::text(text))
    }
}
