//! The variables of a service. Pure but for [`of_process`].

use clap::Parser;

/// Names that are ours: one that nobody knows is a misspelling.
const OWN_PREFIX: &str = "SYMPOZIUM_";

/// What is wrong with flags or environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A flag or a variable is malformed or missing, or help was asked for.
    #[error("{0}")]
    Told(clap::Error),
    /// A variable of ours that nobody knows.
    #[error("the environment variable {0} is not known")]
    Unknown(String),
}

/// What this process is told.
pub(crate) fn of_process<C: Parser>() -> Result<C, ConfigError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    check_names::<C>(names)?;
    C::try_parse_from(std::env::args_os()).map_err(ConfigError::Told)
}

/// Refuses names that look like ours and are not.
pub(crate) fn check_names<C: Parser>(names: impl IntoIterator<Item = String>) -> Result<(), ConfigError> {
    let known = variables::<C>();
    let unknown = names
        .into_iter()
        .find(|name| name.starts_with(OWN_PREFIX) && !known.contains(name) && !is_service_link(name));
    unknown.map_or(Ok(()), |name| Err(ConfigError::Unknown(name)))
}

/// Every variable that is read.
pub(crate) fn variables<C: Parser>() -> Vec<String> {
    let command = C::command();
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    variables
        .filter_map(|name| name.to_str().map(str::to_owned))
        .collect()
}

/// Kubernetes names the Services of a namespace in the environment of its pods: `SYMPOZIUM_GATEWAY_SERVICE_HOST`,
/// `SYMPOZIUM_GATEWAY_SERVICE_PORT_HTTPS`, `SYMPOZIUM_GATEWAY_PORT_8443_TCP`, and, like a variable of ours,
/// `SYMPOZIUM_GATEWAY_PORT`.
fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_") || name.contains("_PORT_") || name.ends_with("_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Config {
        #[arg(long, env = "SYMPOZIUM_LISTEN", default_value = "here")]
        listen: String,
    }

    #[test]
    fn a_misspelt_variable_is_refused_and_those_of_kubernetes_are_not() {
        let check = |name: &str| check_names::<Config>([name.to_owned()]);
        for fine in [
            "SYMPOZIUM_LISTEN",
            "SYMPOZIUM_GATEWAY_SERVICE_HOST",
            "SYMPOZIUM_GATEWAY_SERVICE_PORT_HTTPS",
            "SYMPOZIUM_GATEWAY_PORT_8443_TCP",
            "SYMPOZIUM_GATEWAY_PORT",
            "PATH",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for wrong in ["SYMPOZIUM_LISTEN_ON", "SYMPOZIUM_"] {
            assert!(matches!(check(wrong), Err(ConfigError::Unknown(name)) if name == wrong));
        }
        assert_eq!(Config::parse_from(["service"]).listen, "here");
        assert_eq!(variables::<Config>(), ["SYMPOZIUM_LISTEN"]);
    }
}
