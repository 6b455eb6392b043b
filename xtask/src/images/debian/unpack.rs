//! Puts the files of one package into a tree. Pure.

use std::io::Read;

use anyhow::{Context, bail};
use tar::{Archive, Entry, EntryType};

use super::super::tree::{Node, Tree};

/// Folders that nobody reads in a container. The texts of licences stay: see [`stays`].
const LEFT_OUT: &[&str] = &[
    "usr/share/bash-completion/",
    "usr/share/doc/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/aarch64-linux-gnu/gconv/",
    "var/cache/",
    "var/lib/dpkg/",
];

/// Folders that are links to their like below `usr`, as Debian's merged `/usr` has them.
pub(super) const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

/// No bit that gives rights of another user.
const PERMISSIONS: u32 = 0o1777;

/// Adds what is in a package's tar.
pub(super) fn unpack(tar: &[u8], tree: &mut Tree) -> anyhow::Result<()> {
    let mut archive = Archive::new(tar);
    for entry in archive.entries().context("read the files of a package")? {
        let mut entry = entry.context("read a file of a package")?;
        let path = path_of(&entry)?;
        if MERGED.contains(&path.as_str()) || !stays(&path) {
            continue;
        }
        let node = node(&mut entry, tree).with_context(|| format!("read {path}"))?;
        tree.add(&path, node);
    }
    Ok(())
}

fn path_of(entry: &Entry<'_, &[u8]>) -> anyhow::Result<String> {
    let path = entry.path().context("read the name of a file")?;
    let path = path.to_str().context("the name of a file is not UTF-8")?;
    Ok(merged(path))
}

/// The path below `usr` of what older packages have at the root.
fn merged(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_matches('/');
    match path.split_once('/') {
        Some((first, _)) if MERGED.contains(&first) => format!("usr/{path}"),
        Some(_) | None => path.to_owned(),
    }
}

fn stays(path: &str) -> bool {
    let left_out = |folder: &&&str| path.starts_with(**folder) || path == folder.trim_end_matches('/');
    match LEFT_OUT.iter().find(left_out) {
        // Who passes on a program passes on its licence; for some packages it is behind a link to another's.
        Some(&"usr/share/doc/") => path.ends_with("/copyright"),
        Some(_) => false,
        None => true,
    }
}

fn node(entry: &mut Entry<'_, &[u8]>, tree: &Tree) -> anyhow::Result<Node> {
    let mode = entry.header().mode().context("read its rights")? & PERMISSIONS;
    let kind = entry.header().entry_type();
    let target = entry.link_name().context("read where it points")?;
    let target = target.and_then(|target| target.to_str().map(ToOwned::to_owned));
    match (kind, target) {
        (EntryType::Directory, _) => Ok(Node::Folder { mode }),
        (EntryType::Regular, _) => {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).context("read its content")?;
            Ok(Node::File { mode, content })
        }
        (EntryType::Symlink, Some(target)) => Ok(Node::Link { target }),
        (EntryType::Link, Some(target)) => tree
            .get(&merged(&target))
            .cloned()
            .with_context(|| format!("{target} comes later than its second name")),
        (kind, _) => bail!("it is of the kind {kind:?}, which no package has"),
    }
}

#[cfg(test)]
mod tests {
    use tar::Builder;

    use super::super::super::layer::header;
    use super::*;

    /// A package's tar: rows of kind, rights, path, and content or target.
    fn package(rows: &[(EntryType, u32, &str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (kind, mode, path, text) in rows {
            match kind {
                EntryType::Symlink | EntryType::Link => {
                    builder
                        .append_link(&mut header(*kind, *mode, 0), path, text)
                        .unwrap();
                }
                _ => {
                    let mut header = header(*kind, *mode, text.len());
                    builder.append_data(&mut header, path, text.as_bytes()).unwrap();
                }
            }
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(rows: &[(EntryType, u32, &str, &str)]) -> Tree {
        let mut tree = Tree::default();
        unpack(&package(rows), &mut tree).unwrap();
        tree
    }

    fn file(mode: u32, text: &str) -> Node {
        Node::File {
            mode,
            content: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn old_places_are_below_usr_and_second_names_are_files_of_their_own() {
        let tree = unpacked(&[
            (EntryType::Directory, 0o755, "./bin/", ""),
            (EntryType::Regular, 0o755, "./bin/a", "program"),
            (EntryType::Link, 0o755, "./bin/b", "./bin/a"),
            (EntryType::Symlink, 0o777, "./lib64/ld.so", "/lib/x/ld.so"),
        ]);
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "usr",
                "usr/bin",
                "usr/bin/a",
                "usr/bin/b",
                "usr/lib64",
                "usr/lib64/ld.so"
            ]
        );
        assert_eq!(tree.get("usr/bin/b"), Some(&file(0o755, "program")));
        let target = "/lib/x/ld.so".to_owned();
        assert_eq!(tree.get("usr/lib64/ld.so"), Some(&Node::Link { target }));
    }

    #[test]
    fn rights_of_other_users_are_not_taken_over() {
        let tree = unpacked(&[
            (EntryType::Regular, 0o4755, "./usr/bin/su", ""),
            (EntryType::Regular, 0o2755, "./usr/bin/wall", ""),
            (EntryType::Directory, 0o1777, "./tmp/", ""),
        ]);
        assert_eq!(tree.get("usr/bin/su"), Some(&file(0o755, "")));
        assert_eq!(tree.get("usr/bin/wall"), Some(&file(0o755, "")));
        assert_eq!(tree.get("tmp"), Some(&Node::Folder { mode: 0o1777 }));
    }

    #[test]
    fn pages_are_left_out_and_licences_stay() {
        for (path, expected) in [
            ("usr/share/doc/curl/copyright", true),
            ("usr/share/doc/curl/NEWS.gz", false),
            ("usr/share/doc/curl", false),
            ("usr/share/man/man1/curl.1.gz", false),
            ("usr/share/zoneinfo/UTC", true),
            ("usr/share/documents", true),
            ("usr/bin/curl", true),
        ] {
            assert_eq!(stays(path), expected, "{path}");
        }
    }

    #[test]
    fn a_device_is_refused() {
        let mut tree = Tree::default();
        let error = unpack(&package(&[(EntryType::Char, 0o666, "./dev/null", "")]), &mut tree).unwrap_err();
        assert!(format!("{error:#}").contains("dev/null"), "{error:#}");
    }
}
