//! Which clusters there are, and where their files lie.
//!
//! Everything of a cluster is below one folder in the project's cache, outside any clone; `down` removes that folder.
//! Entry: [`Place`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::repo;

/// Longer names would not fit into a host name with what is put before them.
const LONGEST_NAME: usize = 32;

/// What a cluster is called: lower-case letters, digits and `-`, as in host names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Default for Name {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let is_allowed = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        if text.is_empty()
            || text.len() > LONGEST_NAME
            || text.starts_with('-')
            || !text.chars().all(is_allowed)
        {
            bail!(
                "a cluster cannot be called {text:?}: up to {LONGEST_NAME} lower-case letters, digits and \"-\""
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// The files of one cluster, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    name: Name,
    dir: PathBuf,
}

impl Place {
    /// Where the cluster of that name lies, whether it exists or not.
    pub(crate) fn of(name: Name) -> anyhow::Result<Self> {
        Ok(Self::below(&clusters()?, name))
    }

    fn below(clusters: &Path, name: Name) -> Self {
        let dir = clusters.join(&name.0);
        Self { name, dir }
    }

    /// Every cluster that has files, in the order of the names.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        let clusters = clusters()?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&clusters).context("list the clusters")? {
            let entry = entry.context("list the clusters")?;
            let name = entry.file_name().to_string_lossy().parse::<Name>();
            if let (true, Ok(name)) = (entry.path().is_dir(), name) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names
            .into_iter()
            .map(|name| Self::below(&clusters, name))
            .collect())
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// The folder of everything else.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The administrator's kubeconfig, for programs outside the cluster's namespaces.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// What the first process wrote about itself. See [`super::record`].
    pub(super) fn record(&self) -> PathBuf {
        self.dir.join("init.json")
    }

    /// What the first process is told. See [`super::request`].
    pub(super) fn request(&self) -> PathBuf {
        self.dir.join("request.json")
    }

    /// What the first process says about its components. See [`super::state`].
    pub(super) fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// One log for each component.
    pub(super) fn logs(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Held while a cluster is made or removed, so that two commands do not cross. It lies beside the folder, which comes
    /// and goes.
    pub(super) fn lock(&self) -> PathBuf {
        self.dir.with_extension("lock")
    }

    /// The cgroup below which the kubelet puts all pods, in every hierarchy. Caches of different users may hold clusters of
    /// the same name, so the path takes part.
    pub(super) fn cgroup(&self) -> String {
        let digest = Sha256::digest(self.dir.as_os_str().as_encoded_bytes());
        format!(
            "sympozium-{}-{}",
            self.name,
            hex::encode(digest.get(..4).unwrap_or_default())
        )
    }
}

fn clusters() -> anyhow::Result<PathBuf> {
    let dir = repo::cache_dir()?.join("clusters");
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for text in ["", "..", "a/b", "A", "-x", "a.lock", &"x".repeat(33)] {
            assert!(text.parse::<Name>().is_err(), "{text:?} was accepted");
        }
        assert_eq!("test-4711".parse::<Name>().unwrap().to_string(), "test-4711");
    }

    #[test]
    fn clusters_of_one_name_in_two_caches_have_different_cgroups() {
        let one = Place::below(Path::new("/a"), Name::default()).cgroup();
        let other = Place::below(Path::new("/b"), Name::default()).cgroup();
        assert_ne!(one, other);
        assert!(one.starts_with("sympozium-default-"), "{one}");
        assert_eq!(one, Place::below(Path::new("/a"), Name::default()).cgroup());
    }

    #[test]
    fn the_lock_outlives_the_folder() {
        let place = Place::below(Path::new("/cache"), Name::default());
        assert!(!place.lock().starts_with(place.dir()));
    }
}
