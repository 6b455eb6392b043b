//! Every environment variable that the program reads. `docs/reference/configuration.md` names each; a test holds that.

/// A variable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: &'static str,
    /// The flag that wins over it.
    pub(super) flag: Option<&'static str>,
}

const fn alone(name: &'static str) -> Variable {
    Variable { name, flag: None }
}

const fn under(name: &'static str, flag: &'static str) -> Variable {
    Variable {
        name,
        flag: Some(flag),
    }
}

/// All of them.
pub(super) const VARIABLES: &[Variable] = &[
    under("SYMPOZIUM_DATA_DIR", "--data-dir"),
    under("DATABASE_URL", "--database-url"),
    under("SYMPOZIUM_LOG", "--log"),
    under("SYMPOZIUM_GATEWAY_TOKEN", "--token-file"),
    under("INSTANCE_NAME", "--instance"),
    under("MODEL_PROVIDER", "--provider"),
    under("MODEL_NAME", "--model"),
    under("MODEL_BASE_URL", "--base-url"),
    under("MEMORY_ENABLED", "--memory"),
    alone("OPENAI_API_KEY"),
    alone("OPENAI_BASE_URL"),
    alone("ANTHROPIC_API_KEY"),
    alone("ANTHROPIC_BASE_URL"),
    alone("AZURE_OPENAI_API_KEY"),
    alone("AZURE_OPENAI_ENDPOINT"),
    alone("AZURE_OPENAI_API_VERSION"),
    alone("XDG_DATA_HOME"),
    alone("HOME"),
    alone("PATH"),
    alone("TERM"),
    alone("NO_COLOR"),
    alone("VISUAL"),
    alone("EDITOR"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_configuration_names_every_variable_beside_its_flag() {
        let page = include_str!("../../../../docs/reference/configuration.md");
        for variable in VARIABLES {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", variable.name)))
                .unwrap_or_else(|| panic!("{} is missing", variable.name));
            if let Some(flag) = variable.flag {
                assert!(row.contains(&format!("`{flag}`")), "{row}");
            }
        }
    }
}
