//! What `install --dry-run` prints: one stream of YAML documents, as for `kubectl apply -f -`. Pure.

use crate::cli::failure::Failure;
use sympozium_core::error::chain;
use sympozium_k8s::install::{InstallOptions, Manifest, SECRETS, manifests};

/// Every object but those with keys and certificates: they are made while installing, and are nobody's to read here.
pub(super) fn text(options: &InstallOptions) -> Result<String, Failure> {
    let manifests = manifests(options).map_err(|error| Failure::failed(format!("{}.", chain(&error))))?;
    let head = format!(
        "# Sympozium {} in namespace {}.\n# Not shown, because they are made once while installing: Secrets {}.\n",
        options.version,
        options.namespace,
        SECRETS.join(", ")
    );
    let documents: Result<Vec<_>, _> = manifests.iter().map(document).collect();
    Ok(head + &documents?.join(""))
}

fn document(manifest: &Manifest) -> Result<String, Failure> {
    serde_saphyr::to_string(&manifest.object)
        .map(|yaml| format!("---\n{yaml}"))
        .map_err(|error| Failure::failed(format!("{manifest} could not be written as YAML: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions of our kinds have snapshots of their own.
    fn without_definitions(text: &str) -> String {
        let documents = text.split("---\n");
        let rest: Vec<_> = documents
            .filter(|one| !one.contains("kind: CustomResourceDefinition\n"))
            .collect();
        rest.join("---\n")
    }

    #[test]
    fn what_is_printed_is_read_as_what_would_be_applied() {
        let options = InstallOptions::default();
        let text = text(&options).unwrap();
        let documents: Vec<serde_json::Value> = text
            .split("\n---\n")
            .skip(1)
            .map(|document| serde_saphyr::from_str(document).unwrap())
            .collect();
        let objects: Vec<_> = manifests(&options)
            .unwrap()
            .iter()
            .map(|manifest| serde_json::to_value(&manifest.object).unwrap())
            .collect();
        assert_eq!(documents, objects);
    }

    #[test]
    fn the_stream_is_what_is_installed() {
        let options = InstallOptions {
            version: "1.2.3".into(),
            ..InstallOptions::default()
        };
        let text = text(&options).unwrap();
        assert_eq!(text.matches("\nkind: CustomResourceDefinition\n").count(), 5);
        insta::assert_snapshot!(without_definitions(&text));
    }
}
