//! `cluster load-images`: gives the node images that nobody can pull.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};

use super::components::ctr;
use super::inside;
use super::place::Place;

/// Imports archives of images, in the form of `docker save` or of an OCI layout. A tag other than `latest` keeps the
/// kubelet from trying to pull.
pub(super) fn images(place: &Place, files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let archive = File::open(file).with_context(|| format!("open {}", file.display()))?;
        let words = ctr(&["images", "import", "-"]);
        let (program, arguments) = words.split_first().context("there is no program to run")?;
        let mut import = inside::command(place, program)?;
        // Through a pipe, since the cluster sees other folders than this program does.
        let output = import
            .args(arguments)
            .stdin(Stdio::from(archive))
            .output()
            .context("run ctr")?;
        if !output.status.success() {
            bail!(
                "{} was not imported: {}",
                file.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}
