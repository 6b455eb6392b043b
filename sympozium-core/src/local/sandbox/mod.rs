//! The launcher: puts one program into a sandbox of its own, by what a plan says.

mod plan;

pub use plan::{
    Access, Folder, HolderPlan, Identity, Mount, MountKind, Resource, ResourceLimit, SandboxPlan,
};
