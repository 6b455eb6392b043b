//! `cargo xtask package`: the published crates can be packaged, and compile from what was packaged.
//!
//! Cargo's own verification would build every dependency a second time; here the packages are unpacked beside each other
//! and checked with the features and the build folder that `features` has used just before. Entry: [`command`].

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{repo, stage::Stages};

/// Packages all published crates, then checks each from its package.
pub(crate) fn command(args: &[String]) -> anyhow::Result<()> {
    let allow_dirty = match args {
        [] => false,
        [flag] if flag == "--allow-dirty" => true,
        _ => bail!("`package` takes --allow-dirty and nothing else"),
    };
    let mut package = repo::cargo(&["package", "--locked", "--no-verify"]);
    for name in repo::PUBLISHED {
        package.args(["-p", name]);
    }
    if allow_dirty {
        package.arg("--allow-dirty");
    }
    let mut stages = Stages::default();
    stages.command("package the published crates", &mut package);
    // Outside of the build folder: there cargo would take the packages for members of this workspace.
    let unpacked = std::env::temp_dir().join(format!("sympozium-packages-{}", std::process::id()));
    for name in repo::PUBLISHED {
        stages.check(&format!("{name} from its package"), || check(name, &unpacked));
    }
    if unpacked.exists() {
        std::fs::remove_dir_all(&unpacked).with_context(|| format!("remove {}", unpacked.display()))?;
    }
    stages.finish()
}

fn check(name: &str, unpacked: &Path) -> anyhow::Result<()> {
    let folder = unpack(name, unpacked)?;
    let mut check = repo::cargo(&["check", "--lib", "--all-features", "--manifest-path"]);
    check
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", repo::target_dir());
    // The profile of this workspace does not travel with a package, and with another one nothing could be shared.
    for setting in [
        "profile.dev.debug=\"line-tables-only\"",
        "profile.dev.package.\"*\".debug=false",
    ] {
        check.arg("--config").arg(setting);
    }
    // Siblings are not on the registry yet; those before this one are unpacked already.
    for sibling in repo::PUBLISHED.iter().take_while(|sibling| **sibling != name) {
        let path = folder_of(sibling, unpacked);
        check.arg("--config").arg(format!(
            "patch.crates-io.{sibling}.path={:?}",
            path.display().to_string()
        ));
    }
    let finished = crate::stage::capture(&format!("check {name} from its package"), &mut check)?;
    if !finished.success {
        bail!("{}", finished.output.trim_end());
    }
    Ok(())
}

fn folder_of(name: &str, unpacked: &Path) -> PathBuf {
    unpacked.join(format!("{name}-{}", env!("CARGO_PKG_VERSION")))
}

/// Unpacks the file that `cargo package` has left.
fn unpack(name: &str, unpacked: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(unpacked).with_context(|| format!("create {}", unpacked.display()))?;
    let folder = folder_of(name, unpacked);
    let file_name = folder
        .file_name()
        .context("a package has a name")?
        .to_string_lossy()
        .into_owned();
    let file = repo::target_dir()
        .join("package")
        .join(format!("{file_name}.crate"));
    let mut tar = Command::new("tar");
    repo::stdout_of(tar.arg("-xzf").arg(file).arg("-C").arg(unpacked))?;
    Ok(folder)
}
