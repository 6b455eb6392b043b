//! From files to objects: what `-f`, `--policy` and `--skill` name.
//!
//! Reading files is here; what they mean is `sympozium_k8s::documents`. Entries: [`Objects::read`],
//! [`Objects::policies_of`], [`skill_packs`].

mod files;
mod markdown;
mod policies;
mod set;

pub(super) use files::read_text;
pub(super) use markdown::skill_packs;
pub(super) use policies::{Holding, PolicySet};
pub(super) use set::{Given, Objects, in_namespace, name_of};
