//! Writes the CustomResourceDefinitions as files.
//!
//! Run with `cargo run -p sympozium-k8s --features yaml --example write_crds -- DIR`; `cargo xtask manifests` does it for
//! `config/crd`.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = env::args_os().nth(1).ok_or("give the folder to write to")?.into();
    fs::create_dir_all(&folder)?;
    for (name, text) in sympozium_k8s::crd::yaml()? {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
