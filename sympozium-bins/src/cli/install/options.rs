//! What the flags of `install` mean. Pure.

use super::args::InstallArgs;
use crate::cli::failure::Failure;
use std::collections::BTreeMap;
use sympozium_k8s::install::{
    Database, EventBus, ExternalBus, Image, ImageOptions, InstallOptions, StorageOptions, names,
};
use url::{Host, Url};

/// The options, checked.
pub(super) fn read(args: &InstallArgs, database_url: Option<&str>) -> Result<InstallOptions, Failure> {
    let standard = InstallOptions::default();
    let images = ImageOptions {
        registry: args.image_registry.clone().unwrap_or(standard.images.registry),
        tag: args.image_tag.clone(),
        pull_secrets: args.image_pull_secrets.clone(),
        pull_policy: args.image_pull_policy.into(),
        replaced: replaced(&args.images)?,
    };
    let options = InstallOptions {
        namespace: args.namespace.clone(),
        version: args.version.clone().unwrap_or(standard.version),
        images,
        replicas: args.replicas,
        max_gateways: args.max_gateways,
        event_bus: event_bus(args)?,
        database: database(args.database_secret.as_deref(), database_url)?,
        storage: StorageOptions {
            class: args.storage_class.clone(),
            bus_size: args.bus_storage.clone(),
            database_size: args.database_storage.clone(),
        },
        private_providers: args.private_providers.clone(),
        api_audience: args.api_audience.clone(),
    };
    options
        .check()
        .map_err(|error| Failure::input(format!("{error}.")))?;
    Ok(options)
}

/// Whether an installation can be in a namespace of this name.
pub(super) fn namespace(name: &str) -> Result<(), Failure> {
    let options = InstallOptions {
        namespace: name.to_owned(),
        ..InstallOptions::default()
    };
    options
        .check()
        .map_err(|error| Failure::input(format!("{error}.")))
}

fn replaced(given: &[String]) -> Result<BTreeMap<Image, String>, Failure> {
    let one = |text: &String| {
        let (name, reference) = text.split_once('=').unwrap_or((text, ""));
        let image = Image::ALL.into_iter().find(|image| image.as_str() == name);
        let names = Image::ALL.map(Image::as_str).join(", ");
        image
            .filter(|_| !reference.is_empty())
            .map(|image| (image, reference.to_owned()))
            .ok_or_else(|| {
                Failure::input(format!(
                    "--image {text:?} must be NAME=REFERENCE, where NAME is one of {names}."
                ))
            })
    };
    given.iter().map(one).collect()
}

fn event_bus(args: &InstallArgs) -> Result<EventBus, Failure> {
    let Some(text) = &args.event_bus_url else {
        return Ok(EventBus::Bundled);
    };
    let wrong = |why: &str| Failure::input(format!("--event-bus-url {why}, such as tls://10.0.0.5:4222."));
    let url: Url = text.parse().map_err(|_| wrong("must be tls://HOST:PORT"))?;
    if url.scheme() != "tls" || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must be tls://HOST:PORT, without user or password"));
    }
    // A scheme that the library does not know has a name as its host even where that is an address.
    let host = match url.host() {
        Some(Host::Domain(name)) => name.parse().ok(),
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        None => return Err(wrong("must name a host")),
    };
    let addresses = match (host, args.event_bus_addresses.is_empty()) {
        (_, false) => args.event_bus_addresses.clone(),
        (Some(address), true) => vec![address],
        (None, true) => {
            return Err(Failure::input(
                "--event-bus-url names a host by its name, and run pods know no names: give its addresses with --event-bus-address.",
            ));
        }
    };
    Ok(EventBus::External(ExternalBus {
        addresses,
        port: url.port().unwrap_or(names::NATS_PORT),
    }))
}

fn database(secret: Option<&str>, url: Option<&str>) -> Result<Database, Failure> {
    match (secret, url) {
        (None, None) => Ok(Database::Bundled),
        (Some(secret), None) => {
            let (secret, key) = secret
                .split_once('/')
                .unwrap_or((secret, names::DATABASE_URL_KEY));
            Ok(Database::External {
                secret: secret.to_owned(),
                key: key.to_owned(),
            })
        }
        (None, Some(url)) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Database::External {
                secret: names::DATABASE.to_owned(),
                key: names::DATABASE_URL_KEY.to_owned(),
            })
        }
        (None, Some(_)) => Err(Failure::input(
            "--database-url must be postgres://USER:PASSWORD@HOST/DATABASE: several gateways share one database.",
        )),
        (Some(_), Some(_)) => Err(Failure::input(
            "--database-secret and --database-url say the same in two ways: give one of them.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: InstallArgs,
    }

    fn parse(words: &[&str], database_url: Option<&str>) -> Result<InstallOptions, String> {
        let words = std::iter::once(&"install").chain(words);
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        read(&line.args, database_url).map_err(|failure| failure.to_string())
    }

    #[test]
    fn without_flags_everything_is_as_usual() {
        assert_eq!(parse(&[], None).unwrap(), InstallOptions::default());
    }

    #[test]
    fn flags_become_options() {
        let options = parse(
            &[
                "--namespace=agents",
                "--version=1.2.3",
                "--image=nats=r/n:1",
                "--allow-private-provider=10.1.0.0/16",
                "--allow-private-provider=fd00::/8",
                "--event-bus-url=tls://nats.example.org:4333",
                "--event-bus-address=10.0.0.5",
                "--database-secret=db/dsn",
                "--image-pull-policy=always",
            ],
            None,
        )
        .unwrap();
        assert_eq!(
            (options.namespace.as_str(), options.version.as_str()),
            ("agents", "1.2.3")
        );
        assert_eq!(options.image(Image::Nats), "r/n:1");
        assert_eq!(options.private_providers.len(), 2);
        let EventBus::External(bus) = &options.event_bus else {
            panic!()
        };
        assert_eq!(
            (bus.addresses[0].to_string(), bus.port),
            ("10.0.0.5".to_owned(), 4333)
        );
        assert_eq!(
            options.database,
            Database::External {
                secret: "db".into(),
                key: "dsn".into()
            }
        );
    }

    #[test]
    fn the_address_of_a_bus_can_stand_in_its_url() {
        for url in ["tls://10.0.0.5:4222", "tls://10.0.0.5"] {
            let options = parse(&["--event-bus-url", url], None).unwrap();
            let EventBus::External(bus) = options.event_bus else {
                panic!()
            };
            assert_eq!(
                (bus.addresses[0].to_string(), bus.port),
                ("10.0.0.5".to_owned(), 4222)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        for (words, url, part) in [
            (&["--event-bus-url=nats://10.0.0.5"][..], None, "--event-bus-url"),
            (
                &["--event-bus-url=tls://u:canary@10.0.0.5"],
                None,
                "--event-bus-url",
            ),
            (
                &["--event-bus-url=tls://nats.example.org"],
                None,
                "--event-bus-address",
            ),
            (&["--image=what=r/n:1"], None, "skill-k8s-ops"),
            (&["--image=nats"], None, "--image"),
            (
                &["--allow-private-provider=10.0.0.1/99"],
                None,
                "--allow-private-provider",
            ),
            (&["--namespace=kube-system"], None, "--namespace"),
            (&[], Some("sqlite:canary"), "--database-url"),
            (
                &["--database-secret=a"],
                Some("postgres://u:canary@h/d"),
                "--database-secret",
            ),
        ] {
            let said = parse(words, url).unwrap_err();
            assert!(
                said.contains(part) && !said.contains("canary"),
                "{words:?}: {said}"
            );
        }
    }
}
