//! What of this machine's own programs and settings every sandbox sees.

use super::sandbox::{Access, Mount, MountKind};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders with the system's programs. What is not below one of them is not in any sandbox.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// The files and folders of `/etc` that programs need, and that hold nothing about people or keys.
const SETTINGS: [&str; 10] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
];

/// Files that are the same in every sandbox. Without a list of hosts and of name servers some C libraries take seconds to
/// find out what `localhost` is.
const TEXTS: [(&str, &str); 5] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/:/bin/false\nagent:x:1000:1000:agent:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("/etc/group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    ),
    (
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    ),
];

/// What is at the places of the system's folders and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    system: Vec<(PathBuf, Part)>,
    /// Where a setting is seen, and where it really is.
    settings: Vec<(PathBuf, PathBuf)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Folder,
    Link(PathBuf),
}

impl Machine {
    pub(super) fn new(system: Vec<(PathBuf, Part)>, settings: Vec<(PathBuf, PathBuf)>) -> Self {
        Self { system, settings }
    }

    /// Looks at this machine.
    pub(super) fn look() -> Self {
        let part = |path: &str| {
            let path = PathBuf::from(path);
            let kind = fs::symlink_metadata(&path).ok()?.file_type();
            let part = if kind.is_symlink() {
                Part::Link(fs::read_link(&path).ok()?)
            } else if kind.is_dir() {
                Part::Folder
            } else {
                return None;
            };
            Some((path, part))
        };
        let setting = |path: &str| Some((PathBuf::from(path), fs::canonicalize(path).ok()?));
        Self::new(
            SYSTEM.into_iter().filter_map(part).collect(),
            SETTINGS.into_iter().filter_map(setting).collect(),
        )
    }

    /// Whether something of that path, which has no links in it, is in every sandbox.
    pub(super) fn shows(&self, path: &Path) -> bool {
        self.folders().any(|folder| path.starts_with(folder))
    }

    /// The system's folders, by all of their names.
    pub(super) fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.system.iter().map(|(path, _)| path)
    }

    /// The mounts of the system's folders and settings.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let mut all: Vec<Mount> = self
            .system
            .iter()
            .map(|(at, part)| Mount {
                at: at.clone(),
                kind: match part {
                    Part::Folder => read_only(at, true),
                    Part::Link(to) => MountKind::Link { to: to.clone() },
                },
            })
            .collect();
        all.extend(self.settings.iter().map(|(at, from)| Mount {
            at: at.clone(),
            kind: read_only(from, false),
        }));
        all.extend(TEXTS.map(|(at, text)| Mount {
            at: at.into(),
            kind: MountKind::Text {
                text: text.to_owned(),
            },
        }));
        all
    }
}

/// A part of the machine that can only be read. One that has gone meanwhile is left out.
fn read_only(from: &Path, exec: bool) -> MountKind {
    MountKind::Bind {
        from: from.to_owned(),
        access: Access::ReadOnly,
        exec,
        owner: None,
        optional: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_shows_its_programs_and_nothing_of_its_people() {
        let machine = Machine::look();
        for shown in ["/usr/bin/env", "/usr/local/bin/x", "/bin/sh"] {
            assert!(machine.shows(Path::new(shown)), "{shown}");
        }
        for hidden in [
            "/home/me/bin",
            "/opt/x",
            "/root",
            "/etc/shadow",
            "/",
            "/usrx",
            "/var",
            "/run",
        ] {
            assert!(!machine.shows(Path::new(hidden)), "{hidden}");
        }
        let mounts = machine.mounts();
        let hides = [
            "/home",
            "/root",
            "/var",
            "/srv",
            "/opt",
            "/run",
            "/etc/shadow",
            "/",
        ];
        assert!(
            mounts
                .iter()
                .all(|mount| !hides.map(PathBuf::from).contains(&mount.at))
        );
    }

    #[test]
    fn links_stay_links_and_settings_are_bound_from_where_they_really_are() {
        let machine = Machine::new(
            vec![
                ("/usr".into(), Part::Folder),
                ("/bin".into(), Part::Link("usr/bin".into())),
            ],
            vec![("/etc/localtime".into(), "/usr/share/zoneinfo/UTC".into())],
        );
        let mounts = machine.mounts();
        assert_eq!(mounts[0].kind, read_only(Path::new("/usr"), true));
        assert_eq!(mounts[1].kind, MountKind::Link { to: "usr/bin".into() });
        assert_eq!(
            mounts[2],
            Mount {
                at: "/etc/localtime".into(),
                kind: read_only(Path::new("/usr/share/zoneinfo/UTC"), false)
            }
        );
        assert_eq!(mounts.len(), 3 + TEXTS.len());
    }
}
