//! Makes images: compiles what goes into them, packs it, and writes one file for each.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::archive::{Image, archive};
use super::args::Request;
use super::document::Process;
use super::labels::{Source, labels};
use super::list::{Content, Program, Recipe, programs};
use super::name::Name;
use super::tree::Tree;
use crate::programs::{self as build, Build};
use crate::stage;

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its whole name.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(super) unpacked: u64,
    pub(super) packed: u64,
    pub(super) digest: String,
}

/// Whom programs run as. Run pods say so too; the image alone must be safe as well.
const USER: &str = "1000:1000";

/// The licence of what is ours, as an SPDX expression.
const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// What all images of one call share.
struct Maker<'a> {
    request: &'a Request,
    source: Source,
    /// The folder with our programs.
    programs: PathBuf,
}

/// Makes all that a request asks for.
pub(crate) fn make(request: &Request) -> anyhow::Result<Vec<Made>> {
    std::fs::create_dir_all(&request.out).with_context(|| format!("create {}", request.out.display()))?;
    let maker = Maker {
        request,
        source: Source::here(),
        programs: compile(&programs(&request.recipes), &request.profile)?,
    };
    request.recipes.iter().map(|recipe| maker.write(recipe)).collect()
}

/// Builds programs of ours in one call, and names the folder that they are in.
fn compile(programs: &[Program], profile: &str) -> anyhow::Result<PathBuf> {
    let mut features: Vec<&str> = programs.iter().map(|program| program.feature).collect();
    features.sort_unstable();
    features.dedup();
    let build = Build {
        target: build::musl_target()?,
        profile: profile.to_owned(),
        features: features.join(","),
        bins: programs.iter().map(|program| program.bin.to_owned()).collect(),
    };
    if programs.is_empty() {
        return Ok(build.folder());
    }
    let built = stage::capture("build the programs of images", &mut build.command()?)?;
    if !built.success {
        bail!("the programs do not compile:\n{}", built.output.trim_end());
    }
    Ok(build.folder())
}

impl Maker<'_> {
    fn write(&self, recipe: &Recipe) -> anyhow::Result<Made> {
        let image = self
            .image(recipe)
            .with_context(|| format!("make the image {}", recipe.name))?;
        let archive = archive(&image)?;
        let file = self.request.out.join(format!("{}.tar", recipe.name));
        std::fs::write(&file, &archive.bytes).with_context(|| format!("write {}", file.display()))?;
        Ok(Made {
            name: image.name.to_string(),
            file,
            unpacked: archive.unpacked,
            packed: archive.packed,
            digest: archive.digest,
        })
    }

    fn image(&self, recipe: &Recipe) -> anyhow::Result<Image> {
        let (tree, entrypoint) = match recipe.content {
            Content::Programs(programs) => (tree_of(programs, &self.programs)?, entrypoint(programs)),
        };
        Ok(Image {
            name: Name {
                registry: self.request.registry.clone(),
                name: recipe.name,
                tag: self.request.tag.clone(),
            },
            architecture: architecture(std::env::consts::ARCH)?,
            process: Process {
                user: USER.to_owned(),
                env: Vec::new(),
                entrypoint,
                cmd: Vec::new(),
                working_dir: "/".to_owned(),
                labels: labels(recipe, Some(LICENSE), &self.source),
            },
            tree,
        })
    }
}

/// Reads programs from the folder that cargo put them into.
pub(super) fn tree_of(programs: &[Program], folder: &Path) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    for program in programs {
        let file = folder.join(program.bin);
        let content = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        tree.program(program.path, content);
    }
    Ok(tree)
}

fn entrypoint(programs: &[Program]) -> Vec<String> {
    programs
        .iter()
        .take(1)
        .map(|program| program.path.to_owned())
        .collect()
}

/// Go's name of an architecture, which OCI uses, for Rust's.
fn architecture(rust: &str) -> anyhow::Result<&'static str> {
    match rust {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there are no images for {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_the_names_that_registries_use() {
        assert_eq!(architecture("x86_64").unwrap(), "amd64");
        assert_eq!(architecture("aarch64").unwrap(), "arm64");
        assert!(architecture("riscv64").is_err());
    }
}
