//! The bridge's settings, from its command line and environment. Pure.

use crate::entry::options::Options;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use sympozium_core::bridge::{BridgeConfig, TerminationMessage};
use sympozium_core::bus::nats::{Credential, NatsSettings, Readers};
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, PackName, RunName, RunUid};
use sympozium_core::run::pod_contract as contract;

const GRACE_SECONDS: &str = "--grace-seconds";
const TERMINATION_MESSAGE: &str = "--termination-message";
/// Not an option that a pod has: its value comes by the environment.
const TERMINATION_MESSAGE_BYTES: &str = "--termination-message-bytes";

/// Each option, and the variable in its place.
const OPTIONS: &[(&str, &str)] = &[
    (contract::IPC_PATH, "IPC_PATH"),
    (contract::NAMESPACE, "NAMESPACE"),
    (contract::INSTANCE, "INSTANCE_NAME"),
    (contract::AGENT_RUN_ID, "AGENT_RUN_ID"),
    (contract::RUN_NAME, "RUN_NAME"),
    (contract::POD_UID, contract::POD_UID_VARIABLE),
    (contract::EVENT_BUS_URL, "EVENT_BUS_URL"),
    (contract::TOKEN_FILE, "EVENT_BUS_TOKEN_FILE"),
    (contract::CA_FILE, "EVENT_BUS_CA_FILE"),
    (GRACE_SECONDS, "GRACE_SECONDS"),
    (TERMINATION_MESSAGE, "TERMINATION_MESSAGE_PATH"),
    (TERMINATION_MESSAGE_BYTES, contract::TERMINATION_MESSAGE_BYTES),
];

/// A little less than the pod's own grace, of which agent and skills take some seconds first.
const GRACE: u64 = 630;
/// What every container of a pod with twelve of them may say.
const MESSAGE_BYTES: usize = 1024;
/// How long one exchange with the bus may take. After that it is tried again.
const EXCHANGE: Duration = Duration::from_secs(5);

/// All that the bridge has to know.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bridge: BridgeConfig,
    pub(super) bus: NatsSettings,
}

