//! What a run says, what it leaves to its instance, and what is wrong with it.

use crate::objects::{BASE, check, plan_of, with};
use std::time::Duration;
use sympozium_core::chat::ThinkingEffort;
use sympozium_core::policy::Policy;
use sympozium_core::run::Cleanup;

#[test]
fn a_run_that_says_little_gets_the_defaults() {
    let plan = plan_of(BASE).unwrap();
    let expected = serde_json::json!({
        "run": {"namespace": "local", "name": "hello", "uid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
        "instance": {"namespace": "local", "name": "me"},
        "agent_id": null, "session": null, "task": "Say hello.", "system_prompt": null,
        "model": {"provider": "openai", "model": "gpt-4o-mini", "base_url": null, "thinking": "off", "secret": "key"},
        "skills": [], "sandbox": null,
        "tool_policy": {"allow": [], "deny": []},
        "limits": {"timeout": {"secs": 600, "nanos": 0}, "max_turns": 50},
        "subagents": {"max_depth": 2, "max_concurrent": 5, "max_children": 3},
        "parent": null, "memory": null,
        "policies": [serde_json::to_value(Policy::local_default()).unwrap()],
        "agent": null, "env": {}, "reply_to": null, "cleanup": "delete",
    });
    assert_eq!(serde_json::to_value(&plan).unwrap(), expected);
}

#[test]
fn what_a_run_says_beats_its_instance() {
    let instance = "  skills: [{skillPackRef: counting}]
  memory: {systemPrompt: From the instance.}
  policyRef: p";
    let plan = plan_of(&with(&[("instance", instance)])).unwrap();
    assert_eq!(plan.skills.len(), 1);
    assert_eq!(plan.memory.unwrap().max_bytes, 65_536);
    assert_eq!(plan.system_prompt.as_deref(), Some("From the instance."));

    let run = "  skills: []
  systemPrompt: From the run.
  model: {thinking: high, model: gpt-4o}
  timeout: 90s
  cleanup: keep
  sandbox: {enabled: true, image: x, resources: {limits: {cpu: 1}}}
  env: [{name: A, value: b}]
  agent: {image: other, command: [run]}
  parent: {runName: above, spawnDepth: 1}
  toolPolicy: {allow: ['read_*']}";
    let plan = plan_of(&with(&[("instance", instance), ("run", run)])).unwrap();
    assert_eq!(plan.skills, []);
    assert_eq!(plan.system_prompt.as_deref(), Some("From the run."));
    assert_eq!(
        (plan.model.thinking, plan.model.model.as_str()),
        (ThinkingEffort::High, "gpt-4o")
    );
    assert_eq!(plan.limits.timeout, Duration::from_secs(90));
    assert_eq!(plan.cleanup, Cleanup::Keep);
    assert_eq!(plan.sandbox.unwrap().limits["cpu"], "1");
    assert_eq!(plan.env["A"], "b");
    assert_eq!(plan.agent.unwrap().command, ["run"]);
    assert_eq!(plan.parent.unwrap().depth, 1);
    assert!(plan.tool_policy.allow[0].matches("read_file"));
}

#[test]
fn everything_wrong_with_a_run_is_told_at_once_by_path() {
    for (place, lines, expected) in [
        (
            "run",
            "  timeout: 25h",
            &["spec.timeout: must be from 1s to 24h"][..],
        ),
        (
            "run",
            "  skills: [{skillPackRef: counting}, {skillPackRef: nothing}, {}]\n  env: [{name: LD_PRELOAD}]",
            &[
                "spec.skills[1].skillPackRef: there is no SkillPack \"nothing\"",
                "spec.skills[2]: give either skillPackRef or configMapRef",
                "spec.env[0].name: \"LD_PRELOAD\" is reserved: SYMPOZIUM_*, LD_* and *_PROXY can't be set",
            ],
        ),
        (
            "run",
            "  skills: [{skillPackRef: counting}, {skillPackRef: counting}]",
            &["spec.skills[1]: counting is there twice"],
        ),
        (
            "run",
            "  skills: [{configMapRef: gone}]",
            &["spec.skills[0].configMapRef: there is no ConfigMap \"gone\""],
        ),
        (
            "run",
            "  model: {authSecretRef: other}",
            &["spec.model.authSecretRef: \"other\" is not among the instance's authRefs"],
        ),
        (
            "run",
            "  model: {baseURL: 'https://evil.example'}",
            &["spec.model.baseURL: a run may name only the address of its instance or of its Secret"],
        ),
        (
            "run",
            "  toolPolicy: {deny: ['a b']}",
            &[
                "spec.toolPolicy.deny[0]: \"a b\" is not a valid pattern: 1 to 256 printable characters without spaces, at most 8 stars",
            ],
        ),
        (
            "run",
            "  agent: {image: x, command: []}",
            &["spec.agent.command: has 0 entries; at least 1 are needed"],
        ),
        (
            "run",
            "  parent: {runName: A, spawnDepth: 99}",
            &[
                "spec.parent.spawnDepth: is 99; at most 32 is allowed",
                "spec.parent.runName: \"A\" is not a valid run name: a lower-case DNS label of at most 52 characters",
            ],
        ),
        (
            "instance",
            "  memory: {maxSizeKB: 257}",
            &["spec.memory.maxSizeKB: is 257; at most 256 is allowed"],
        ),
        (
            "run",
            "  sandbox: {enabled: true, securityContext: {runAsNonRoot: false}}",
            &[
                "spec.sandbox.securityContext.runAsNonRoot: can't be false: a security context can only be tightened",
            ],
        ),
    ] {
        let mut expected: Vec<_> = expected.to_vec();
        let mut said = match plan_of(&with(&[(place, lines)])) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .problems
                .iter()
                .map(|p| format!("{}: {}", p.path, p.message))
                .collect(),
        };
        expected.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, expected, "{lines}");
    }
    check(
        &BASE.replace("instanceRef: me", "instanceRef: you"),
        &["spec.instanceRef: names \"you\", but the instance is \"me\""],
    );
    check(
        &BASE.replace("Say hello.", &"x".repeat(32_769)),
        &["spec.task: has 32769 characters; at most 32768 are allowed"],
    );
    check(
        &BASE.replace("name: hello", "name: Hello"),
        &[
            "metadata.name: \"Hello\" is not a valid run name: a lower-case DNS label of at most 52 characters",
        ],
    );
}

