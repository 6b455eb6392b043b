//! Writes the CustomResourceDefinitions as files, and the page that lists their fields.
//!
//! Run with `cargo run -p sympozium-k8s --features yaml --example write_crds -- DIR PAGE`; `cargo xtask manifests` does it
//! for `config/crd` and `docs/reference`.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("give the folder to write to")?;
    let page = arguments.next().ok_or("give the page to write")?;
    fs::create_dir_all(&folder)?;
    for (name, text) in sympozium_k8s::crd::yaml()? {
        fs::write(folder.join(name), text)?;
    }
    fs::write(page, sympozium_k8s::crd::reference())?;
    Ok(())
}
