//! The five custom resources of group `sympozium.ai`, as CustomResourceDefinitions and as Rust types.
//!
//! The types in [`v1alpha1`] are wire types only: what may stand in a manifest. What it means is decided elsewhere.
//! [`all`] is the finished set of definitions, [`yaml`] (feature `yaml`) the same as files, [`reference()`] a page for
//! people.

mod definitions;
mod reference;
mod rules;
mod schema;
pub mod v1alpha1;

pub use definitions::all;
#[cfg(feature = "yaml")]
pub use definitions::{RenderError, yaml};
pub use reference::reference;

/// The API group of all kinds.
pub const GROUP: &str = "sympozium.ai";

/// The API version that is stored and served.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` of all kinds.
pub const API_VERSION: &str = "sympozium.ai/v1alpha1";
