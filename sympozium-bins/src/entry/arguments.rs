//! The command line of the small programs.

use anyhow::{Context, bail};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

/// The largest configuration that is read: typed tools' schemas are the largest part of it.
const MAX_CONFIG: u64 = 8 << 20;

/// What they are told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    config: PathBuf,
    /// End when standard input does.
    pub(super) end_with_stdin: bool,
}

impl Arguments {
    /// Reads the arguments behind the program's name.
    pub(super) fn parse(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut config = None;
        let mut end_with_stdin = false;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--config") => {
                    config = Some(arguments.next().context("--config needs a file behind it")?);
                }
                Some("--end-with-stdin") => end_with_stdin = true,
                Some(_) | None => bail!("{} is not an argument of this program", argument.display()),
            }
        }
        let config = config.context("--config is missing; this program is started by sympozium itself")?;
        Ok(Self {
            config: config.into(),
            end_with_stdin,
        })
    }

    /// Reads the configuration.
    pub(super) fn read_config<C: serde::de::DeserializeOwned>(&self) -> anyhow::Result<C> {
        let path = self.config.display();
        let mut text = Vec::new();
        std::fs::File::open(&self.config)
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
            config: "c.json".into(),
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
            config: folder.path().join(name),
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
}
