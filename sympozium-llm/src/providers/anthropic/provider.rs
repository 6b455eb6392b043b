//! The provider: encode, post, decode.

use super::encode::body;
use crate::http::GuardedClient;
use crate::providers::decode::anthropic::Decoder;
use crate::providers::transport::{Endpoint, Form, sub_url};
use crate::providers::{ProviderFactory, ProviderSettings, SetupError};
use async_trait::async_trait;
use std::sync::Arc;
use sympozium_core::chat::ChatRequest;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use url::Url;

const BASE_URL: &str = "https://api.anthropic.com";

const FORM: Form = Form {
    key_header: "x-api-key",
    key_prefix: "",
    // The version of the wire format that is spoken here.
    headers: &[("anthropic-version", "2023-06-01")],
};

/// Anthropic, and servers that speak its wire format. A base URL may end in `/v1` or not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Messages;

impl ProviderFactory for Messages {
    fn build(
        &self,
        settings: ProviderSettings,
        client: &GuardedClient,
    ) -> Result<Arc<dyn LlmProvider>, SetupError> {
        Ok(Arc::new(AnthropicProvider::new(settings, client)?))
    }

    fn default_base_url(&self) -> Option<Url> {
        Url::parse(BASE_URL).ok()
    }

    fn needs_key(&self) -> bool {
        true
    }

    fn key_variables(&self) -> &[&'static str] {
        &["ANTHROPIC_API_KEY"]
    }
}

#[derive(Debug)]
struct AnthropicProvider {
    name: ProviderName,
    endpoint: Endpoint,
    url: Url,
}

impl AnthropicProvider {
    fn new(settings: ProviderSettings, client: &GuardedClient) -> Result<Self, SetupError> {
        let name = settings.name.clone();
        let endpoint = Endpoint::new(settings, client, FORM, BASE_URL)?;
        let base = endpoint.base();
        let path: &[&str] = if base.path().trim_end_matches('/').ends_with("/v1") {
            &["messages"]
        } else {
            &["v1", "messages"]
        };
        let url = sub_url(base, path, &name)?;
        Ok(Self { name, endpoint, url })
    }
}

#[async_trait]
impl LlmProvider for AnthropicProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            thinking: true,
            ..Capabilities::default()
        }
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, LlmError> {
        let decoder = Decoder::new(self.endpoint.scrub().clone());
        self.endpoint
            .stream(self.url.clone(), &body(&request), decoder)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AddressRules;

    #[test]
    fn a_base_url_may_end_in_the_version_or_not() {
        let client = GuardedClient::new(AddressRules::public_only()).unwrap();
        for (base, expected) in [
            (
                "https://api.anthropic.com",
                "https://api.anthropic.com/v1/messages",
            ),
            ("https://h.example/v1/", "https://h.example/v1/messages"),
            (
                "https://h.example/anthropic",
                "https://h.example/anthropic/v1/messages",
            ),
        ] {
            let settings = ProviderSettings {
                base_url: Some(Url::parse(base).unwrap()),
                ..ProviderSettings::new(ProviderName::new("p").unwrap())
            };
            let provider = AnthropicProvider::new(settings, &client).unwrap();
            assert_eq!(provider.url.as_str(), expected);
        }
    }
}