impl Settings {
    /// Reads them. An error names the option.
    pub(super) fn read(
        arguments: impl Iterator<Item = OsString>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Self> {
        let known: Vec<&'static str> = OPTIONS.iter().map(|(option, _)| *option).collect();
        let mut options = Options::parse(arguments, &known, &[contract::EXECUTOR])?;
        options.or_from(OPTIONS, environment);
        let bridge = bridge(&mut options)?;
        let bus = bus(&mut options)?;
        Ok(Self { bridge, bus })
    }
}

fn bridge(options: &mut Options) -> anyhow::Result<BridgeConfig> {
    let namespace: Namespace = needed(options, contract::NAMESPACE)?;
    let name: InstanceName = needed(options, contract::INSTANCE)?;
    let run: RunUid = needed(options, contract::AGENT_RUN_ID)?;
    let executors = options.take_all(contract::EXECUTOR).into_iter();
    let executors = executors.map(|pack| pack.parse::<PackName>(contract::EXECUTOR));
    let path = |options: &mut Options, name, default: &str| {
        let given = options.take(name);
        given.map_or_else(|| PathBuf::from(default), |given| given.path())
    };
    let grace = options
        .take(GRACE_SECONDS)
        .map(|given| given.parse(GRACE_SECONDS));
    let bytes = options.take(TERMINATION_MESSAGE_BYTES);
    let bytes = bytes.map(|given| given.parse(contract::TERMINATION_MESSAGE_BYTES));
    Ok(BridgeConfig {
        ipc: path(options, contract::IPC_PATH, contract::IPC),
        run,
        instance: InstanceRef { namespace, name },
        executors: executors.collect::<Result<_, _>>()?,
        grace: Duration::from_secs(grace.transpose()?.unwrap_or(GRACE)),
        termination_message: Some(TerminationMessage {
            path: path(options, TERMINATION_MESSAGE, contract::TERMINATION_MESSAGE),
            most_bytes: bytes.transpose()?.unwrap_or(MESSAGE_BYTES),
        }),
    })
}

fn bus(options: &mut Options) -> anyhow::Result<NatsSettings> {
    let inbox: uuid::Uuid = needed(options, contract::POD_UID)?;
    let servers: url::Url = needed(options, contract::EVENT_BUS_URL)?;
    if !matches!(servers.scheme(), "nats" | "tls") || !servers.has_host() {
        anyhow::bail!(
            "{} can't be {servers}: it is tls://HOST:PORT",
            contract::EVENT_BUS_URL
        );
    }
    let run_name = options.take(contract::RUN_NAME);
    let run_name = run_name.map(|given| given.parse::<RunName>(contract::RUN_NAME));
    let name = run_name
        .transpose()?
        .map_or_else(String::new, |name| format!(" of {name}"));
    Ok(NatsSettings {
        servers: servers.to_string(),
        name: format!("sympozium-ipc-bridge{name}"),
        inbox: inbox.to_string(),
        credential: match options.take(contract::TOKEN_FILE) {
            Some(file) => Credential::TokenFile(file.path()),
            None => Credential::Nothing,
        },
        ca_file: options.take(contract::CA_FILE).map(|given| given.path()),
        readers: Readers::Prepared,
        deadline: EXCHANGE,
    })
}

fn needed<T>(options: &mut Options, name: &str) -> anyhow::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let variable = OPTIONS.iter().find(|(option, _)| *option == name);
    options
        .needed(name, variable.map(|(_, variable)| *variable))?
        .parse(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6d3a9a54-31f0-4c0c-8e5b-0f1f5e0a7a11";

    fn line(replaced: &[(&str, &str)]) -> Vec<String> {
        let given = [
            ("--namespace", "team"),
            ("--instance", "sre"),
            ("--agent-run-id", UID),
            ("--pod-uid", UID),
            ("--event-bus-url", "tls://nats:4222"),
        ];
        let mut line = Vec::new();
        for (name, value) in given {
            let value = replaced
                .iter()
                .find(|(other, _)| *other == name)
                .map_or(value, |(_, value)| value);
            if !value.is_empty() {
                line.extend([name.to_owned(), value.to_owned()]);
            }
        }
        line
    }

    fn read(line: &[String], environment: &[(&str, &str)]) -> Result<Settings, String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::read(line.iter().map(OsString::from), variable).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_a_pod_gives_is_taken_and_the_rest_has_defaults() {
        let mut given = line(&[]);
        for word in [
            "--executor",
            "k8s-ops",
            "--executor",
            "sandbox",
            "--token-file",
            "/t",
            "--ca-file",
            "/ca",
        ] {
            given.push(word.to_owned());
        }
        let Settings { bridge, bus } =
            read(&given, &[(contract::TERMINATION_MESSAGE_BYTES, "3072")]).unwrap();
        assert_eq!(bridge.ipc, PathBuf::from("/ipc"));
        assert_eq!(bridge.run.to_string(), UID);
        assert_eq!(bridge.instance.to_string(), "team/sre");
        assert_eq!(bridge.executors.len(), 2);
        assert_eq!(bridge.grace, Duration::from_secs(630));
        let message = bridge.termination_message.unwrap();
        assert_eq!(
            (message.path, message.most_bytes),
            ("/dev/termination-log".into(), 3072)
        );
        assert_eq!(
            (bus.inbox.as_str(), bus.servers.as_str()),
            (UID, "tls://nats:4222")
        );
        assert!(matches!(bus.credential, Credential::TokenFile(path) if path == PathBuf::from("/t")));
        assert_eq!(bus.ca_file, Some("/ca".into()));
    }

    #[test]
    fn the_environment_stands_in_for_options_and_not_above_them() {
        let given = line(&[("--instance", ""), ("--event-bus-url", "")]);
        let environment = [
            ("INSTANCE_NAME", "other"),
            ("EVENT_BUS_URL", "nats://localhost:4222"),
            ("NAMESPACE", "elsewhere"),
        ];
        let Settings { bridge, bus } = read(&given, &environment).unwrap();
        assert_eq!(bridge.instance.to_string(), "team/other");
        assert_eq!(bus.servers, "nats://localhost:4222");
        assert!(matches!(bus.credential, Credential::Nothing));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (option, value, said) in [
            (
                "--instance",
                "",
                "--instance (or INSTANCE_NAME in the environment) is missing",
            ),
            ("--namespace", "A", "--namespace can't be"),
            ("--agent-run-id", "my-run", "--agent-run-id can't be \"my-run\""),
            ("--pod-uid", "x", "--pod-uid can't be"),
            ("--event-bus-url", "https://nats", "--event-bus-url can't be"),
            ("--event-bus-url", "nats", "--event-bus-url can't be"),
        ] {
            let error = read(&line(&[(option, value)]), &[]).unwrap_err();
            assert!(error.contains(said), "{option} {value}: {error}");
        }
        for (words, said) in [
            (["--executor", "../x"], "--executor can't be"),
            (["--verbose", "1"], "--verbose is not an argument"),
            (["--namespace", "b"], "--namespace is given twice"),
            (["--grace-seconds", "-1"], "--grace-seconds can't be"),
        ] {
            let mut given = line(&[]);
            given.extend(words.map(str::to_owned));
            let error = read(&given, &[]).unwrap_err();
            assert!(error.contains(said), "{words:?}: {error}");
        }
        let error = read(&line(&[]), &[(contract::TERMINATION_MESSAGE_BYTES, "many")]).unwrap_err();
        assert!(error.contains(contract::TERMINATION_MESSAGE_BYTES), "{error}");
    }
}
