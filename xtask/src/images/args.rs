//! The command line of `cargo xtask images`. Pure: words in, a [`Request`] out.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::list::{RECIPES, Recipe};
use super::name::{Registry, Tag};
use crate::{programs, repo};

/// What to make, how it is called, and where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) recipes: Vec<Recipe>,
    pub(super) out: PathBuf,
    pub(super) registry: Registry,
    pub(super) tag: Tag,
    /// Cargo's profile for programs of ours.
    pub(super) profile: String,
}

/// No registry has this name, so that nothing is pulled by mistake.
const LOCAL: &str = "localhost/sympozium";

const PROFILES: [&str; 3] = [programs::SHIPPED, "release", "dev"];

/// Reads the words behind `images`.
pub(super) fn parse(words: &[String]) -> anyhow::Result<Request> {
    let mut request = Request {
        recipes: Vec::new(),
        out: repo::target_dir().join("images"),
        registry: LOCAL.parse()?,
        tag: env!("CARGO_PKG_VERSION").parse()?,
        profile: programs::SHIPPED.to_owned(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--out" => request.out = PathBuf::from(value()?),
            "--registry" => request.registry = value()?.parse()?,
            "--tag" => request.tag = value()?.parse()?,
            "--profile" => request.profile = profile(value()?)?,
            name => {
                let recipe = recipe(name)?;
                if !request.recipes.contains(&recipe) {
                    request.recipes.push(recipe);
                }
            }
        }
    }
    if request.recipes.is_empty() {
        request.recipes = RECIPES.to_vec();
    }
    Ok(request)
}

fn profile(word: &str) -> anyhow::Result<String> {
    if PROFILES.contains(&word) {
        return Ok(word.to_owned());
    }
    bail!("{word:?} is no profile for images: {}", PROFILES.join(", "))
}

fn recipe(name: &str) -> anyhow::Result<Recipe> {
    let found = RECIPES.iter().find(|recipe| recipe.name == name);
    found.copied().with_context(|| {
        let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        format!(
            "`images` does not know {name:?}; it takes --out DIR, --registry R, --tag T, --profile {}, and names: {}",
            PROFILES.join("|"),
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> anyhow::Result<Request> {
        let words: Vec<String> = line.split_whitespace().map(ToOwned::to_owned).collect();
        parse(&words)
    }

    fn names(request: &Request) -> Vec<&str> {
        request.recipes.iter().map(|recipe| recipe.name).collect()
    }

    #[test]
    fn without_words_all_images_are_made_as_they_are_shipped() {
        let request = request("").unwrap();
        assert_eq!(request.recipes, RECIPES);
        assert_eq!(request.profile, "dist");
        assert_eq!(request.tag, "0.1.0".parse().unwrap());
        assert_eq!(request.registry, "localhost/sympozium".parse().unwrap());
        assert!(request.out.ends_with("images"));
    }

    #[test]
    fn names_and_options_come_in_any_order() {
        let request =
            request("bridge --tag 7 --registry r.example.com/x runner --out a/b --profile dev bridge")
                .unwrap();
        assert_eq!(names(&request), ["bridge", "runner"]);
        assert_eq!(request.profile, "dev");
        assert_eq!(request.tag, "7".parse().unwrap());
        assert_eq!(request.registry, "r.example.com/x".parse().unwrap());
        assert_eq!(request.out, PathBuf::from("a/b"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, part) in [
            ("runer", "runner, bridge, toolbox"),
            ("--fast", "--fast"),
            ("--tag", "--tag needs a value"),
            ("--tag a/b", "is no tag"),
            ("--registry https://x", "no place for images"),
            ("--profile bench", "dist, release, dev"),
        ] {
            let error = format!("{:#}", request(line).unwrap_err());
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
