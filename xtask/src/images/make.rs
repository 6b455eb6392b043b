//! Makes images: compiles what goes into them, packs it, and writes one file for each.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::archive::{Image, archive};
use super::args::Request;
use super::content;
use super::document::Process;
use super::labels::{Source, labels};
use super::list::{Content, Program, Recipe, programs};
use super::name::Name;
use crate::programs::{self as build, Build};
use crate::stage;

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// Its whole name.
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) unpacked: u64,
    pub(super) packed: u64,
    pub(super) digest: String,
}

/// What all images of one call share.
struct Maker<'a> {
    request: &'a Request,
    source: Source,
    /// The folder with our programs.
    programs: PathBuf,
}

/// Makes all that a request asks for.
pub(super) fn make(request: &Request) -> anyhow::Result<Vec<Made>> {
    std::fs::create_dir_all(&request.out).with_context(|| format!("create {}", request.out.display()))?;
    let maker = Maker {
        request,
        source: Source::here(),
        programs: compile(&programs(&request.recipes), &request.profile)?,
    };
    request.recipes.iter().map(|recipe| maker.write(recipe)).collect()
}

/// Gets what an image of this kind is made of, short of compiling what is ours.
pub(super) fn obtain(content: Content) -> anyhow::Result<()> {
    match content {
        Content::Programs(_) => build::musl_target().map(drop),
        Content::SkillK8sOps => content::skill_k8s_ops::obtain(),
        Content::Nats => content::nats::obtain(),
        Content::Postgres => content::postgres::obtain(),
    }
}

/// Builds programs of ours in one call, and names the folder that they are in.
fn compile(programs: &[Program], profile: &str) -> anyhow::Result<PathBuf> {
    if programs.is_empty() {
        return Ok(PathBuf::new());
    }
    let mut features: Vec<&str> = programs.iter().map(|program| program.feature).collect();
    features.sort_unstable();
    features.dedup();
    let build = Build {
        target: build::musl_target()?,
        profile: profile.to_owned(),
        features: features.join(","),
        bins: programs.iter().map(|program| program.bin.to_owned()).collect(),
    };
    let finished = stage::capture("build the programs of images", &mut build.command()?)?;
    if !finished.success {
        bail!("the programs do not compile:\n{}", finished.output.trim_end());
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
        let filled = match recipe.content {
            Content::Programs(programs) => content::programs::fill(programs, &self.programs)?,
            Content::SkillK8sOps => content::skill_k8s_ops::fill()?,
            Content::Nats => content::nats::fill()?,
            Content::Postgres => content::postgres::fill()?,
        };
        Ok(Image {
            name: Name {
                registry: self.request.registry.clone(),
                image: recipe.name,
                tag: self.request.tag.clone(),
            },
            architecture: architecture(std::env::consts::ARCH)?,
            process: Process {
                user: filled.user.to_owned(),
                env: filled.env,
                entrypoint: filled.entrypoint,
                cmd: filled.cmd,
                working_dir: "/".to_owned(),
                labels: labels(recipe, filled.licenses, &self.source),
            },
            tree: filled.tree,
        })
    }
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
