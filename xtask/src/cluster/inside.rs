//! Runs programs inside a cluster's namespaces.

use std::process::Command;

use anyhow::Context;

use super::place::Place;
use super::record::Record;

/// A command in the mount, network, process, IPC and host name namespaces of a running cluster.
pub(super) fn command(place: &Place, program: &str) -> anyhow::Result<Command> {
    let record = Record::read(&place.record())?
        .filter(Record::is_alive)
        .with_context(|| {
            format!(
                "the cluster {} does not run: cargo xtask cluster up --name {0}",
                place.name()
            )
        })?;
    let mut command = Command::new("nsenter");
    command.arg(format!("--target={}", record.pid)).args([
        "--mount", "--net", "--pid", "--ipc", "--uts", "--wd=/", "--", program,
    ]);
    Ok(command)
}
