//! The program's configuration: flags and environment, read once, into values that mean something.
//!
//! A flag wins over its variable, a variable over the default. What is malformed stops the program with a message that
//! names it, and so does a `SYMPOZIUM_…` variable that nobody knows. Entry: [`Config::read`].

mod database;
mod environment;
mod providers;
mod variables;

pub(super) use database::Database;
pub(super) use environment::Environment;
pub(super) use providers::{ProviderNames, address as providers_address};

use super::args::GlobalArgs;
use super::failure::Failure;
use super::logging;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace};

/// What the environment and the flags of every command say.
#[derive(Debug, Clone)]
pub(super) struct Config {
    data_dir: Option<PathBuf>,
    database: Option<Database>,
    /// What is known of each provider.
    pub(super) providers: ProviderNames,
    /// What runs get that say nothing else.
    pub(super) defaults: Defaults,
    /// The token of `gateway serve`.
    pub(super) gateway_token: Option<SecretString>,
    /// What people asked of the terminal.
    pub(super) look: Look,
    /// The command that edits a file.
    pub(super) editor: Option<String>,
    /// Folders of programs, as in PATH.
    pub(super) path: Option<std::ffi::OsString>,
}

/// What runs get that say nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defaults {
    /// The instance.
    pub(super) instance: Option<String>,
    /// The provider.
    pub(super) provider: Option<String>,
    /// The model.
    pub(super) model: Option<String>,
    /// The provider's address.
    pub(super) base_url: Option<String>,
    /// Whether they have a memory.
    pub(super) memory: bool,
}

/// What people asked of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// No colour.
    pub(super) plain: bool,
    /// The terminal can't move its cursor.
    pub(super) dumb: bool,
}

impl Config {
    /// Reads flags and environment, and begins to log if one of them asks for it.
    pub(super) fn read(flags: &GlobalArgs, environment: &Environment) -> Result<Self, Failure> {
        let config = Self::parse(flags, environment)?;
        let filter = match &flags.log {
            Some(filter) => Some(filter.clone()),
            None => environment.text("SYMPOZIUM_LOG")?,
        };
        if let Some(filter) = filter {
            logging::start(&filter)?;
        }
        Ok(config)
    }

    /// Pure.
    fn parse(flags: &GlobalArgs, environment: &Environment) -> Result<Self, Failure> {
        environment.check_names()?;
        let database = match &flags.database_url {
            Some(given) => Some(Database::parse("--database-url", given)?),
            None => environment
                .text("DATABASE_URL")?
                .map(|given| Database::parse("DATABASE_URL", &given))
                .transpose()?,
        };
        Ok(Self {
            data_dir: data_dir(flags, environment)?,
            database,
            providers: ProviderNames::read(environment)?,
            defaults: Defaults {
                instance: environment.text("INSTANCE_NAME")?,
                provider: environment.text("MODEL_PROVIDER")?,
                model: environment.text("MODEL_NAME")?,
                base_url: environment.text("MODEL_BASE_URL")?,
                memory: environment.truth("MEMORY_ENABLED")?.unwrap_or(false),
            },
            gateway_token: environment
                .text("SYMPOZIUM_GATEWAY_TOKEN")?
                .map(SecretString::from),
            look: Look {
                plain: environment.is_set("NO_COLOR"),
                dumb: environment.text("TERM")?.as_deref() == Some("dumb"),
            },
            editor: match environment.text("VISUAL")? {
                Some(editor) => Some(editor),
                None => environment.text("EDITOR")?,
            },
            path: environment.raw("PATH"),
        })
    }

    /// The folder for sessions, memory and runs.
    pub(super) fn data_dir(&self) -> Result<&Path, Failure> {
        self.data_dir.as_deref().ok_or_else(|| {
            Failure::input(
                "There is no folder to keep things in, because HOME is not set: give --data-dir or SYMPOZIUM_DATA_DIR.",
            )
        })
    }

    /// The database.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        match &self.database {
            Some(database) => Ok(database.clone()),
            None => Ok(Database::Sqlite(self.data_dir()?.join("sympozium.db"))),
        }
    }

    /// The instance that a flag names, else the environment's, else `local`. A name may be `namespace/name`.
    pub(super) fn instance(&self, flag: Option<&str>) -> Result<InstanceRef, Failure> {
        let (origin, given) = match (flag, &self.defaults.instance) {
            (Some(flag), _) => ("--instance", flag),
            (None, Some(name)) => ("INSTANCE_NAME", name.as_str()),
            (None, None) => ("--instance", DEFAULT_INSTANCE),
        };
        let (namespace, name) = given.split_once('/').unwrap_or((DEFAULT_NAMESPACE, given));
        let wrong = |error| Failure::input(format!("{origin}: {error}."));
        Ok(InstanceRef {
            namespace: Namespace::new(namespace).map_err(wrong)?,
            name: InstanceName::new(name).map_err(wrong)?,
        })
    }
}

