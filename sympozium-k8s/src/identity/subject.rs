//! What a review says about who presented a token. Pure.

use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use sympozium_core::ids::Namespace;
use uuid::Uuid;

/// The keys of `extra` under which the API server says to which pod a token is bound.
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// Who presented a token, as the API server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The namespace of its pod and ServiceAccount.
    pub(super) namespace: Namespace,
    /// The ServiceAccount.
    pub(super) service_account: String,
    /// The pod.
    pub(super) pod: Uuid,
    /// The pod's name.
    pub(super) pod_name: String,
}

/// Reads a review's answer: the token has to be genuine, made for this audience, and bound to one pod.
pub(super) fn subject(status: &TokenReviewStatus, audience: &str) -> Option<Subject> {
    let genuine = status.authenticated == Some(true) && status.error.is_none();
    let audiences = status.audiences.as_deref().unwrap_or_default();
    if !genuine || !audiences.iter().any(|one| one == audience) {
        return None;
    }
    let user = status.user.as_ref()?;
    let name = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, service_account) = name.split_once(':')?;
    let extra = user.extra.as_ref()?;
    let only = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([one]) => Some(one.as_str()),
        Some(_) | None => None,
    };
    Some(Subject {
        namespace: Namespace::new(namespace).ok()?,
        service_account: service_account.to_owned(),
        pod: Uuid::parse_str(only(POD_UID)?).ok()?,
        pod_name: only(POD_NAME)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Where the pod's UID stands, as a JSON pointer.
    const EXTRA_UID: &str = "/user/extra/authentication.kubernetes.io~1pod-uid";

    fn answer() -> Value {
        json!({
            "authenticated": true,
            "audiences": ["sympozium-gateway"],
            "user": {
                "username": "system:serviceaccount:team:sympozium-run-instance-sre",
                "uid": "00000000-0000-0000-0000-000000000001",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"],
                "extra": {
                    POD_NAME: ["r-abcde"],
                    POD_UID: ["00000000-0000-0000-0000-000000000b0d"],
                    "authentication.kubernetes.io/node-name": ["node"],
                },
            },
        })
    }

    fn read(answer: Value) -> Option<Subject> {
        subject(&serde_json::from_value(answer).unwrap(), "sympozium-gateway")
    }

    #[test]
    fn a_genuine_token_of_a_pod_is_that_pods() {
        let expected = Subject {
            namespace: Namespace::new("team").unwrap(),
            service_account: "sympozium-run-instance-sre".to_owned(),
            pod: Uuid::from_u128(0xb0d),
            pod_name: "r-abcde".to_owned(),
        };
        assert_eq!(read(answer()), Some(expected));
    }

    #[test]
    fn every_other_answer_is_nobody() {
        for (name, pointer, value) in [
            ("not authenticated", "/authenticated", json!(false)),
            ("silence", "/authenticated", Value::Null),
            ("another audience", "/audiences", json!(["sympozium-bus"])),
            ("a server that does not know audiences", "/audiences", Value::Null),
            ("a person", "/user/username", json!("jane")),
            ("minted without a pod", "/user/extra", json!({})),
            ("two pods", EXTRA_UID, json!(["a", "b"])),
            ("no UID", EXTRA_UID, json!(["r-abcde"])),
        ] {
            let mut altered = answer();
            *altered.pointer_mut(pointer).unwrap() = value;
            assert_eq!(read(altered), None, "{name}");
        }
        let mut failed = answer();
        failed["error"] = json!("token expired");
        assert_eq!(read(failed), None);
    }
}
