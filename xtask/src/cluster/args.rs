//! What the words after `cargo xtask cluster` ask for.
//!
//! Pure: words in, a [`Request`] out. Entry: [`parse`].

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::place::Name;
use super::request::Mode;

/// How the command is called.
pub(super) const USAGE: &str = "\
cargo xtask cluster up [--name NAME] [--control-plane-only]
cargo xtask cluster down|status|env|smoke [--name NAME]
cargo xtask cluster load-images [--name NAME] FILE…";

/// One order for one cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) action: Action,
    /// `default` unless another was given; `None` where every cluster is meant.
    pub(super) name: Option<Name>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Up(Mode),
    Down,
    Status,
    Env,
    Smoke,
    /// Archives of images, as `docker save` or an OCI layout gives them.
    LoadImages(Vec<PathBuf>),
    /// The first process of a cluster; `up` calls it.
    Init(PathBuf),
}

/// Reads the words; the error says which one was not understood.
pub(super) fn parse(words: &[String]) -> anyhow::Result<Request> {
    let Some((verb, rest)) = words.split_first() else {
        bail!("say what to do:\n{USAGE}");
    };
    let words = Words::read(rest)?;
    let action = match verb.as_str() {
        "up" => Action::Up(words.mode()),
        "down" => Action::Down,
        "status" => Action::Status,
        "env" => Action::Env,
        "smoke" => Action::Smoke,
        "load-images" => Action::LoadImages(words.files.clone()),
        "init" => Action::Init(words.files.first().context("`init` needs a file")?.clone()),
        other => bail!("there is no {other:?}:\n{USAGE}"),
    };
    words.fit(verb, &action)?;
    let name = match (&action, words.name) {
        (Action::Status | Action::Init(_), name) => name,
        (_, name) => Some(name.unwrap_or_default()),
    };
    Ok(Request { action, name })
}

/// The words after the verb.
#[derive(Default)]
struct Words {
    name: Option<Name>,
    control_plane_only: bool,
    files: Vec<PathBuf>,
}

impl Words {
    fn read(rest: &[String]) -> anyhow::Result<Self> {
        let mut words = Self::default();
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "--name" => words.name = Some(rest.next().context("--name needs a name")?.parse()?),
                "--control-plane-only" => words.control_plane_only = true,
                flag if flag.starts_with('-') => bail!("there is no {flag:?}:\n{USAGE}"),
                file => words.files.push(file.into()),
            }
        }
        Ok(words)
    }

    fn mode(&self) -> Mode {
        if self.control_plane_only {
            Mode::ControlPlane
        } else {
            Mode::Full
        }
    }

    /// Words that the verb has no use for are mistakes.
    fn fit(&self, verb: &str, action: &Action) -> anyhow::Result<()> {
        let takes_files = matches!(action, Action::LoadImages(_) | Action::Init(_));
        match self.files.first() {
            Some(file) if !takes_files => {
                bail!("`{verb}` takes no {:?}:\n{USAGE}", file.display().to_string())
            }
            None if takes_files => bail!("`{verb}` needs a file:\n{USAGE}"),
            Some(_) | None => {}
        }
        if self.control_plane_only && !matches!(action, Action::Up(_)) {
            bail!("--control-plane-only is for `up`:\n{USAGE}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> anyhow::Result<Request> {
        let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
        parse(&words)
    }

    fn named(name: &str) -> Name {
        name.parse().unwrap()
    }

    #[test]
    fn without_a_name_the_default_cluster_is_meant() {
        let up = request("up").unwrap();
        assert_eq!(
            (up.action, up.name),
            (Action::Up(Mode::Full), Some(named("default")))
        );
        let smoke = request("smoke --name a1").unwrap();
        assert_eq!((smoke.action, smoke.name), (Action::Smoke, Some(named("a1"))));
    }

    #[test]
    fn status_without_a_name_is_about_every_cluster() {
        assert_eq!(request("status").unwrap().name, None);
        assert_eq!(request("status --name x").unwrap().name, Some(named("x")));
    }

    #[test]
    fn a_cluster_without_a_node_is_asked_for_by_a_flag() {
        let up = request("up --control-plane-only --name api").unwrap();
        assert_eq!(
            (up.action, up.name),
            (Action::Up(Mode::ControlPlane), Some(named("api")))
        );
    }

    #[test]
    fn files_belong_to_load_images() {
        let load = request("load-images a.tar --name x b.tar").unwrap();
        assert_eq!(
            load.action,
            Action::LoadImages(vec!["a.tar".into(), "b.tar".into()])
        );
    }

    #[test]
    fn what_has_no_use_is_refused() {
        for line in [
            "",
            "start",
            "up x",
            "up --nam x",
            "up --name",
            "up --name a/b",
            "down --control-plane-only",
            "load-images",
        ] {
            assert!(request(line).is_err(), "{line:?} was accepted");
        }
    }
}
