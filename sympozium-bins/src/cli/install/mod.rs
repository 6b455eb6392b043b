//! `sympozium install`, `uninstall` and `status`: an installation in a cluster.
//!
//! | Question | Open |
//! | --- | --- |
//! | which flags are there? | `args.rs` |
//! | what do they mean? | `options.rs`, pure |
//! | which cluster is it? | `cluster.rs` |
//! | what does `--dry-run` print? | `dry_run.rs`, pure |

mod args;
mod cluster;
mod dry_run;
mod options;

pub(super) use args::{InstallArgs, StatusArgs, UninstallArgs};

use super::failure::{Exit, Failure};
use super::{block_on, output};
use jiff::Timestamp;
use secrecy::SecretString;
use std::io::{BufRead, IsTerminal, stdin};
use sympozium_core::error::chain;
use sympozium_k8s::install::{Data, InstallError, InstallOptions, Installer, Verdict, Waiting, judge};

/// Installs or upgrades, or prints what would be applied.
pub(super) fn install(args: &InstallArgs, database_url: Option<&str>) -> Result<Exit, Failure> {
    let options = options::read(args, database_url)?;
    if args.dry_run {
        return output::print(&dry_run::text(&options)?);
    }
    let database_url = database_url.map(SecretString::from);
    let waiting = match args.wait()? {
        Some(limit) => Waiting::AtMost(limit),
        None => Waiting::No,
    };
    block_on(async {
        let installer = installer(&args.cluster).await?;
        installer
            .install(&options, database_url.as_ref(), Timestamp::now(), waiting)
            .await
            .map_err(|error| failed(&error))?;
        output::note(&format!(
            "Sympozium {} is installed in namespace {}.",
            options.version, options.namespace
        ));
        Ok(Exit::Success)
    })
}

/// Removes what was installed.
pub(super) fn uninstall(args: &UninstallArgs) -> Result<Exit, Failure> {
    let namespace = args.namespace.as_str();
    options::namespace(namespace)?;
    block_on(async {
        let installer = installer(&args.cluster).await?;
        let data = if args.delete_data {
            Data::Delete
        } else if args.keep_data {
            Data::Keep
        } else {
            let count = installer
                .user_objects(namespace)
                .await
                .map_err(|error| failed(&error))?;
            asked(count)?
        };
        installer
            .uninstall(namespace, data)
            .await
            .map_err(|error| failed(&error))?;
        output::note(match data {
            Data::Delete => "Sympozium and its data are removed.",
            Data::Keep => {
                "Sympozium is removed. Its data stays: custom resources, volumes, keys, the namespace. `sympozium uninstall --delete-data` removes that too."
            }
        });
        Ok(Exit::Success)
    })
}

/// Says what runs and what is wrong.
pub(super) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    options::namespace(&args.namespace)?;
    block_on(async {
        let installer = installer(&args.cluster).await?;
        let seen = installer
            .status(&args.namespace)
            .await
            .map_err(|error| failed(&error))?;
        let verdicts = judge(&seen, &InstallOptions::default().version, Timestamp::now());
        output::print(&lines(&verdicts))?;
        let fine = verdicts.iter().all(|verdict| verdict.fine);
        Ok(if fine { Exit::Success } else { Exit::Failed })
    })
}

fn lines(verdicts: &[Verdict]) -> String {
    verdicts.iter().fold(String::new(), |text, verdict| {
        // Names and images come from the cluster.
        text + &output::plain(&verdict.to_string()) + "\n"
    })
}

async fn installer(args: &args::ClusterArgs) -> Result<Installer, Failure> {
    let client = cluster::client(args).await?;
    Ok(Installer::new(client).on_progress(output::note))
}

/// Asks whether the user's data goes too. Where nobody can answer it stays.
fn asked(objects: usize) -> Result<Data, Failure> {
    if objects == 0 || !stdin().is_terminal() {
        return Ok(Data::Keep);
    }
    output::note(&format!(
        "There are {objects} objects of yours: custom resources of all namespaces, and volumes. Delete them, with everything that was said and remembered? [y/N]"
    ));
    let mut answer = String::new();
    stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::failed(format!("The answer could not be read: {error}.")))?;
    Ok(data(&answer))
}

fn data(answer: &str) -> Data {
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Data::Delete,
        _ => Data::Keep,
    }
}

fn failed(error: &InstallError) -> Failure {
    let message = format!("{}.", chain(error));
    match error {
        InstallError::Options(_) | InstallError::NotInstalled(_) => Failure::input(message),
        // Whatever else there is or will be was tried and failed.
        _ => Failure::failed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_deletes_data() {
        for (answer, expected) in [
            ("y\n", Data::Delete),
            ("YES\n", Data::Delete),
            ("\n", Data::Keep),
            ("n", Data::Keep),
            ("yep", Data::Keep),
            ("", Data::Keep),
        ] {
            assert_eq!(data(answer), expected, "{answer:?}");
        }
    }
}
