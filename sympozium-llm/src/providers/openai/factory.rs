//! Servers that speak Chat Completions, as data.

use super::provider::OpenAiProvider;
use crate::http::GuardedClient;
use crate::providers::{ProviderFactory, ProviderSettings, SetupError};
use std::sync::Arc;
use sympozium_core::llm::LlmProvider;
use url::Url;

/// How addresses and keys travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiStyle {
    /// `<base>/chat/completions`, the key as a bearer token. A base without a path gets `/v1`.
    OpenAi,
    /// Azure: the deployment (the model's name) in the path, the API's version in the query, the key in `api-key`. A
    /// base that names a deployment, or ends in `/openai/v1`, is used as it is.
    Azure,
}

/// A server that speaks Chat Completions. An outside crate registers one more by its data:
///
/// ```
/// # use sympozium_core::ids::ProviderName;
/// # use sympozium_llm::providers::{ProviderRegistry, openai::ChatCompletions};
/// let acme = ChatCompletions {
///     base_url: Some("https://api.acme.example/v1"),
///     needs_key: true,
///     key_variables: &["ACME_API_KEY"],
///     ..ChatCompletions::COMPATIBLE
/// };
/// let mut registry = ProviderRegistry::standard();
/// registry.register(ProviderName::new("acme").unwrap(), acme);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ChatCompletions {
    /// Where it is when nobody says; `None` = it has to be said.
    pub base_url: Option<&'static str>,
    /// What a base URL looks like, for the error when one is missing.
    pub example: &'static str,
    /// Whether it wants a key at its default address.
    pub needs_key: bool,
    /// Where people usually keep the key.
    pub key_variables: &'static [&'static str],
    /// How addresses and keys travel.
    pub style: ApiStyle,
}

impl ChatCompletions {
    /// OpenAI itself.
    pub const OPENAI: Self = Self {
        base_url: Some("https://api.openai.com/v1"),
        example: "https://api.openai.com/v1",
        needs_key: true,
        key_variables: &["OPENAI_API_KEY"],
        style: ApiStyle::OpenAi,
    };
    /// Azure OpenAI.
    pub const AZURE: Self = Self {
        base_url: None,
        example: "https://RESOURCE.openai.azure.com",
        needs_key: true,
        key_variables: &["AZURE_OPENAI_API_KEY"],
        style: ApiStyle::Azure,
    };
    /// Ollama on the machine of the gateway.
    pub const OLLAMA: Self = Self {
        base_url: Some("http://localhost:11434/v1"),
        example: "http://localhost:11434/v1",
        needs_key: false,
        key_variables: &["OLLAMA_API_KEY"],
        style: ApiStyle::OpenAi,
    };
    /// Any other server, at an address that has to be given. Its key is not looked for under another provider's name,
    /// which would send that provider's key to it.
    pub const COMPATIBLE: Self = Self {
        base_url: None,
        example: "https://llm.example.com/v1",
        needs_key: false,
        key_variables: &["API_KEY"],
        style: ApiStyle::OpenAi,
    };
}

impl ProviderFactory for ChatCompletions {
    fn build(
        &self,
        settings: ProviderSettings,
        client: &GuardedClient,
    ) -> Result<Arc<dyn LlmProvider>, SetupError> {
        Ok(Arc::new(OpenAiProvider::new(settings, client, self)?))
    }

    fn default_base_url(&self) -> Option<Url> {
        Url::parse(self.base_url?).ok()
    }

    fn needs_key(&self) -> bool {
        self.needs_key
    }

    fn key_variables(&self) -> &[&'static str] {
        self.key_variables
    }
}