/// The namespace of objects that name none.
pub(super) const DEFAULT_NAMESPACE: &str = "local";

/// The instance of runs that name none.
pub(super) const DEFAULT_INSTANCE: &str = "local";

/// By the XDG base directory rules, where a relative `XDG_DATA_HOME` counts as absent.
fn data_dir(flags: &GlobalArgs, environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    let given = match &flags.data_dir {
        Some(given) => Some(given.clone()),
        None => environment.raw("SYMPOZIUM_DATA_DIR").map(PathBuf::from),
    };
    if let Some(given) = given {
        let absolute = std::path::absolute(&given).map_err(|error| {
            Failure::input(format!(
                "The data folder {} can't be used: {error}.",
                given.display()
            ))
        })?;
        return Ok(Some(absolute));
    }
    let of_xdg = environment
        .raw("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let of_home = || {
        let home = PathBuf::from(environment.raw("HOME")?);
        Some(home.join(".local/share"))
    };
    Ok(of_xdg.or_else(of_home).map(|folder| folder.join("sympozium")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &GlobalArgs, variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::parse(flags, &Environment::of(variables)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_data_folder_is_the_flags_then_the_variables_then_the_users() {
        let none = GlobalArgs::default();
        let flag = GlobalArgs {
            data_dir: Some("/flag".into()),
            ..GlobalArgs::default()
        };
        let own = ("SYMPOZIUM_DATA_DIR", "/own");
        let xdg = ("XDG_DATA_HOME", "/xdg");
        let home = ("HOME", "/home/me");
        for (flags, variables, expected) in [
            (&flag, vec![own, xdg, home], "/flag"),
            (&none, vec![own, xdg, home], "/own"),
            (&none, vec![xdg, home], "/xdg/sympozium"),
            (
                &none,
                vec![("XDG_DATA_HOME", "relative"), home],
                "/home/me/.local/share/sympozium",
            ),
            (&none, vec![home], "/home/me/.local/share/sympozium"),
        ] {
            let config = read(flags, &variables).unwrap();
            assert_eq!(config.data_dir().unwrap(), Path::new(expected), "{variables:?}");
        }
        let without = read(&none, &[]).unwrap();
        assert!(without.data_dir().unwrap_err().to_string().contains("--data-dir"));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for (name, value) in [
            ("DATABASE_URL", "mysql://host/db"),
            ("MEMORY_ENABLED", "perhaps"),
            ("OPENAI_BASE_URL", "ftp://host"),
            ("AZURE_OPENAI_ENDPOINT", "no address"),
            ("SYMPOZIUM_DATADIR", "/x"),
        ] {
            let message = read(&GlobalArgs::default(), &[(name, value)]).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
        let flags = GlobalArgs {
            database_url: Some("mysql://host/db".to_owned()),
            ..GlobalArgs::default()
        };
        assert!(read(&flags, &[]).unwrap_err().contains("--database-url"));
    }

    #[test]
    fn an_instance_may_bring_its_namespace() {
        let config = read(&GlobalArgs::default(), &[("INSTANCE_NAME", "team/bot")]).unwrap();
        assert_eq!(config.instance(None).unwrap().to_string(), "team/bot");
        assert_eq!(config.instance(Some("me")).unwrap().to_string(), "local/me");
        let plain = read(&GlobalArgs::default(), &[]).unwrap();
        assert_eq!(plain.instance(None).unwrap().to_string(), "local/local");
        let wrong = plain.instance(Some("Not/Fine")).unwrap_err();
        assert!(wrong.to_string().starts_with("--instance: "), "{wrong}");
    }

    #[test]
    fn an_empty_variable_says_nothing() {
        let config = read(&GlobalArgs::default(), &[("DATABASE_URL", ""), ("HOME", "/h")]).unwrap();
        assert_eq!(
            config.database().unwrap(),
            Database::Sqlite("/h/.local/share/sympozium/sympozium.db".into())
        );
    }
}
