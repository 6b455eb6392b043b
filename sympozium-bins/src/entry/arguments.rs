//! The command line of the small programs.

use anyhow::{Context, bail};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use sympozium_core::run::pod_contract::CONFIG_JSON;

/// The largest configuration that is read: typed tools' schemas are the largest part of it.
const MAX_CONFIG: u64 = 8 << 20;

/// Where the configuration is.
#[derive(Debug, PartialEq, Eq)]
enum Config {
    File(PathBuf),
    /// The parts of it, in their order: one argument can't hold all.
    Parts(String),
}

/// What they are told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    config: Config,
    /// End when standard input does.
    pub(super) end_with_stdin: bool,
}

impl Arguments {
    /// Reads the arguments behind the program's name.
    pub(super) fn parse(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut config = None;
        let mut parts: Option<String> = None;
        let mut end_with_stdin = false;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--config") => {
                    config = Some(arguments.next().context("--config needs a file behind it")?);
                }
                Some(CONFIG_JSON) => {
                    let part = arguments.next().and_then(|part| part.into_string().ok());
                    let part = part.with_context(|| format!("{CONFIG_JSON} needs JSON behind it"))?;
                    parts.get_or_insert_default().push_str(&part);
                }
                Some("--end-with-stdin") => end_with_stdin = true,
                Some(_) | None => bail!("{} is not an argument of this program", argument.display()),
            }
        }
        let config = match (config, parts) {
            (Some(file), None) => Config::File(file.into()),
            (None, Some(parts)) => Config::Parts(parts),
            (Some(_), Some(_)) => bail!("--config and {CONFIG_JSON} exclude each other"),
            (None, None) => bail!("--config is missing; this program is started by sympozium itself"),
        };
        Ok(Self {
            config,
            end_with_stdin,
        })
    }

    /// Reads the configuration.
    pub(super) fn read_config<C: serde::de::DeserializeOwned>(&self) -> anyhow::Result<C> {
        let file = match &self.config {
            Config::File(file) => file,
            Config::Parts(text) => {
                return serde_json::from_str(text).with_context(|| format!("understand {CONFIG_JSON}"));
            }
        };
        let path = file.display();
        let mut text = Vec::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(MAX_CONFIG + 1).read_to_end(&mut text))
            .with_context(|| format!("read {path}"))?;
        if text.len() as u64 > MAX_CONFIG {
            bail!("{path} is larger than {MAX_CONFIG} bytes");
        }
        serde_json::from_slice(&text).with_context(|| format!("understand {path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn only_known_arguments_are_taken() {
        let config = |end_with_stdin| Arguments {
            config: Config::File("c.json".into()),
            end_with_stdin,
        };
        assert_eq!(parse(&["--config", "c.json"]), Ok(config(false)));
        assert_eq!(
            parse(&["--end-with-stdin", "--config", "c.json"]),
            Ok(config(true))
        );
        assert!(parse(&[]).unwrap_err().contains("--config is missing"));
        assert!(parse(&["--config"]).unwrap_err().contains("needs a file"));
        assert!(
            parse(&["--config", "c", "x"])
                .unwrap_err()
                .contains("x is not an argument")
        );
    }

    #[test]
    fn a_config_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = |name: &str| Arguments {
            config: Config::File(folder.path().join(name)),
            end_with_stdin: false,
        };
        std::fs::write(folder.path().join("bad"), "{").unwrap();
        std::fs::write(folder.path().join("good"), "[1]").unwrap();
        let read = |name| {
            arguments(name)
                .read_config::<Vec<u8>>()
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("good"), Ok(vec![1]));
        assert!(read("bad").unwrap_err().starts_with("understand "));
        assert!(read("missing").unwrap_err().starts_with("read "));
    }

    #[test]
    fn a_config_in_parts_is_put_together_in_its_order() {
        let arguments = parse(&["--config-json", "[1,", "--config-json", "2]"]).unwrap();
        assert_eq!(arguments.read_config::<Vec<u8>>().unwrap(), [1, 2]);
        let broken = parse(&["--config-json", "[1,"]).unwrap().read_config::<Vec<u8>>();
        assert!(
            broken
                .unwrap_err()
                .to_string()
                .starts_with("understand --config-json")
        );
        assert!(parse(&["--config-json"]).unwrap_err().contains("needs JSON"));
        let both = parse(&["--config", "c", "--config-json", "[]"]);
        assert!(both.unwrap_err().contains("exclude each other"));
    }
}
