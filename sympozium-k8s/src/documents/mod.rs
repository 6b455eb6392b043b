//! Reads the YAML files that `kubectl apply` takes: several documents each, strictly.
//!
//! Pure: text in, [`Document`]s or a [`DocumentError`] out. What is not known is an error that says where: fields, kinds,
//! duplicate keys. Entry: [`parse`].

mod error;
mod objects;
mod secret;
mod split;

pub use error::{DocumentError, Place};
pub use objects::{Document, parse};
pub use secret::{BASE_URL_ANNOTATION, Secret};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// The most documents in a file.
pub const MAX_DOCUMENTS: usize = 1000;
