//! The rules of the definitions, evaluated as the API server does.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

use kube::core::cel::Validator;
use serde_json::{Value, json};
use sympozium_k8s::crd;

fn schema(kind: &str) -> Value {
    let crd = crd::all()
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind)
        .unwrap();
    serde_json::to_value(crd).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Checks what the rules say about `spec`, changed from `old`: nothing (`""`), or something that holds `expected`.
fn check(kind: &str, name: &str, (spec, old): (&Value, Option<&Value>), expected: &str) {
    let object = |spec: &Value| json!({"apiVersion": crd::API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let old = old.map(object);
    let said = match Validator::new().validate(&schema(kind), &object(spec), old.as_ref()) {
        Ok(()) => String::new(),
        Err(errors) => errors.to_string(),
    };
    assert_eq!(
        said.is_empty(),
        expected.is_empty(),
        "{kind} {name} {spec}: {said}"
    );
    assert!(
        said.contains(expected),
        "{kind} {name} {spec}: {said}, expected {expected}"
    );
}

fn run(change: &Value) -> Value {
    let mut spec = json!({"instanceRef": "me", "task": "x", "cleanup": "delete"});
    for (key, value) in change.as_object().unwrap() {
        if value.is_null() {
            spec.as_object_mut().unwrap().remove(key);
        } else {
            spec[key] = value.clone();
        }
    }
    spec
}

#[test]
fn names_are_labels_of_bounded_length() {
    let run = run(&json!({}));
    let schedule = json!({"instanceRef": "me", "schedule": "@daily", "task": "x"});
    let instance = json!({"agents": {"default": {"model": "m"}}});
    let pack = json!({"skills": [{"name": "a", "content": "x"}]});
    for (kind, spec, max) in [
        ("AgentRun", &run, 52),
        ("SympoziumSchedule", &schedule, 40),
        ("SympoziumInstance", &instance, 40),
        ("SkillPack", &pack, 40),
    ] {
        let refusal = format!("at most {max} characters");
        check(kind, &"a".repeat(max), (spec, None), "");
        check(kind, "a-1", (spec, None), "");
        check(kind, &"a".repeat(max + 1), (spec, None), &refusal);
        check(kind, "a.b", (spec, None), &refusal);
        check(kind, "-a", (spec, None), &refusal);
    }
    check("SympoziumPolicy", &"a.b".repeat(40), (&json!({}), None), "");
}

#[test]
fn a_run_can_be_cancelled_and_nothing_else() {
    let plain = run(&json!({}));
    for (old, new, expected) in [
        (json!({}), json!({}), ""),
        (json!({}), json!({"cancel": true}), ""),
        (json!({"cancel": false}), json!({"cancel": true}), ""),
        (json!({"cancel": true}), json!({"cancel": true}), ""),
        (
            json!({"cancel": true}),
            json!({"cancel": false}),
            "cancel can't be taken back",
        ),
        (json!({"cancel": true}), json!({}), "cancel can't be taken back"),
        (json!({}), json!({"task": "y"}), "task can't be changed"),
        (json!({}), json!({"timeout": "5m"}), "timeout can't be changed"),
        (json!({"timeout": "5m"}), json!({}), "timeout can't be changed"),
        (
            json!({}),
            json!({"cancel": true, "skills": []}),
            "skills can't be changed",
        ),
        (
            json!({"env": [{"name": "A"}]}),
            json!({"env": [{"name": "B"}]}),
            "env can't be changed",
        ),
    ] {
        check("AgentRun", "a", (&run(&new), Some(&run(&old))), expected);
    }
    check("AgentRun", "a", (&plain, None), "");
}

#[test]
fn rules_at_fields_refuse_what_they_say() {
    for (change, expected) in [
        (json!({"timeout": "1h30m"}), ""),
        (json!({"timeout": "500ms"}), "must be from 1s to 24h"),
        (json!({"timeout": "25h"}), "must be from 1s to 24h"),
        (json!({"env": [{"name": "A", "value": "b"}]}), ""),
        (
            json!({"env": [{"name": "SYMPOZIUM_GATEWAY_URL"}]}),
            "are reserved",
        ),
        (json!({"env": [{"name": "LD_PRELOAD"}]}), "are reserved"),
        (json!({"env": [{"name": "HTTPS_PROXY"}]}), "are reserved"),
        (json!({"env": [{"name": "no_proxy"}]}), "are reserved"),
        (json!({"skills": [{"skillPackRef": "a"}]}), ""),
        (
            json!({"skills": [{}]}),
            "give either skillPackRef or configMapRef",
        ),
        (
            json!({"skills": [{"skillPackRef": "a", "configMapRef": "b"}]}),
            "give either skillPackRef or configMapRef",
        ),
        (
            json!({"sandbox": {"enabled": true, "securityContext": {"runAsNonRoot": true}}}),
            "",
        ),
        (
            json!({"sandbox": {"enabled": true, "securityContext": {"runAsNonRoot": false}}}),
            "can't be false",
        ),
    ] {
        check("AgentRun", "a", (&run(&change), None), expected);
    }
}

#[test]
fn pods_can_not_be_labelled_into_other_rules() {
    let instance = |template: Value| json!({"agents": {"default": {"model": "m"}}, "podTemplate": template});
    for key in ["labels", "annotations"] {
        for (name, expected) in [
            ("example.org/team", ""),
            ("team", ""),
            ("notsympozium.ai/x", ""),
            ("sympozium.ai/agent-run", "are reserved"),
            ("x.sympozium.ai/y", "are reserved"),
            ("app.kubernetes.io/name", "are reserved"),
            ("sidecar.istio.io/inject", "are reserved"),
            ("vault.hashicorp.com/agent-inject", "are reserved"),
        ] {
            check(
                "SympoziumInstance",
                "a",
                (&instance(json!({key: {name: "x"}})), None),
                expected,
            );
        }
    }
}

#[test]
fn a_pack_holds_at_most_512_kib_of_text() {
    let pack = |sizes: &[usize]| {
        let skills: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| json!({"name": format!("s{i}"), "content": "x".repeat(*size)}))
            .collect();
        json!({ "skills": skills })
    };
    check("SkillPack", "a", (&pack(&[262_144, 262_144]), None), "");
    check(
        "SkillPack",
        "a",
        (&pack(&[262_144, 262_145]), None),
        "at most 524288 characters",
    );
}
