//! `sympozium-toolbox`: what is put into the containers of a run that are not ours.
//!
//! | Command line | Does |
//! | --- | --- |
//! | `install PATH…` | copies the program itself to each path, whole or not at all |
//! | `serve --config-json PART…` | executes the commands of one skill in a pod; its configuration is a [`ToolboxConfig`] |
//! | `with-token [OPTION…] -- COMMAND…` | the first process of a container whose command is not ours |
//! | `--config FILE` | executes the commands of one skill on this machine |

use super::options::Options;
use super::{BAD_INPUT, Threads, start, start_logging, stop};
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::run::pod_contract::{self as contract, GatewayAccess};
use sympozium_core::toolbox::{
    Toolbox, ToolboxConfig, WithToken, end_strays, install, keep_memory_private, prepare_process,
};

/// Runs with the process's own arguments.
pub fn main() -> ExitCode {
    with_arguments(std::env::args_os().skip(1))
}

/// Runs with these arguments, for programs that have it as a subcommand.
pub fn with_arguments(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    let subcommand = arguments
        .peek()
        .and_then(|first| first.to_str())
        .map(str::to_owned);
    match subcommand.as_deref() {
        Some(contract::INSTALL) => told(install_all(arguments.skip(1))),
        Some(contract::WITH_TOKEN) => told(with_token(arguments.skip(1))),
        Some(contract::SERVE) => serve(arguments.skip(1), Place::Pod),
        Some(_) | None => serve(arguments, Place::Machine),
    }
}

/// Where commands are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Beside a bridge, which sends what is on record.
    Pod,
    Machine,
}

fn serve(arguments: impl Iterator<Item = OsString>, place: Place) -> ExitCode {
    start(
        ("sympozium-toolbox", Threads::Few),
        arguments,
        || keep_memory_private().context("keep memory private"),
        async move |config: ToolboxConfig, cancel| {
            let sole = config.sole;
            if sole && let Err(error) = prepare_process() {
                tracing::error!("prepare the executor: {error}");
                return 1;
            }
            let toolbox = Toolbox::new(config);
            let toolbox = match place {
                Place::Pod => toolbox.recording(),
                Place::Machine => toolbox,
            };
            let ended = toolbox.run(cancel).await;
            if sole {
                end_strays();
            }
            match ended {
                Ok(()) => 0,
                Err(error) => {
                    tracing::error!("the executor ended: {}", chain(&error));
                    1
                }
            }
        },
    )
}

fn told(ended: anyhow::Result<u8>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            start_logging();
            tracing::error!("sympozium-toolbox: {error:#}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn install_all(targets: impl Iterator<Item = OsString>) -> anyhow::Result<u8> {
    let targets: Vec<PathBuf> = targets.map(PathBuf::from).collect();
    if targets.is_empty() {
        bail!("{} needs a path behind it", contract::INSTALL);
    }
    let program = std::env::current_exe().context("find this program")?;
    for target in targets {
        install(&program, &target)?;
    }
    Ok(0)
}

fn with_token(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<u8> {
    let work = read_with_token(arguments)?;
    start_logging();
    prepare_process().context("prepare for the command's end")?;
    let runtime = Threads::One.runtime()?;
    let code = runtime.block_on(async {
        let cancel = stop::when_asked(false)?;
        anyhow::Ok(work.run(&cancel).await.unwrap_or_else(|error| {
            tracing::error!("{}", chain(&error));
            error.code()
        }))
    });
    runtime.shutdown_background();
    code
}

const WITH_TOKEN_OPTIONS: &[&str] = &[
    contract::GATEWAY_URL,
    contract::TOKEN_FILE,
    contract::CA_FILE,
    contract::TIMEOUT_SECONDS,
];

fn read_with_token(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Result<WithToken> {
    let before = arguments.by_ref().take_while(|argument| argument != "--");
    let mut options = Options::parse(before, WITH_TOKEN_OPTIONS, &[])?;
    let access = match options.take(contract::TOKEN_FILE) {
        None => None,
        Some(token_file) => Some(GatewayAccess {
            url: options
                .needed(contract::GATEWAY_URL, None)?
                .parse(contract::GATEWAY_URL)?,
            token_file: token_file.path(),
            ca_file: options.needed(contract::CA_FILE, None)?.path(),
        }),
    };
    if access.is_none() {
        for option in [contract::GATEWAY_URL, contract::CA_FILE] {
            if options.take(option).is_some() {
                bail!("{option} is of no use without {}", contract::TOKEN_FILE);
            }
        }
    }
    let timeout = options.take(contract::TIMEOUT_SECONDS);
    let timeout = timeout
        .map(|seconds| seconds.parse(contract::TIMEOUT_SECONDS))
        .transpose()?;
    let command: Vec<OsString> = arguments.collect();
    if command.is_empty() {
        bail!("there is no command behind --");
    }
    Ok(WithToken {
        command,
        access,
        timeout: timeout.map(Duration::from_secs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(line: &str) -> Result<WithToken, String> {
        let arguments = line.split_whitespace().map(OsString::from);
        read_with_token(arguments).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_command_gets_the_token_that_it_is_given() {
        let work = read(
            "--gateway-url https://gw:8443 --token-file /t --ca-file /ca --timeout-seconds 30 -- python --token-file x",
        );
        let work = work.unwrap();
        let access = work.access.unwrap();
        assert_eq!(access.url.as_str(), "https://gw:8443/");
        assert_eq!(
            (access.token_file.as_path(), access.ca_file.as_path()),
            (Path::new("/t"), Path::new("/ca"))
        );
        assert_eq!(work.timeout, Some(Duration::from_secs(30)));
        assert_eq!(work.command, ["python", "--token-file", "x"]);
        let plain = read("-- sleep 1").unwrap();
        assert!(plain.access.is_none() && plain.timeout.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, said) in [
            ("", "no command"),
            ("--", "no command"),
            ("sleep 1", "sleep is not an argument"),
            ("--token-file /t -- a", "--gateway-url is missing"),
            (
                "--token-file /t --gateway-url x --ca-file /c -- a",
                "--gateway-url",
            ),
            ("--ca-file /c -- a", "--ca-file is of no use"),
            ("--timeout-seconds soon -- a", "--timeout-seconds"),
            ("--timeout-seconds -- a", "--timeout-seconds needs a value"),
            ("--secret -- a", "--secret is not an argument"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(install_all(std::iter::empty()).is_err());
    }
}
