//! A memory's version where the text itself is all that is kept, and what may be stored. Pure.

use super::{LARGEST_MAX_KIB, Memory};
use crate::ids::InstanceRef;
use crate::store::StoreError;
use sha2::{Digest, Sha256};

/// The largest text that is stored, in bytes.
pub(super) const MAX_BYTES: usize = LARGEST_MAX_KIB as usize * 1024;

/// The version of a text: its SHA-256 in hexadecimal digits.
pub(super) fn version(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A text at its version.
pub(super) fn versioned(text: String) -> Memory {
    Memory {
        version: version(&text),
        text,
    }
}

/// Whether `new` may replace what stands there.
pub(super) fn check_save(
    instance: &InstanceRef,
    there: Option<&str>,
    new: &Memory,
) -> Result<(), StoreError> {
    if new.text.len() > MAX_BYTES {
        return Err(StoreError::Invalid {
            step: "save a memory",
            detail: format!("the memory of {instance} would be larger than {LARGEST_MAX_KIB} KiB"),
        });
    }
    if new.version == there.map(version).unwrap_or_default() {
        return Ok(());
    }
    Err(StoreError::Conflict {
        step: "save a memory",
        detail: format!("the memory of {instance} was changed meanwhile; load it again"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Classify;
    use crate::ids::{InstanceName, Namespace};

    #[test]
    fn a_text_that_is_too_large_is_refused_whatever_its_version() {
        let instance = InstanceRef {
            namespace: Namespace::new("n").unwrap(),
            name: InstanceName::new("i").unwrap(),
        };
        let memory = |bytes| Memory {
            text: "x".repeat(bytes),
            version: String::new(),
        };
        assert!(check_save(&instance, None, &memory(MAX_BYTES)).is_ok());
        let error = check_save(&instance, None, &memory(MAX_BYTES + 1)).unwrap_err();
        assert_eq!(error.kind(), "invalid");
    }
}
