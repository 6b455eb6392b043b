//! Which model is meant: flags, documents and environment, in this order.
//!
//! Pure, but for reading the script. Shared by `run` and `gateway serve`.

use super::config::{Config, providers_address};
use super::failure::Failure;
use super::objects::{Objects, read_text};
use super::planning::provider_of;
use clap::Args;
use std::path::PathBuf;
use sympozium_k8s::convert::provider_of_model;
use url::Url;

/// The provider that plays a script.
pub(super) const SCRIPTED: &str = "scripted";

/// The model of a provider for which nobody names one.
const DEFAULT_MODELS: [(&str, &str); 2] = [("openai", "gpt-4o-mini"), (SCRIPTED, "scripted")];

/// Providers that want no key.
const KEYLESS: [&str; 2] = [SCRIPTED, "ollama"];

/// How to get a model, for those who have none.
pub(super) const ADVICE: &str = "There is no model to ask. Choose one of these:\n\
  1. A key: export OPENAI_API_KEY=… or ANTHROPIC_API_KEY=…, and give --provider and --model if you like.\n\
  2. A model of your own: install Ollama, then --provider ollama --model NAME; or --base-url URL of any compatible server.\n\
  3. No model at all: --provider scripted --script FILE plays a scenario, such as examples/scripted/first-run.yaml.";

/// Flags about the model, its provider, and the policies that bind it.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Model provider: openai, anthropic, azure-openai, ollama, custom, scripted [env: MODEL_PROVIDER]
    #[arg(long, value_name = "NAME")]
    pub(super) provider: Option<String>,
    /// Model, in its provider's own terms [env: MODEL_NAME]
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// Address of the provider; its key is sent there [env: MODEL_BASE_URL]
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Scenario of the provider `scripted`
    #[arg(long, value_name = "FILE")]
    pub(super) script: Option<PathBuf>,
    /// File with policies that hold; may be repeated, and the strictest holds [default: the built-in local-default]
    #[arg(long = "policy", value_name = "FILE")]
    pub(super) policies: Vec<PathBuf>,
    /// What models cost, for budgets in dollars: a YAML map from provider/model to prices
    #[arg(long, value_name = "FILE")]
    pub(super) prices: Option<PathBuf>,
}

/// What flags and environment say about the model.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) base_url: Option<Url>,
    /// The scenario's text.
    pub(super) script: Option<String>,
    /// The provider has no key.
    pub(super) keyless: bool,
}

/// What documents say about the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Documents {
    /// They name one: then the environment's wishes are none of their business.
    names_model: bool,
    /// The provider that a Secret has a key for.
    key_of: Option<&'static str>,
}

impl Documents {
    /// What these say.
    pub(super) fn of(objects: &Objects) -> Self {
        let in_run = objects.runs.iter().any(|run| {
            let model = run.object.spec.model.as_ref();
            model.is_some_and(|model| model.model.is_some())
        });
        Self {
            names_model: in_run || !objects.instances.is_empty(),
            key_of: objects
                .secrets
                .iter()
                .find_map(|secret| provider_of(&secret.object)),
        }
    }

    /// Whether they name a model.
    pub(super) const fn name_model(self) -> bool {
        self.names_model
    }
}

impl ModelArgs {
    /// What is to be used: flags win, then documents, then the environment.
    pub(super) fn choose(&self, config: &Config, documents: Documents) -> Result<Choice, Failure> {
        let choice = self.resolve(config, documents)?;
        let script = self.script.as_deref().map(read_text).transpose()?;
        Ok(Choice { script, ..choice })
    }

    /// Pure.
    fn resolve(&self, config: &Config, documents: Documents) -> Result<Choice, Failure> {
        let default = |variable: &Option<String>| variable.clone().filter(|_| !documents.names_model);
        let model = self.model.clone().or_else(|| default(&config.defaults.model));
        let base_url = match (&self.base_url, default(&config.defaults.base_url)) {
            (Some(flag), _) => Some(providers_address("--base-url", flag)?),
            (None, Some(variable)) => Some(providers_address("MODEL_BASE_URL", &variable)?),
            (None, None) => None,
        };
        let provider = self
            .provider
            .clone()
            .or_else(|| self.script.as_ref().map(|_| SCRIPTED.to_owned()))
            .or_else(|| default(&config.defaults.provider));
        let is_open = provider.is_none() && base_url.is_none() && !documents.names_model;
        let provider = if is_open {
            Some(by_model_or_key(model.as_deref(), config, documents)?)
        } else {
            provider
        };
        self.check_script(provider.as_deref())?;
        // A document's model stays, unless a script takes its place.
        let may_default = !documents.names_model || self.script.is_some();
        let model = model.or_else(|| default_model(provider.as_deref()?).filter(|_| may_default));
        if model.is_none() && !documents.names_model {
            let whose = provider.as_deref().unwrap_or("that address");
            return Err(Failure::input(format!(
                "Which model of {whose}? Name it with --model."
            )));
        }
        let keyless = provider.as_deref().is_some_and(|name| KEYLESS.contains(&name));
        Ok(Choice {
            provider,
            model,
            base_url,
            script: None,
            keyless,
        })
    }

