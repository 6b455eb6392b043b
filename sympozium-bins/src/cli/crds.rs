//! `sympozium crds`: the custom resource definitions as one YAML stream.

use super::failure::{Exit, Failure};
use super::output;
use sympozium_core::error::chain;
use sympozium_k8s::crd;

/// Prints all definitions.
pub(super) fn command() -> Result<Exit, Failure> {
    output::print(&stream()?)
}

fn stream() -> Result<String, Failure> {
    let files = crd::yaml().map_err(|error| Failure::failed(format!("{}.", chain(&error))))?;
    let documents: Vec<_> = files.into_iter().map(|(_, text)| text).collect();
    Ok(documents.join("---\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_five_definitions_come_as_documents_of_one_stream() {
        let text = stream().unwrap();
        let documents: Vec<_> = text.split("---\n").collect();
        assert_eq!(documents.len(), 5);
        for document in documents {
            assert!(document.contains("kind: CustomResourceDefinition"), "{document}");
        }
    }
}
