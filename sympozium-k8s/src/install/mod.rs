//! Puts Sympozium into a cluster, keeps it up to date there, and takes it out again.
//!
//! | Question | Where |
//! | --- | --- |
//! | what can be chosen, and what is refused? | [`InstallOptions`], pure |
//! | which objects are that? | [`manifests()`], pure |
//! | which keys, certificates and passwords are made, and which kept? | [`generated()`], without client and clock |
//! | which skill packs come along, with which rights? | [`packs`], pure |
//! | what is installed? | [`Inventory`], pure |
//! | doing it | [`Installer`] |
//! | what runs, and what is wrong? | [`Installer::status`], [`judge`] is its pure half |
//!
//! Must not read the environment, ask anybody, or print: who calls it gives a client, answers, and a place for progress.

mod error;
mod generated;
mod installer;
mod inventory;
mod manifest;
mod manifests;
pub mod names;
mod options;
pub mod packs;
mod status;

pub use error::{InstallError, OptionError};
pub use generated::{GenerateError, SECRETS, SecretData, generated, times};
pub use installer::{Data, Installer, Waiting};
pub use inventory::{Entry, Inventory, InventoryError};
pub use manifest::{Manifest, ManifestError, Tenure};
pub use manifests::manifests;
pub use options::{
    Database, EventBus, ExternalBus, Image, ImageOptions, InstallOptions, NAMESPACE, REGISTRY, StorageOptions,
};
pub use status::{Seen, Verdict, Workload, judge};
