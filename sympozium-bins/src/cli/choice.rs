//! Which model is meant: flags, environment and documents, in this order.
//!
//! Pure, but for reading the script. Shared by `run` and `gateway serve`.

use super::config::{Config, providers_address};
use super::failure::Failure;
use super::objects::{Objects, read_text};
use clap::Args;
use std::path::PathBuf;
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

impl ModelArgs {
    /// What is to be used. `objects` are the documents, which may bring a model of their own.
    pub(super) fn choose(&self, config: &Config, objects: &Objects) -> Result<Choice, Failure> {
        let choice = self.resolve(config, !objects.instances.is_empty() || has_key(objects))?;
        let script = match &self.script {
            Some(path) => Some(read_text(path)?),
            None => None,
        };
        Ok(Choice { script, ..choice })
    }

    /// Pure.
    fn resolve(&self, config: &Config, documents_bring_one: bool) -> Result<Choice, Failure> {
        let given =
            |flag: &Option<String>, variable: &Option<String>| flag.clone().or_else(|| variable.clone());
        let model = given(&self.model, &config.defaults.model);
        let base_url = match (&self.base_url, &config.defaults.base_url) {
            (Some(flag), _) => Some(providers_address("--base-url", flag)?),
            (None, Some(variable)) => Some(providers_address("MODEL_BASE_URL", variable)?),
            (None, None) => None,
        };
        let mut provider = given(&self.provider, &config.defaults.provider);
        if provider.is_none() && self.script.is_some() {
            provider = Some(SCRIPTED.to_owned());
        }
        if provider.is_none() && model.is_none() && base_url.is_none() && !documents_bring_one {
            let known = config.providers.first_with_key();
            provider = Some(known.ok_or_else(|| Failure::input(ADVICE))?.name.to_owned());
        }
        self.check_script(provider.as_deref())?;
        let default_model = || {
            let provider = provider.as_deref()?;
            let known = DEFAULT_MODELS.iter().find(|(name, _)| *name == provider);
            known.map(|(_, model)| (*model).to_owned())
        };
        // A document's model stays, unless the provider is another one now.
        let model =
            model.or_else(|| default_model().filter(|_| !documents_bring_one || self.script.is_some()));
        if let (Some(provider), None, false) = (&provider, &model, documents_bring_one) {
            return Err(Failure::input(format!(
                "Which model of {provider}? Name it with --model."
            )));
        }
        if base_url.is_some() && model.is_none() && !documents_bring_one {
            return Err(Failure::input(
                "Which model of that address? Name it with --model.",
            ));
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

/// Whether a Secret may hold a key.
fn has_key(objects: &Objects) -> bool {
    !objects.secrets.is_empty()
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

    fn resolve(args: &ModelArgs, environment: &[(&str, &str)], documents: bool) -> Result<String, String> {
        let config = Config::read(&GlobalArgs::default(), &Environment::of(environment)).unwrap();
        args.resolve(&config, documents)
            .map(|choice| {
                let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                format!("{}/{}", shown(choice.provider), shown(choice.model))
            })
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_win_then_variables_then_keys() {
        let key = ("OPENAI_API_KEY", "k");
        let anthropic = ("ANTHROPIC_API_KEY", "k");
        let variables = [("MODEL_PROVIDER", "ollama"), ("MODEL_NAME", "llama")];
        let none = args(None, None, None, false);
        for (given, environment, documents, expected) in [
            (&none, &[key, anthropic][..], false, "openai/gpt-4o-mini"),
            (&none, &variables[..], false, "ollama/llama"),
            (
                &args(Some("openai"), None, None, false),
                &variables[..],
                false,
                "openai/llama",
            ),
            (
                &args(None, Some("claude-x"), None, false),
                &[key][..],
                false,
                "-/claude-x",
            ),
            (
                &args(None, Some("m"), Some("http://h/v1"), false),
                &[][..],
                false,
                "-/m",
            ),
            (
                &args(None, None, None, true),
                &[key][..],
                false,
                "scripted/scripted",
            ),
            (
                &args(Some("scripted"), None, None, true),
                &[][..],
                true,
                "scripted/scripted",
            ),
            (&none, &[key][..], true, "-/-"),
        ] {
            assert_eq!(
                resolve(given, environment, documents).as_deref(),
                Ok(expected),
                "{given:?}"
            );
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
            let message = resolve(&given, environment, false).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(
            ADVICE.lines().count(),
            4,
            "one line that says what is missing, and three ways out"
        );
    }
}
