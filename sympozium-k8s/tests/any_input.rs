//! Whatever comes in, nothing panics.
#![cfg(feature = "yaml")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, in its helpers too"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Policy, PolicyName, PolicyOrigin};
use sympozium_k8s::convert::{self, PackEntry, PlanInputs};
use sympozium_k8s::crd::{
    self,
    v1alpha1::{
        AgentRun, AgentRunSpec, SkillPack, SkillPackSpec, SympoziumInstance, SympoziumInstanceSpec,
        SympoziumPolicySpec,
    },
};

/// Values that fit a schema in shape, but not always in its limits.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return prop::sample::select(values.clone()).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![
            Just(json!("500m")),
            Just(json!("1Gi")),
            Just(json!(2)),
            Just(json!("999999999Pi"))
        ]
        .boxed();
    }
    match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => prop::collection::vec(fitting(&schema["items"]), 0..3)
            .prop_map(Value::Array)
            .boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::Bool).boxed(),
        Some("integer") => prop_oneof![0..400_i64, Just(65_535)]
            .prop_map(|n| json!(n))
            .boxed(),
        Some("number") => prop_oneof![Just(json!(0)), Just(json!(0.5)), Just(json!(1e9))].boxed(),
        _ => text(schema),
    }
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let is_duration = schema["pattern"]
        .as_str()
        .is_some_and(|pattern| pattern.contains("ns|us"));
    if is_duration {
        return prop_oneof![
            Just(json!("0s")),
            Just(json!("10m")),
            Just(json!("9999h")),
            Just(json!("1.5s"))
        ]
        .boxed();
    }
    let known = [
        "",
        "me",
        "key",
        "pack",
        "system/pack",
        "https://x.example/v1",
        "gpt-4o",
        "*",
        "{{",
        "{{a}}",
        "a b",
        "LD_X",
        "é\0",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(|t| json!(t)),
        ".{0,12}".prop_map(|t| json!(t))
    ]
    .boxed()
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    if schema["additionalProperties"].is_object() {
        return prop::collection::btree_map("[a-z-]{0,6}", fitting(&schema["additionalProperties"]), 0..3)
            .prop_map(|map| json!(map))
            .boxed();
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut whole = Just(json!({})).boxed();
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let name = name.clone();
        let value = if required.contains(&name.as_str()) {
            fitting(below).prop_map(Some).boxed()
        } else {
            prop::option::of(fitting(below)).boxed()
        };
        whole = (whole, value)
            .prop_map(move |(mut object, value)| {
                if let Some(value) = value {
                    object[&name] = value;
                }
                object
            })
            .boxed();
    }
    whole
}

fn spec_of(kind: &str) -> BoxedStrategy<Value> {
    let crd = crd::all()
        .into_iter()
        .find(|crd| crd.spec.names.kind == kind)
        .unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    fitting(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
}

proptest! {
    // Failures are shown whole; there is no file of old ones.
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conversion_answers_for_every_run(
        run in spec_of("AgentRun"), instance in spec_of("SympoziumInstance"), pack in spec_of("SkillPack"),
    ) {
        let run = AgentRun::new("a", serde_json::from_value::<AgentRunSpec>(run).unwrap());
        let instance = SympoziumInstance::new("me", serde_json::from_value::<SympoziumInstanceSpec>(instance).unwrap());
        let pack = SkillPack::new("pack", serde_json::from_value::<SkillPackSpec>(pack).unwrap());
        let result = convert::plan(&PlanInputs {
            run: &run,
            uid: RunUid::random(),
            namespace: &Namespace::new("local").unwrap(),
            instance: &instance,
            policies: &[Policy::local_default()],
            packs: &[PackEntry { pack: &pack, builtin: false }],
            config_maps: &[],
            secrets: None,
        });
        // An error always says something.
        prop_assert!(result.map_or_else(|error| !error.problems.is_empty(), |plan| plan.task == run.spec.task));
    }

    #[test]
    fn conversion_answers_for_every_policy(spec in spec_of("SympoziumPolicy")) {
        let spec: SympoziumPolicySpec = serde_json::from_value(spec).unwrap();
        let result = convert::policy(&spec, PolicyName("p".to_owned()), PolicyOrigin::Namespace);
        prop_assert!(result.map_or_else(|error| !error.problems.is_empty(), |_| true));
    }

    #[test]
    fn parsing_answers_for_every_text(text in "(---\n|apiVersion: v1\n|kind: Secret\n|metadata: \\{name: a\\}\n|data: |[a-z{}:&*!|>'\" \n-]{0,8}){0,12}") {
        let _ = sympozium_k8s::documents::parse("f.yaml", &text);
    }
}

#[test]
fn stored_policies_are_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/policy_yaml");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| sympozium_k8s::fuzz_entry::policy_yaml(&input));
        assert!(outcome.is_ok(), "see above for what {} does", path.display());
        count += 1;
    }
    assert!(count > 5, "there are {count} stored inputs");
}
