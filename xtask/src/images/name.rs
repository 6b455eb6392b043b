//! What an image is called: `registry/name:tag`.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// The longest tag that registries take.
const LONGEST_TAG: usize = 128;

/// What stands before the name: a registry, with a port and folders where it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registry(String);

impl FromStr for Registry {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let well_formed = |part: &str| {
            let edge = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit();
            part.starts_with(edge)
                && part.ends_with(edge)
                && part.chars().all(|sign| edge(sign) || ".-_".contains(sign))
        };
        let mut parts = text.split('/');
        let host = parts.next().unwrap_or_default();
        let (host, port) = host.rsplit_once(':').unwrap_or((host, "0"));
        if well_formed(host) && port.parse::<u16>().is_ok() && parts.all(well_formed) {
            return Ok(Self(text.to_owned()));
        }
        bail!("{text:?} is no place for images; it looks like registry.example.com/team")
    }
}

/// The tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag(String);

impl FromStr for Tag {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let well_formed = text.len() <= LONGEST_TAG
            && text.starts_with(word)
            && text.chars().all(|sign| word(sign) || ".-".contains(sign));
        if well_formed {
            return Ok(Self(text.to_owned()));
        }
        bail!("{text:?} is no tag: letters, digits, `_`, `.` and `-`, at most {LONGEST_TAG}")
    }
}

/// The whole name of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) registry: Registry,
    /// Which of our images.
    pub(super) image: &'static str,
    pub(super) tag: Tag,
}

impl Name {
    pub(super) fn tag(&self) -> &str {
        &self.tag.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry.0, self.image, self.tag.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_have_hosts_ports_and_folders() {
        for good in [
            "localhost/sympozium",
            "registry.example.com:5000/a/b-c",
            "localhost",
        ] {
            assert!(good.parse::<Registry>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "A/b",
            "https://a/b",
            "a:b/c",
            "a/b:1",
            "a b",
            "a/$(x)",
            "a/..",
        ] {
            assert!(bad.parse::<Registry>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_words() {
        for good in ["1", "0.1.0-rc.1", "latest", "_x"] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a b", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }
}
