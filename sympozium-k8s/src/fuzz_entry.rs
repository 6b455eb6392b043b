//! Entry points for fuzzing: bytes in, what must hold is asserted, nothing out. Not a part of the public interface.

use crate::convert;
use crate::crd::v1alpha1::SympoziumPolicySpec;
use crate::documents::{self, Document};
use sympozium_core::policy::{Feature, PolicyName, PolicyOrigin};

/// Whatever is read as a policy is written and read back as the same one, and becomes a policy or an error that says
/// something; whatever is not, is refused with a place in the file.
///
/// # Panics
/// When that does not hold.
pub fn policy_yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match documents::parse("f.yaml", text) {
        Ok(documents) => documents.iter().for_each(document),
        Err(error) => assert!(error.to_string().starts_with("f.yaml"), "{error}"),
    }
}

fn document(document: &Document) {
    let Document::Policy(policy) = document else {
        return;
    };
    let spec = &policy.spec;
    let written = serde_json::to_value(spec).unwrap_or_default();
    let again = serde_json::from_value::<SympoziumPolicySpec>(written).ok();
    assert_eq!(
        again.as_ref(),
        Some(spec),
        "a policy changed when it was written and read"
    );
    for origin in [
        PolicyOrigin::InstallWide,
        PolicyOrigin::Namespace,
        PolicyOrigin::Instance,
    ] {
        match convert::policy(spec, PolicyName("p".to_owned()), origin) {
            Ok(reading) => every_gate_is_kept_or_noted(spec, &reading),
            Err(error) => assert!(
                error.problems.iter().all(|problem| !problem.message.is_empty())
                    && !error.problems.is_empty(),
                "a policy is refused without a reason"
            ),
        }
    }
}

fn every_gate_is_kept_or_noted(spec: &SympoziumPolicySpec, reading: &convert::PolicyReading) {
    for (name, allowed) in &spec.feature_gates {
        let known = Feature::ALL.into_iter().find(|feature| feature.as_str() == name);
        let kept = known.is_some_and(|feature| reading.policy.features.get(&feature) == Some(allowed));
        let noted = reading
            .notes
            .iter()
            .any(|note| note.path == format!("spec.featureGates.{name}"));
        assert!(
            kept != noted,
            "the gate {name:?} is neither kept nor noted, or both"
        );
    }
}
