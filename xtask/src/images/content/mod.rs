//! What is in each kind of image, and how a container of it starts. Entry: [`Filled`].

pub(super) mod nats;
pub(super) mod postgres;
pub(super) mod programs;
pub(super) mod skill_k8s_ops;

use super::tree::Tree;

/// Whom programs run as. Run pods say so too; the image alone must be safe as well.
pub(super) const USER: &str = "1000:1000";

/// The licence of what is ours, as an SPDX expression.
pub(super) const OURS: &str = env!("CARGO_PKG_LICENSE");

/// Files, and how a container starts with them.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) tree: Tree,
    pub(super) user: &'static str,
    pub(super) env: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) cmd: Vec<String>,
    /// The licence of all of it, where one expression can say it. With Debian's packages are their own texts.
    pub(super) licenses: Option<&'static str>,
}

impl Filled {
    /// A program that is started by itself.
    fn program(path: &str, tree: Tree, licenses: &'static str) -> Self {
        Self {
            tree,
            user: USER,
            env: Vec::new(),
            entrypoint: vec![path.to_owned()],
            cmd: Vec::new(),
            licenses: Some(licenses),
        }
    }
}