    fn check_script(&self, provider: Option<&str>) -> Result<(), Failure> {
        match (provider == Some(SCRIPTED), self.script.is_some()) {
            (true, false) => Err(Failure::input(
                "The provider scripted plays a scenario: name its file with --script.",
            )),
            (false, true) => Err(Failure::input(
                "A --script is played by the provider scripted, not by another one.",
            )),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

/// The provider that the model's name tells, else the one that there is a key for, in a Secret or in the environment.
fn by_model_or_key(model: Option<&str>, config: &Config, documents: Documents) -> Result<String, Failure> {
    let of_environment = || config.providers.first_with_key().map(|facts| facts.name);
    let found = model
        .and_then(provider_of_model)
        .or(documents.key_of)
        .or_else(of_environment);
    let unknown = || match model {
        Some(model) => format!(
            "Whose model is {model}? Name its provider with --provider, or its address with --base-url."
        ),
        None => ADVICE.to_owned(),
    };
    found.map(str::to_owned).ok_or_else(|| Failure::input(unknown()))
}

fn default_model(provider: &str) -> Option<String> {
    let known = DEFAULT_MODELS.iter().find(|(name, _)| *name == provider);
    known.map(|(_, model)| (*model).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::GlobalArgs;
    use crate::cli::config::Environment;

    fn args(provider: Option<&str>, model: Option<&str>, base_url: Option<&str>, script: bool) -> ModelArgs {
        ModelArgs {
            provider: provider.map(str::to_owned),
            model: model.map(str::to_owned),
            base_url: base_url.map(str::to_owned),
            script: script.then(|| "s.yaml".into()),
            policies: Vec::new(),
            prices: None,
        }
    }

    fn resolve(
        args: &ModelArgs,
        environment: &[(&str, &str)],
        documents: Documents,
    ) -> Result<String, String> {
        let config = Config::read(&GlobalArgs::default(), &Environment::of(environment)).unwrap();
        args.resolve(&config, documents)
            .map(|choice| {
                let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                format!("{}/{}", shown(choice.provider), shown(choice.model))
            })
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_win_then_documents_then_variables_then_keys() {
        let key = ("OPENAI_API_KEY", "k");
        let anthropic = ("ANTHROPIC_API_KEY", "k");
        let variables = [("MODEL_PROVIDER", "ollama"), ("MODEL_NAME", "llama")];
        let flags = |provider, model| args(provider, model, None, false);
        let none = flags(None, None);
        let nothing = Documents::default();
        let model = Documents {
            names_model: true,
            key_of: None,
        };
        let secret = Documents {
            names_model: false,
            key_of: Some("openai"),
        };
        let address = args(None, Some("m"), Some("http://h/v1"), false);
        let script = args(None, None, None, true);
        for (given, environment, documents, expected) in [
            (&none, &[key, anthropic][..], nothing, "openai/gpt-4o-mini"),
            (&none, &[anthropic][..], secret, "openai/gpt-4o-mini"),
            (&none, &variables[..], nothing, "ollama/llama"),
            (&none, &variables[..], model, "-/-"),
            (&none, &[key][..], model, "-/-"),
            (
                &flags(Some("openai"), None),
                &variables[..],
                nothing,
                "openai/llama",
            ),
            (
                &flags(None, Some("claude-x")),
                &[key][..],
                nothing,
                "anthropic/claude-x",
            ),
            (&flags(None, Some("own")), &[key][..], nothing, "openai/own"),
            (&flags(None, Some("claude-x")), &[key][..], model, "-/claude-x"),
            (&address, &[][..], nothing, "-/m"),
            (&script, &[key][..], nothing, "scripted/scripted"),
            (&script, &variables[..], model, "scripted/scripted"),
        ] {
            let resolved = resolve(given, environment, documents);
            assert_eq!(resolved.as_deref(), Ok(expected), "{given:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let anthropic = ("ANTHROPIC_API_KEY", "k");
        for (given, environment, expected) in [
            (args(None, None, None, false), &[][..], ADVICE),
            (
                args(None, None, None, false),
                &[anthropic][..],
                "Which model of anthropic? Name it with --model.",
            ),
            (
                args(Some("scripted"), None, None, false),
                &[][..],
                "name its file with --script",
            ),
            (
                args(Some("openai"), Some("m"), None, true),
                &[][..],
                "not by another one",
            ),
            (
                args(None, None, Some("http://h/v1"), false),
                &[][..],
                "Name it with --model",
            ),
            (
                args(None, Some("m"), Some("ftp://h"), false),
                &[][..],
                "--base-url",
            ),
        ] {
            let message = resolve(&given, environment, Documents::default()).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(
            ADVICE.lines().count(),
            4,
            "one line that says what is missing, and three ways out"
        );
    }
}