#[test]
fn a_key_is_sent_only_where_its_secret_says() {
    let at_instance = "agents: {default: {baseURL: 'https://evil.example', model: gpt-4o-mini}}";
    let at_default = "agents: {default: {model: gpt-4o-mini}}";
    let refused = "spec.model.baseURL: the key is not for https://evil.example: annotate its Secret with \
                   sympozium.ai/base-url to send it there";
    check(&BASE.replace(at_default, at_instance), &[refused]);

    let annotated = |url: &str| {
        BASE.replace(
            "{name: key}",
            &format!("{{name: key, annotations: {{sympozium.ai/base-url: '{url}'}}}}"),
        )
    };
    check(
        &annotated("https://good.example").replace(at_default, at_instance),
        &[refused],
    );
    check(
        &annotated("https://evil.example/").replace(at_default, at_instance),
        &[],
    );
    let plan = plan_of(&annotated("https://good.example/v1")).unwrap();
    assert_eq!(plan.model.base_url.unwrap().as_str(), "https://good.example/v1");
    check(
        &annotated("file:///etc/passwd"),
        &["spec.model.baseURL: must be an http or https address"],
    );
    check(
        &BASE.replace("metadata: {name: key}", "metadata: {name: other}"),
        &["spec.model.authSecretRef: there is no Secret \"key\""],
    );
}

#[test]
fn a_provider_that_can_not_be_told_is_asked_for() {
    let without = BASE.replace("  authRefs: [{provider: openai, secret: key}]\n", "");
    for (model, provider) in [
        ("claude-x", Some("anthropic")),
        ("gpt-4o", Some("openai")),
        ("llama3", None),
    ] {
        let plan = plan_of(&without.replace("gpt-4o-mini", model));
        assert_eq!(
            plan.ok().map(|p| p.model.provider.to_string()).as_deref(),
            provider,
            "{model}"
        );
    }
    let text = without.replace("  # run\n", "  model: {provider: ollama, model: llama3}\n");
    assert_eq!(plan_of(&text).unwrap().model.provider.as_str(), "ollama");
}

#[test]
fn the_answer_goes_where_the_annotations_say() {
    let with_annotations = |text: &str| {
        BASE.replace(
            "{name: hello}",
            &format!("{{name: hello, annotations: {{{text}}}}}"),
        )
    };
    let both = "sympozium.ai/reply-channel: slack, sympozium.ai/reply-chat-id: C1";
    assert_eq!(
        plan_of(&with_annotations(both))
            .unwrap()
            .reply_to
            .unwrap()
            .chat_id,
        "C1"
    );
    check(
        &with_annotations("sympozium.ai/reply-channel: slack"),
        &["metadata.annotations[sympozium.ai/reply-chat-id]: is needed beside sympozium.ai/reply-channel"],
    );
    check(
        &with_annotations(&both.replace("slack", "irc")),
        &["metadata.annotations[sympozium.ai/reply-channel]: \"irc\" is not a channel"],
    );
}

#[test]
fn the_sample_of_a_local_run_makes_a_plan() {
    let plan = plan_of(include_str!("../../../config/samples/local_run.yaml")).unwrap();
    let tools: Vec<_> = plan.typed_tool_names().map(ToString::to_string).collect();
    assert_eq!(
        (tools, plan.sandbox.is_some()),
        (vec!["count_lines".to_owned()], true)
    );
}

#[test]
fn an_annotation_leaves_a_run_without_its_instances_memory_and_can_not_give_it_one() {
    let with_memory = with(&[("instance", "  memory: {enabled: true}")]);
    let annotated = |text: &str, value: &str| {
        let annotations = format!("{{name: hello, annotations: {{sympozium.ai/memory: '{value}'}}}}");
        text.replace("{name: hello}", &annotations)
    };
    assert!(plan_of(&with_memory).unwrap().memory.is_some());
    assert!(plan_of(&annotated(&with_memory, "off")).unwrap().memory.is_none());
    assert!(plan_of(&annotated(&with_memory, "on")).unwrap().memory.is_some());
    assert!(plan_of(&annotated(BASE, "on")).unwrap().memory.is_none());
}
