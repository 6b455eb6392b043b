//! What Debian's packages would do with scripts, as far as an image needs it. Pure.

use super::super::tree::{EXECUTABLE, Node, Tree};
use super::unpack::MERGED;

/// The users that images run as, beside root; programs ask who they are.
const USERS: &str = "root:x:0:0:root:/root:/usr/sbin/nologin\n\
                     postgres:x:999:999::/tmp:/bin/sh\n\
                     sympozium:x:1000:1000::/tmp:/bin/sh\n\
                     nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUPS: &str = "root:x:0:\npostgres:x:999:\nsympozium:x:1000:\nnogroup:x:65534:\n";

/// Certificates as they come, and in one file as programs read them.
const CERTIFICATES: &str = "usr/share/ca-certificates/mozilla/";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// What packages find before them.
pub(super) fn folders() -> Tree {
    let mut tree = Tree::default();
    for folder in MERGED {
        tree.link(folder, &format!("usr/{folder}"));
        tree.add(&format!("usr/{folder}"), Node::Folder { mode: EXECUTABLE });
    }
    tree.add("tmp", Node::Folder { mode: 0o1777 });
    tree
}

/// What is left to do after the last package.
pub(super) fn finish(tree: &mut Tree) {
    tree.text("etc/passwd", USERS);
    tree.text("etc/group", GROUPS);
    let certificates: Vec<u8> = tree
        .iter()
        .filter(|(path, _)| path.starts_with(CERTIFICATES))
        .filter_map(|(_, node)| match node {
            Node::File { content, .. } => Some(content.as_slice()),
            Node::Folder { .. } | Node::Link { .. } => None,
        })
        .collect::<Vec<_>>()
        .concat();
    if !certificates.is_empty() {
        let text = String::from_utf8_lossy(&certificates).into_owned();
        tree.text(BUNDLE, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_in_one_file_in_the_order_of_their_names() {
        let mut tree = folders();
        tree.text(&format!("{CERTIFICATES}b.crt"), "B\n");
        tree.text(&format!("{CERTIFICATES}a.crt"), "A\n");
        finish(&mut tree);
        let Some(Node::File { content, .. }) = tree.get(BUNDLE) else {
            panic!("there is no bundle")
        };
        assert_eq!(content, b"A\nB\n");
    }

    #[test]
    fn without_certificates_there_is_no_empty_bundle() {
        let mut tree = folders();
        finish(&mut tree);
        assert_eq!(tree.get(BUNDLE), None);
        assert!(tree.get("etc/passwd").is_some());
        assert_eq!(
            tree.get("lib"),
            Some(&Node::Link {
                target: "usr/lib".to_owned()
            })
        );
    }
}
