//! `cluster env`: what a shell has to set to work with a cluster.

use anyhow::Context;

use super::place::Place;
use super::record::Record;
use super::request::Order;
use super::{binary, files};

/// Prints lines for `eval`.
pub(super) fn print(place: &Place) -> anyhow::Result<()> {
    let order: Option<Order> = files::read_json(&place.request())?;
    let runs = Record::read(&place.record())?.is_some_and(|record| record.is_alive());
    let order = order.filter(|_| runs).with_context(|| {
        format!(
            "the cluster {} does not run: cargo xtask cluster up --name {0}",
            place.name()
        )
    })?;
    let assets = binary::assets(&order.programs);
    print!(
        "{}",
        lines(&place.kubeconfig().to_string_lossy(), &assets.to_string_lossy())
    );
    Ok(())
}

fn lines(kubeconfig: &str, assets: &str) -> String {
    let (kubeconfig, assets) = (quoted(kubeconfig), quoted(assets));
    format!(
        "export KUBECONFIG={kubeconfig}\nexport KUBEBUILDER_ASSETS={assets}\nexport PATH={assets}:\"$PATH\"\n"
    )
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let script = format!(
            "{}printf '%s\\n' \"$KUBECONFIG\" \"$KUBEBUILDER_ASSETS\" \"$PATH\"",
            lines("/a b/it's", "/c$d")
        );
        let shell = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .env("PATH", "/bin")
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(shell.stdout).unwrap(),
            "/a b/it's\n/c$d\n/c$d:/bin\n"
        );
    }
}
