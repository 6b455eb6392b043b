//! The provider: encode, post, decode.

use super::encode::body;
use super::factory::{ApiStyle, ChatCompletions};
use crate::http::GuardedClient;
use crate::providers::decode::openai::Decoder;
use crate::providers::transport::{Endpoint, Form, sub_url};
use crate::providers::{ProviderSettings, SetupError};
use async_trait::async_trait;
use sympozium_core::chat::ChatRequest;
use sympozium_core::ids::ProviderName;
use sympozium_core::llm::{Capabilities, ChatStream, LlmError, LlmProvider};
use url::Url;

/// The version of Azure's API when nobody says: the first settled one that reports usage in streams.
const AZURE_VERSION: &str = "2024-10-21";

#[derive(Debug)]
pub(super) struct OpenAiProvider {
    name: ProviderName,
    endpoint: Endpoint,
    place: Place,
}

/// Where a call goes.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// The same for all models.
    One(Url),
    /// The model's deployment under this URL.
    Deployments(Url),
}

impl OpenAiProvider {
    pub(super) fn new(
        settings: ProviderSettings,
        client: &GuardedClient,
        server: &ChatCompletions,
    ) -> Result<Self, SetupError> {
        let name = settings.name.clone();
        let version = settings.api_version.clone();
        let endpoint = Endpoint::new(settings, client, form(server.style), server.example)?;
        let place = match server.style {
            ApiStyle::OpenAi => plain(endpoint.base(), &name)?,
            ApiStyle::Azure => azure(endpoint.base(), version.as_deref(), &name)?,
        };
        Ok(Self {
            name,
            endpoint,
            place,
        })
    }

    fn url(&self, request: &ChatRequest) -> Result<Url, SetupError> {
        match &self.place {
            Place::One(url) => Ok(url.clone()),
            Place::Deployments(url) => {
                let deployment = request.model.as_str();
                sub_url(url, &[deployment, "chat", "completions"], &self.name)
            }
        }
    }
}

const fn form(style: ApiStyle) -> Form {
    let (key_header, key_prefix) = match style {
        ApiStyle::OpenAi => ("authorization", "Bearer "),
        ApiStyle::Azure => ("api-key", ""),
    };
    Form {
        key_header,
        key_prefix,
        headers: &[],
    }
}

fn plain(base: &Url, name: &ProviderName) -> Result<Place, SetupError> {
    let path: &[&str] = if base.path() == "/" {
        &["v1", "chat", "completions"]
    } else {
        &["chat", "completions"]
    };
    sub_url(base, path, name).map(Place::One)
}

fn azure(base: &Url, version: Option<&str>, name: &ProviderName) -> Result<Place, SetupError> {
    let path = base.path().trim_end_matches('/');
    let has_version = base.query_pairs().any(|(key, _)| key == "api-version");
    let versioned = |segments: &[&str], version: Option<&str>| {
        let mut url = sub_url(base, segments, name)?;
        if let (Some(version), false) = (version, has_version) {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        Ok(url)
    };
    if path.ends_with("/openai/v1") {
        return versioned(&["chat", "completions"], version).map(Place::One);
    }
    let version = version.or(Some(AZURE_VERSION));
    if path.contains("/openai/deployments/") {
        versioned(&["chat", "completions"], version).map(Place::One)
    } else if path.ends_with("/openai") {
        versioned(&["deployments"], version).map(Place::Deployments)
    } else {
        versioned(&["openai", "deployments"], version).map(Place::Deployments)
    }
}

#[async_trait]
impl LlmProvider for OpenAiProvider {
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
        let url = self.url(&request).map_err(|error| LlmError::BadRequest {
            status: 400,
            detail: error.to_string(),
        })?;
        let decoder = Decoder::new(self.endpoint.scrub().clone());
        self.endpoint.stream(url, &body(&request), decoder).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AddressRules;
    use sympozium_core::ids::ModelName;

    fn check(server: &ChatCompletions, base: &str, version: Option<&str>, expected: &str) {
        let settings = ProviderSettings {
            base_url: Some(Url::parse(base).unwrap()),
            api_version: version.map(ToOwned::to_owned),
            ..ProviderSettings::new(ProviderName::new("p").unwrap())
        };
        let client = GuardedClient::new(AddressRules::public_only()).unwrap();
        let provider = OpenAiProvider::new(settings, &client, server).unwrap();
        let request = ChatRequest::new(ModelName::new("my/model").unwrap());
        assert_eq!(provider.url(&request).unwrap().as_str(), expected, "{base}");
    }

    #[test]
    fn a_base_url_may_be_written_in_every_usual_way() {
        let plain = &ChatCompletions::COMPATIBLE;
        for (base, expected) in [
            ("https://h.example/v1", "https://h.example/v1/chat/completions"),
            ("https://h.example/v1/", "https://h.example/v1/chat/completions"),
            ("https://h.example", "https://h.example/v1/chat/completions"),
            (
                "https://h.example/api/v3",
                "https://h.example/api/v3/chat/completions",
            ),
            (
                "https://h.example/v1?a=b",
                "https://h.example/v1/chat/completions?a=b",
            ),
        ] {
            check(plain, base, Some("ignored"), expected);
        }
    }

    #[test]
    fn azure_names_the_deployment_in_the_path_and_the_version_in_the_query() {
        let azure = &ChatCompletions::AZURE;
        let deployment = "https://r.openai.azure.com/openai/deployments/my%2Fmodel/chat/completions";
        for base in [
            "https://r.openai.azure.com",
            "https://r.openai.azure.com/",
            "https://r.openai.azure.com/openai",
        ] {
            check(azure, base, None, &format!("{deployment}?api-version=2024-10-21"));
            check(
                azure,
                base,
                Some("2025-01-01-preview"),
                &format!("{deployment}?api-version=2025-01-01-preview"),
            );
        }
        check(
            azure,
            "https://r.openai.azure.com?api-version=2024-06-01",
            None,
            &format!("{deployment}?api-version=2024-06-01"),
        );
        check(
            azure,
            "https://r.openai.azure.com/openai/deployments/d",
            None,
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        );
        check(
            azure,
            "https://r.openai.azure.com/openai/v1",
            None,
            "https://r.openai.azure.com/openai/v1/chat/completions",
        );
    }
}
