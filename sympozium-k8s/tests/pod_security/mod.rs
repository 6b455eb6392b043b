//! The Pod Security Standards' profile `restricted`, written from their text
//! (kubernetes.io/docs/concepts/security/pod-security-standards), baseline's controls included.
//!
//! It knows nothing about how our pods are built: it reads a pod as JSON.

use serde_json::Value;

/// Which controls a pod violates; empty = it is admitted.
pub(crate) fn violations(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        check(&mut found, "Host Namespaces", spec[field] != true, field);
    }
    volumes(spec, &mut found);
    let pod = &spec["securityContext"];
    for sysctl in list(&pod["sysctls"]) {
        found.push(format!("Sysctls: {}", sysctl["name"]));
    }
    context(pod, "the pod", &mut found);
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    for container in lists.iter().flat_map(|name| list(&spec[*name])) {
        baseline(container, &mut found);
        restricted(container, pod, &mut found);
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check(found: &mut Vec<String>, control: &str, fine: bool, what: &str) {
    if !fine {
        found.push(format!("{control}: {what}"));
    }
}

/// "The restricted policy only permits the following volume types"; this rules out hostPath too.
fn volumes(spec: &Value, found: &mut Vec<String>) {
    const PERMITTED: [&str; 8] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    for volume in list(&spec["volumes"]) {
        let kinds: Vec<_> = volume
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "name")
            .collect();
        let fine = kinds.len() == 1 && PERMITTED.contains(&kinds[0].as_str());
        check(found, "Volume Types", fine, &volume.to_string());
    }
}

/// What holds for the security contexts of pods and containers alike.
fn context(context: &Value, of: &str, found: &mut Vec<String>) {
    let kind = &context["seLinuxOptions"]["type"];
    let kinds = [
        "",
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
    ];
    check(
        found,
        "SELinux",
        kind.is_null() || kinds.iter().any(|one| kind == one),
        of,
    );
    for field in ["user", "role"] {
        let value = &context["seLinuxOptions"][field];
        check(found, "SELinux", value.is_null() || value == "", of);
    }
    let app_armor = &context["appArmorProfile"]["type"];
    let fine = app_armor.is_null() || app_armor == "RuntimeDefault" || app_armor == "Localhost";
    check(found, "AppArmor", fine, of);
    let host_process = &context["windowsOptions"]["hostProcess"];
    check(found, "HostProcess", *host_process != true, of);
    check(found, "Running as Non-root user", context["runAsUser"] != 0, of);
    check(found, "Running as Non-root", context["runAsNonRoot"] != false, of);
    let seccomp = &context["seccompProfile"]["type"];
    let fine = seccomp.is_null() || seccomp == "RuntimeDefault" || seccomp == "Localhost";
    check(found, "Seccomp", fine, of);
}

fn baseline(container: &Value, found: &mut Vec<String>) {
    let of = container["name"].as_str().unwrap();
    let own = &container["securityContext"];
    context(own, of, found);
    check(found, "Privileged Containers", own["privileged"] != true, of);
    let proc_mount = &own["procMount"];
    check(
        found,
        "/proc Mount Type",
        proc_mount.is_null() || proc_mount == "Default",
        of,
    );
    for port in list(&container["ports"]) {
        let host = &port["hostPort"];
        check(found, "Host Ports", host.is_null() || *host == 0, of);
    }
    let lifecycle = &container["lifecycle"];
    let handlers = [
        &container["livenessProbe"],
        &container["readinessProbe"],
        &container["startupProbe"],
        &lifecycle["postStart"],
        &lifecycle["preStop"],
    ];
    for handler in handlers {
        for way in ["httpGet", "tcpSocket"] {
            let host = &handler[way]["host"];
            check(found, "Host Probes", host.is_null() || host == "", of);
        }
    }
}

fn restricted(container: &Value, pod: &Value, found: &mut Vec<String>) {
    let of = container["name"].as_str().unwrap();
    let own = &container["securityContext"];
    let escalation = &own["allowPrivilegeEscalation"];
    check(found, "Privilege Escalation", *escalation == false, of);
    let non_root = own["runAsNonRoot"] == true || pod["runAsNonRoot"] == true;
    check(found, "Running as Non-root", non_root, of);
    let seccomp = !own["seccompProfile"]["type"].is_null() || !pod["seccompProfile"]["type"].is_null();
    check(found, "Seccomp", seccomp, of);
    let dropped = list(&own["capabilities"]["drop"]);
    check(found, "Capabilities", dropped.iter().any(|one| one == "ALL"), of);
    let added = list(&own["capabilities"]["add"]);
    check(
        found,
        "Capabilities",
        added.iter().all(|one| one == "NET_BIND_SERVICE"),
        of,
    );
}
