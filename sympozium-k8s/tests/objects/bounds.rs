//! What is too long, and what is refused.

use crate::scene::{container, scene, skill, skill_with, variable};
use serde_json::json;
use std::collections::BTreeMap;
use sympozium_core::ids::ToolName;
use sympozium_core::run::ForeignAgent;
use sympozium_core::skill::TypedTool;
use sympozium_k8s::objects::BuildError;

fn crew(command: &[&str]) -> ForeignAgent {
    ForeignAgent {
        image: "registry.example/crew:2".to_owned(),
        command: command.iter().map(|&text| text.to_owned()).collect(),
        args: Vec::new(),
    }
}

#[test]
fn a_task_travels_as_a_variable_to_foreign_images_alone_and_only_when_it_can() {
    for (task, agent, expected) in [
        ("Say $(HOME).".to_owned(), true, Some("Say $$(HOME).")),
        ("Say hello.".to_owned(), false, None),
        ("x".repeat(100 * 1024), true, None),
        ("zero\0byte".to_owned(), true, None),
    ] {
        let mut scene = scene();
        scene.plan.task = task;
        scene.plan.agent = agent.then(|| crew(&["crew"]));
        let pod = scene.pod();
        assert_eq!(variable(container(&pod, "agent"), "TASK"), expected);
    }
}

#[test]
fn a_variable_that_no_program_can_be_given_is_refused_by_name() {
    let mut scene = scene();
    scene.plan.env = BTreeMap::from([("LONG".to_owned(), "x".repeat(131_072 - 6))]);
    assert!(scene.build().is_ok());
    scene.plan.env = BTreeMap::from([("LONG".to_owned(), "x".repeat(131_072 - 5))]);
    let error = scene.build().unwrap_err().to_string();
    assert!(
        error.starts_with("the environment variable LONG of agent has 131073 bytes"),
        "{error}"
    );
}

#[test]
fn a_foreign_agent_needs_a_command() {
    let mut scene = scene();
    scene.plan.agent = Some(crew(&[]));
    assert_eq!(scene.build().unwrap_err(), BuildError::NoCommand);
}

#[test]
fn a_pod_that_the_cluster_could_not_store_is_refused() {
    let tool = |index: usize| TypedTool {
        name: ToolName::new(format!("tool_{index}")).unwrap(),
        description: "x".repeat(4096),
        parameters: json!({"type": "object"}),
        argv: vec!["true".to_owned()],
        timeout_seconds: 1,
    };
    let mut scene = scene();
    let full = |name: &str| skill_with(name, |sidecar| sidecar.tools = (0..64).map(tool).collect());
    scene.plan.skills = vec![full("one")];
    assert!(scene.build().is_ok());
    scene.plan.skills = ["one", "two", "three", "four", "five"].map(full).to_vec();
    assert!(matches!(scene.build(), Err(BuildError::TooLarge { bytes, max }) if bytes > max));
}

#[test]
fn a_configuration_that_is_too_long_for_one_argument_has_several() {
    let mut scene = scene();
    scene.plan.skills = vec![skill_with("one", |sidecar| {
        sidecar.env = (0..8)
            .map(|index| (format!("V{index}"), "y".repeat(32_768)))
            .collect();
    })];
    let pod = scene.pod();
    let arguments: Vec<String> =
        serde_json::from_value(container(&pod, "skill-one")["args"].clone()).unwrap();
    assert_eq!(arguments.len(), 7);
    assert!(arguments.iter().all(|argument| argument.len() < 131_072));
}

#[test]
fn an_instance_can_not_say_what_is_reserved() {
    let labels = |key: &str, value: &str| {
        let mut scene = scene();
        scene.instance.pod_template.labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        scene.build().map(drop)
    };
    assert_eq!(labels("example.org/a", "b"), Ok(()));
    for (key, value) in [
        ("sympozium.ai/component", "other"),
        ("a.sympozium.ai/b", "c"),
        ("kubernetes.io/x", "y"),
        ("job-name", "x"),
        ("app", "x"),
        ("", "x"),
        ("Example.org/a", "b"),
        ("a/b/c", "d"),
        ("fine", "not a value"),
    ] {
        assert!(labels(key, value).is_err(), "{key}={value}");
    }
    let error = labels("job-name", "x").unwrap_err().to_string();
    assert_eq!(
        error,
        "spec.podTemplate.labels[job-name] of the instance is reserved for the programs that run pods"
    );
    let mut scene = scene();
    scene.instance.pod_template.annotations =
        BTreeMap::from([("sidecar.istio.io/inject".to_owned(), "true".to_owned())]);
    assert!(scene.build().is_err());
}

#[test]
fn sixteen_packs_fit_and_leave_room_for_last_words() {
    let mut scene = scene();
    scene.plan.skills = (0..16).map(|index| skill(&format!("pack-{index}"))).collect();
    let pod = scene.pod();
    let bytes = variable(container(&pod, "agent"), "SYMPOZIUM_TERMINATION_MESSAGE_BYTES");
    assert_eq!(bytes, Some("682"));
}
