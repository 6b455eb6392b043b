//! That the checker of `pod_security` finds what the Pod Security Standards forbid.

#[path = "../pod_security/mod.rs"]
mod pod_security;

pub(crate) use pod_security::violations;

/// A checker that accepts everything would prove nothing: each of these changes must be found.
#[test]
fn the_checker_finds_what_the_standards_forbid() {
    use crate::scene::scene;
    use serde_json::{Value, json};
    let good = scene().pod()["spec"].clone();
    assert_eq!(violations(&good), [""; 0]);
    let own = "/containers/0/securityContext";
    let sidecar = "/initContainers/0/securityContext";
    for (control, path, value) in [
        ("Host Namespaces", "/hostNetwork".to_owned(), json!(true)),
        ("Host Namespaces", "/hostPID".to_owned(), json!(true)),
        (
            "Volume Types",
            "/volumes/0".to_owned(),
            json!({"name": "x", "hostPath": {"path": "/"}}),
        ),
        (
            "Volume Types",
            "/volumes/0".to_owned(),
            json!({"name": "x", "nfs": {}}),
        ),
        (
            "Sysctls",
            "/securityContext/sysctls".to_owned(),
            json!([{"name": "a", "value": "b"}]),
        ),
        (
            "SELinux",
            "/securityContext/seLinuxOptions".to_owned(),
            json!({"type": "spc_t"}),
        ),
        (
            "AppArmor",
            format!("{own}/appArmorProfile"),
            json!({"type": "Unconfined"}),
        ),
        (
            "HostProcess",
            format!("{own}/windowsOptions"),
            json!({"hostProcess": true}),
        ),
        ("Running as Non-root user", format!("{own}/runAsUser"), json!(0)),
        (
            "Running as Non-root",
            format!("{sidecar}/runAsNonRoot"),
            json!(false),
        ),
        (
            "Seccomp",
            format!("{sidecar}/seccompProfile"),
            json!({"type": "Unconfined"}),
        ),
        ("Privileged Containers", format!("{own}/privileged"), json!(true)),
        ("/proc Mount Type", format!("{own}/procMount"), json!("Unmasked")),
        (
            "Privilege Escalation",
            format!("{sidecar}/allowPrivilegeEscalation"),
            json!(null),
        ),
        (
            "Capabilities",
            format!("{own}/capabilities"),
            json!({"drop": ["NET_RAW"]}),
        ),
        (
            "Capabilities",
            format!("{own}/capabilities"),
            json!({"drop": ["ALL"], "add": ["SYS_PTRACE"]}),
        ),
        (
            "Host Ports",
            "/containers/0/ports".to_owned(),
            json!([{"hostPort": 80}]),
        ),
        (
            "Host Probes",
            "/containers/0/livenessProbe".to_owned(),
            json!({"tcpSocket": {"host": "a"}}),
        ),
    ] {
        let mut bad = good.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        match bad.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.insert(key.to_owned(), value)),
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            other => panic!("{path}: {other}"),
        }
        let found = violations(&bad);
        assert!(
            found.iter().any(|one| one.starts_with(control)),
            "{path}: {found:?}"
        );
    }
}
