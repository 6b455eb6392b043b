//! Which model a run uses, where it is, and with which key.

use super::plan::{KeySecret, PlanInputs};
use super::problem::Findings;
use crate::crd::v1alpha1::{AgentSettings, AuthRef, ModelSpec};
use sympozium_core::ids::{ModelName, ProviderName};
use sympozium_core::run::ModelPlan;
use url::Url;

/// Providers that are told from the start of a model's name.
const BY_MODEL: [(&str, &str); 6] = [
    ("claude", "anthropic"),
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
];

/// The provider that is told from a model's name alone; `None` when the name says nothing.
///
/// ```
/// # use sympozium_k8s::convert::provider_of_model;
/// assert_eq!(provider_of_model("claude-opus"), Some("anthropic"));
/// assert_eq!(provider_of_model("llama3.2"), None);
/// ```
pub fn provider_of_model(model: &str) -> Option<&'static str> {
    BY_MODEL
        .iter()
        .find(|(start, _)| model.starts_with(start))
        .map(|(_, name)| *name)
}

/// What the run says, else what the instance says. A run may name only keys and addresses of its instance.
pub(super) fn model(inputs: &PlanInputs<'_>, findings: &mut Findings) -> Option<ModelPlan> {
    let choice = Choice {
        run: inputs.run.spec.model.clone().unwrap_or_default(),
        settings: &inputs.instance.spec.agents.default,
        auth_refs: &inputs.instance.spec.auth_refs,
        secrets: inputs.secrets,
    };
    let key = choice.key(findings);
    let secret = key.and_then(|key| choice.secret(key, findings));
    let base_url = choice.base_url(secret, findings);
    let model = choice.model(findings);
    let provider = choice.provider(key, base_url.is_some(), findings);
    Some(ModelPlan {
        provider: provider?,
        model: model?,
        base_url,
        thinking: choice
            .run
            .thinking
            .or(choice.settings.thinking)
            .unwrap_or_default(),
        secret: key.map(|key| key.secret.clone()),
    })
}

struct Choice<'a> {
    run: ModelSpec,
    settings: &'a AgentSettings,
    auth_refs: &'a [AuthRef],
    secrets: Option<&'a [KeySecret]>,
}

impl<'a> Choice<'a> {
    fn model(&self, findings: &mut Findings) -> Option<ModelName> {
        let name = given(self.run.model.as_ref()).unwrap_or(&self.settings.model);
        findings.take("spec.model.model", ModelName::new(name))
    }

    /// The instance's key that the run names, else its first key of the run's provider.
    fn key(&self, findings: &mut Findings) -> Option<&'a AuthRef> {
        if let Some(name) = given(self.run.auth_secret_ref.as_ref()) {
            let found = self.auth_refs.iter().find(|auth| auth.secret == name);
            if found.is_none() {
                findings.add(
                    "spec.model.authSecretRef",
                    format_args!("{name:?} is not among the instance's authRefs"),
                );
            }
            return found;
        }
        match given(self.run.provider.as_ref()) {
            Some(provider) => self
                .auth_refs
                .iter()
                .find(|auth| given(auth.provider.as_ref()).is_none_or(|own| own == provider)),
            None => self.auth_refs.first(),
        }
    }

    fn secret(&self, key: &AuthRef, findings: &mut Findings) -> Option<&'a KeySecret> {
        let known = self.secrets?;
        let found = known.iter().find(|secret| secret.name == key.secret);
        if found.is_none() {
            findings.add(
                "spec.model.authSecretRef",
                format_args!("there is no Secret {:?}", key.secret),
            );
        }
        found
    }

    /// The run's address if it is one of its instance's, else the instance's, else the Secret's.
    fn base_url(&self, secret: Option<&KeySecret>, findings: &mut Findings) -> Option<Url> {
        let of_instance = given(self.settings.base_url.as_ref());
        let of_secret = secret.and_then(|secret| given(secret.base_url.as_ref()));
        let of_run = given(self.run.base_url.as_ref());
        if let Some(own) = of_run
            && !same_url(Some(own), of_instance)
            && !same_url(Some(own), of_secret)
        {
            findings.add(
                "spec.model.baseURL",
                "a run may name only the address of its instance or of its Secret",
            );
            return None;
        }
        let chosen = of_run.or(of_instance).or(of_secret)?;
        if secret.is_some() && !same_url(Some(chosen), of_secret) {
            findings.add(
                "spec.model.baseURL",
                format_args!(
                    "the key is not for {chosen}: annotate its Secret with sympozium.ai/base-url to send it there"
                ),
            );
            return None;
        }
        let url = findings.take("spec.model.baseURL", Url::parse(chosen))?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Some(url)
        } else {
            findings.add("spec.model.baseURL", "must be an http or https address");
            None
        }
    }

    fn provider(
        &self,
        key: Option<&AuthRef>,
        has_address: bool,
        findings: &mut Findings,
    ) -> Option<ProviderName> {
        let model = given(self.run.model.as_ref()).unwrap_or(&self.settings.model);
        let named =
            given(self.run.provider.as_ref()).or_else(|| given(key.and_then(|key| key.provider.as_ref())));
        // Servers at an address of one's own speak the form of the most common provider.
        let by_address = has_address.then_some("openai");
        let Some(provider) = named.or(by_address).or_else(|| provider_of_model(model)) else {
            findings.add(
                "spec.model.provider",
                format_args!("the provider of model {model:?} can't be told: give it here or in the instance's authRefs"),
            );
            return None;
        };
        findings.take("spec.model.provider", ProviderName::new(provider))
    }
}

/// A text that says something: empty ones say nothing, as in the manifests of old.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether two addresses are the same but for a slash at the end.
fn same_url(one: Option<&str>, other: Option<&str>) -> bool {
    let parse = |text: Option<&str>| text.and_then(|text| Url::parse(text.trim_end_matches('/')).ok());
    matches!((parse(one), parse(other)), (Some(one), Some(other)) if one == other)
}
