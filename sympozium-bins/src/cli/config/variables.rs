//! Every environment variable that the program reads. `docs/reference/configuration.md` names each; a test holds that.

/// Their names.
pub(super) const VARIABLES: &[&str] = &[
    "SYMPOZIUM_DATA_DIR",
    "SYMPOZIUM_LOG",
    "SYMPOZIUM_GATEWAY_TOKEN",
    "DATABASE_URL",
    "INSTANCE_NAME",
    "MODEL_PROVIDER",
    "MODEL_NAME",
    "MODEL_BASE_URL",
    "MEMORY_ENABLED",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_VERSION",
    "OLLAMA_API_KEY",
    "API_KEY",
    "XDG_DATA_HOME",
    "HOME",
    "PATH",
    "TERM",
    "NO_COLOR",
    "VISUAL",
    "EDITOR",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_configuration_names_every_variable_and_no_other() {
        let page = include_str!("../../../../docs/reference/configuration.md");
        let mut rows: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .collect();
        let mut known = VARIABLES.to_vec();
        rows.sort_unstable();
        known.sort_unstable();
        assert_eq!(rows, known);
    }
}
