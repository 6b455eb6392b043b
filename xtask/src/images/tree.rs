//! The files of an image, before they are packed. Pure: nothing is read from disk here.

use std::collections::BTreeMap;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Folder {
        mode: u32,
    },
    File {
        mode: u32,
        content: Vec<u8>,
    },
    /// A symbolic link.
    Link {
        target: String,
    },
}

/// Files by their paths, which begin with no `/`. The order of the paths is the order in the layer: a folder comes before
/// what is in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// For programs and folders.
pub(super) const EXECUTABLE: u32 = 0o755;
/// For everything else.
pub(super) const READABLE: u32 = 0o644;

impl Tree {
    /// Puts something at a path, and the folders above it where they are missing. What was there before is replaced; a
    /// folder stays what it is when it comes again.
    pub(super) fn add(&mut self, path: &str, node: Node) {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return;
        }
        if let Some((above, _)) = path.rsplit_once('/')
            && !self.nodes.contains_key(above)
        {
            self.add(above, Node::Folder { mode: EXECUTABLE });
        }
        let is_folder = matches!(node, Node::Folder { .. });
        let stays = is_folder
            && self
                .nodes
                .get(path)
                .is_some_and(|found| !matches!(found, Node::File { .. }));
        if !stays {
            self.nodes.insert(path.to_owned(), node);
        }
    }

    /// A program at a path.
    pub(super) fn program(&mut self, path: &str, content: Vec<u8>) {
        self.add(
            path,
            Node::File {
                mode: EXECUTABLE,
                content,
            },
        );
    }

    /// A text at a path.
    pub(super) fn text(&mut self, path: &str, content: &str) {
        let content = content.as_bytes().to_vec();
        self.add(
            path,
            Node::File {
                mode: READABLE,
                content,
            },
        );
    }

    /// A symbolic link at a path.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.add(
            path,
            Node::Link {
                target: target.to_owned(),
            },
        );
    }

    /// Removes what has such a path.
    pub(super) fn remove(&mut self, has: impl Fn(&str) -> bool) {
        self.nodes.retain(|path, _| !has(path));
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> u64 {
        let size = |node: &Node| match node {
            Node::File { content, .. } => content.len() as u64,
            Node::Folder { .. } | Node::Link { .. } => 0,
        };
        self.nodes.values().map(size).sum()
    }

    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path.trim_matches('/'))
    }

    /// Everything, in the order of a layer.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn folders_come_before_what_is_in_them_also_beside_names_that_sort_between() {
        let mut tree = Tree::default();
        tree.text("/a/b/c", "");
        tree.text("a/b-c", "");
        tree.text("a.txt", "");
        assert_eq!(paths(&tree), ["a", "a.txt", "a/b", "a/b-c", "a/b/c"]);
    }

    #[test]
    fn the_last_file_at_a_path_counts_and_a_folder_replaces_no_link() {
        let mut tree = Tree::default();
        tree.text("a", "old");
        tree.text("a", "new");
        tree.link("lib", "usr/lib");
        tree.add("lib/", Node::Folder { mode: EXECUTABLE });
        tree.add("tmp", Node::Folder { mode: 0o1777 });
        tree.text("tmp/x", "");
        let content = b"new".to_vec();
        assert_eq!(
            tree.get("/a"),
            Some(&Node::File {
                mode: READABLE,
                content
            })
        );
        assert_eq!(
            tree.get("lib"),
            Some(&Node::Link {
                target: "usr/lib".to_owned()
            })
        );
        assert_eq!(tree.get("tmp"), Some(&Node::Folder { mode: 0o1777 }));
    }

    #[test]
    fn the_root_itself_is_nothing_to_pack() {
        let mut tree = Tree::default();
        tree.add("/", Node::Folder { mode: EXECUTABLE });
        assert_eq!(paths(&tree), [""; 0]);
    }
}
