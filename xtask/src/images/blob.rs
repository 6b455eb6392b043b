//! Bytes that are known by their digest.

use sha2::{Digest, Sha256};

/// Content and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    content: Vec<u8>,
    digest: String,
}

impl Blob {
    pub(super) fn new(content: Vec<u8>) -> Self {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&content)));
        Self { content, digest }
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// `sha256:` and 64 hexadecimal digits.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Where an OCI layout has it.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}
