//! What an image says about itself: the labels that the OCI image specification names.

use std::collections::BTreeMap;
use std::process::Command;

use super::list::Recipe;
use crate::repo;

/// Facts about the tree that images are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The project's page.
    pub(super) page: &'static str,
    pub(super) version: &'static str,
    /// The commit; with `-dirty` when files differ from it. Nothing outside of a clone.
    pub(super) revision: Option<String>,
}

impl Source {
    /// Asks git.
    pub(super) fn here() -> Self {
        let git =
            |words: &[&str]| repo::stdout_of(Command::new("git").args(words).current_dir(repo::root())).ok();
        let commit = git(&["rev-parse", "HEAD"]);
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        Self {
            page: env!("CARGO_PKG_REPOSITORY"),
            version: env!("CARGO_PKG_VERSION"),
            revision: commit.map(|commit| {
                let is_clean = changed.is_some_and(|files| files.trim().is_empty());
                format!("{}{}", commit.trim(), if is_clean { "" } else { "-dirty" })
            }),
        }
    }
}

/// The labels of one image. `licenses` is what all of it is under, where one expression can say it.
pub(super) fn labels(recipe: &Recipe, licenses: Option<&str>, source: &Source) -> BTreeMap<String, String> {
    let revision = source.revision.as_deref();
    let known = [
        ("title", Some(recipe.name)),
        ("description", Some(recipe.about)),
        ("source", Some(source.page)),
        ("version", Some(source.version)),
        ("revision", revision),
        ("licenses", licenses),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some((format!("org.opencontainers.image.{name}"), value?.to_owned())))
        .collect()
}
