//! From YAML to plans and policies.
#![cfg(feature = "yaml")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, in its helpers too"
)]

use std::{collections::BTreeMap, time::Duration};
use sympozium_core::chat::ThinkingEffort;
use sympozium_core::ids::{Namespace, RunUid};
use sympozium_core::policy::{Cap, Feature, Outcome, Policy, PolicyName, PolicyOrigin, decide};
use sympozium_core::run::{Cleanup, RunPlan};
use sympozium_k8s::convert::{
    self, ConfigMapSkills, InvalidObjects, KeySecret, NoteReason, PackEntry, PlanInputs,
};
use sympozium_k8s::crd::v1alpha1::{AgentRun, SkillPack, SympoziumInstance};
use sympozium_k8s::documents::{Document, parse};

/// An instance with a key, a run, and packs; cases replace parts of the text.
const BASE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: key}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: me}
spec:
  authRefs: [{provider: openai, secret: key}]
  agents: {default: {model: gpt-4o-mini}}
  # instance
---
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: counting}
spec:
  skills: [{name: counting, content: Count.}]
  # pack
---
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: hello}
spec:
  instanceRef: me
  task: Say hello.
  # run
";

/// What stands in a file.
#[derive(Default)]
struct Objects {
    run: Option<AgentRun>,
    instance: Option<SympoziumInstance>,
    packs: Vec<SkillPack>,
    secrets: Vec<KeySecret>,
}

fn objects(text: &str) -> Objects {
    let mut found = Objects::default();
    for document in parse("f.yaml", text).unwrap_or_else(|e| panic!("{e}\n{text}")) {
        match document {
            Document::AgentRun(run) => found.run = Some(*run),
            Document::Instance(instance) => found.instance = Some(*instance),
            Document::SkillPack(pack) => found.packs.push(*pack),
            Document::Secret(secret) => found.secrets.push(KeySecret {
                base_url: secret.base_url().map(str::to_owned),
                name: secret.metadata.name.unwrap(),
            }),
            Document::Policy(_) => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

fn plan_of(text: &str) -> Result<RunPlan, InvalidObjects> {
    let found = objects(text);
    // Packs whose category is `builtin` play the built-in ones.
    let packs: Vec<_> = found
        .packs
        .iter()
        .map(|pack| PackEntry {
            pack,
            builtin: pack.spec.category.as_deref() == Some("builtin"),
        })
        .collect();
    let notes = ConfigMapSkills {
        name: "notes".to_owned(),
        data: BTreeMap::from([
            ("a.md".to_owned(), "A".to_owned()),
            ("b.txt".to_owned(), "B".to_owned()),
        ]),
    };
    convert::plan(&PlanInputs {
        run: &found.run.unwrap(),
        uid: RunUid("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap()),
        namespace: &Namespace::new("local").unwrap(),
        instance: &found.instance.unwrap(),
        policies: &[Policy::local_default()],
        packs: &packs,
        config_maps: &[notes],
        secrets: Some(&found.secrets),
    })
}

/// The base text with lines put in at the markers `# instance`, `# pack` and `# run`.
fn with(changes: &[(&str, &str)]) -> String {
    let mut text = BASE.to_owned();
    for (place, lines) in changes {
        text = text.replace(&format!("  # {place}\n"), &format!("{lines}\n"));
    }
    text
}

/// Checks all problems, in order, as `path: message`.
fn check(text: &str, expected: &[&str]) {
    let said = match plan_of(text) {
        Ok(_) => Vec::new(),
        Err(error) => error
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.path, p.message))
            .collect(),
    };
    assert_eq!(said, expected, "{text}");
}

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
fn an_own_pack_never_shadows_a_builtin_one() {
    let builtin = "---\napiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: counting}\n\
                   spec: {category: builtin, skills: [{name: b, content: Builtin.}]}\n";
    for (reference, found) in [("counting", true), ("system/counting", true)] {
        let text = format!(
            "{}{builtin}",
            with(&[("run", &format!("  skills: [{{skillPackRef: {reference}}}]"))])
        );
        assert_eq!(plan_of(&text).unwrap().skills[0].builtin, found, "{reference}");
    }
    check(
        &with(&[("run", "  skills: [{skillPackRef: system/counting}]")]),
        &["spec.skills[0].skillPackRef: there is no SkillPack \"system/counting\""],
    );
}

#[test]
fn config_maps_bring_their_markdown() {
    let plan = plan_of(&with(&[("run", "  skills: [{configMapRef: notes}]")])).unwrap();
    let names: Vec<_> = plan.skills[0].documents.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_wrong_pack_is_named_in_the_error_of_the_run() {
    let sidecar = "  sidecar:
    image: x
    env: [{name: https_proxy}]
    tools: [{name: t, description: d, argv: [wc, '{{path}}'], parameters: {type: object, properties: {}}}]";
    let error = plan_of(&with(&[
        ("pack", sidecar),
        ("run", "  skills: [{skillPackRef: counting}]"),
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "SkillPack counting: spec.sidecar.env[0].name: \"https_proxy\" is reserved: SYMPOZIUM_*, LD_* and *_PROXY can't be \
         set; SkillPack counting: spec.sidecar.tools[0].argv[1]: {{path}} is not a property of parameters"
    );
}

#[test]
fn a_model_chooses_arguments_and_never_the_program() {
    let with_argv = |argv: &str| {
        let tool = format!(
            "{{name: t, description: d, argv: {argv}, parameters: {{type: object, properties: {{p: {{type: string}}}}}}}}"
        );
        with(&[
            ("pack", &format!("  sidecar: {{image: x, tools: [{tool}]}}")),
            ("run", "  skills: [{skillPackRef: counting}]"),
        ])
    };
    check(&with_argv("[wc, '--', '{{p}}']"), &[]);
    check(
        &with_argv("['{{p}}', x]"),
        &["spec.sidecar.tools[0].argv[0]: the program can't come from an argument"],
    );
    check(
        &with_argv("[wc, '{{p']"),
        &["spec.sidecar.tools[0].argv[1]: a placeholder is not closed: write {{name}}"],
    );
}

#[test]
fn a_pack_that_needs_a_sandbox_gets_one_or_refuses() {
    let pack = (
        "pack",
        "  runtimeRequirements: {sandbox: true, image: busybox, minMemory: 64Mi}",
    );
    let plan = plan_of(&with(&[pack, ("run", "  skills: [{skillPackRef: counting}]")])).unwrap();
    let sandbox = plan.sandbox.unwrap();
    assert_eq!(
        (sandbox.image.as_deref(), sandbox.requests["memory"].as_str()),
        (Some("busybox"), "64Mi")
    );
    check(
        &with(&[
            pack,
            (
                "run",
                "  skills: [{skillPackRef: counting}]\n  sandbox: {enabled: false}",
            ),
        ]),
        &["spec.sandbox.enabled: a skill of the run needs a sandbox"],
    );
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

fn policy(spec: &str, origin: PolicyOrigin) -> Result<convert::PolicyReading, InvalidObjects> {
    let spec = serde_saphyr::from_str(spec).unwrap();
    convert::policy(&spec, PolicyName("p".to_owned()), origin)
}

#[test]
fn a_policy_that_says_nothing_allows_everything() {
    let reading = policy("{}", PolicyOrigin::Instance).unwrap();
    assert_eq!(
        reading.policy,
        Policy::open(PolicyName("p".to_owned()), PolicyOrigin::Instance)
    );
    assert_eq!(reading.notes, []);
}

#[test]
fn what_a_policy_can_not_change_is_noted() {
    let spec = "sandboxPolicy: {allowHostMounts: true}
networkPolicy: {denyAll: false, allowDNS: true, allowEventBus: false}
featureGates: {memory: false, telepathy: true}";
    let reading = policy(spec, PolicyOrigin::Instance).unwrap();
    let notes: Vec<_> = reading
        .notes
        .iter()
        .map(|note| (note.path.as_str(), note.reason))
        .collect();
    let partly = NoteReason::PartlyHonoured;
    assert_eq!(
        notes,
        [
            ("spec.sandboxPolicy.allowHostMounts", partly),
            ("spec.featureGates.telepathy", NoteReason::UnknownFeatureGate),
            ("spec.networkPolicy.denyAll", partly),
            ("spec.networkPolicy.allowDNS", partly),
            ("spec.networkPolicy.allowEventBus", partly),
        ]
    );
    assert_eq!(
        reading.policy.features,
        BTreeMap::from([(Feature::Memory, false)])
    );
    let plain = "networkPolicy: {denyAll: true, allowDNS: false, allowEventBus: true}";
    assert_eq!(policy(plain, PolicyOrigin::Instance).unwrap().notes, []);
}

#[test]
fn the_fields_of_a_policy_arrive() {
    let spec = "sandboxPolicy: {required: true, maxCPU: 500m, maxMemory: 1Gi}
subagentPolicy: {maxConcurrent: 2}
toolGating: {defaultAction: deny, rules: [{tool: 'read_*', action: ask}]}
networkPolicy: {allowedEgress: [{host: A.example, port: 443}], requireEnforced: true}
images: {allow: []}
egress: {hosts: [{host: A.example, private: true}]}
budget: {perDay: {usd: 0.5, tokens: 7}}";
    let policy = policy(spec, PolicyOrigin::InstallWide).unwrap().policy;
    assert_eq!(
        (policy.sandbox.max_cpu_millis, policy.sandbox.max_memory_bytes),
        (Some(500), Some(1 << 30))
    );
    assert_eq!(
        (policy.subagents.max_depth, policy.subagents.max_concurrent),
        (Some(3), Some(2))
    );
    assert_eq!(Outcome::from(policy.tools.default_action), Outcome::Deny);
    assert_eq!(policy.network.allowed_egress.unwrap()[0].host, "a.example");
    assert!(policy.network.require_enforced);
    assert_eq!(policy.images, Some(vec![]));
    assert!(policy.egress.unwrap().hosts[0].private);
    assert_eq!(
        policy.budget.per_day,
        Cap {
            tokens: Some(7),
            micro_usd: Some(500_000)
        }
    );
}

#[test]
fn a_wrong_policy_is_refused_by_path() {
    for (spec, expected) in [
        ("models: {deny: ['x y']}", "spec.models.deny[0]"),
        (
            "egress: {hosts: [{host: a.example, private: true}]}",
            "spec.egress.hosts[0].private",
        ),
        (
            "toolGating: {rules: [{tool: 'a b', action: deny}]}",
            "spec.toolGating.rules[0].tool",
        ),
        ("budget: {perRun: {tokens: -1}}", "spec.budget.perRun.tokens"),
        (
            "subagentPolicy: {maxConcurrent: 0}",
            "spec.subagentPolicy.maxConcurrent",
        ),
    ] {
        let error = policy(spec, PolicyOrigin::Instance).unwrap_err();
        assert_eq!(error.problems[0].path, expected, "{error}");
        assert_eq!(error.problems[0].object, "SympoziumPolicy p");
    }
}

#[test]
fn the_sample_of_a_local_run_makes_a_plan() {
    let plan = plan_of(include_str!("../../config/samples/local_run.yaml")).unwrap();
    let tools: Vec<_> = plan.typed_tool_names().map(ToString::to_string).collect();
    assert_eq!(
        (tools, plan.sandbox.is_some()),
        (vec!["count_lines".to_owned()], true)
    );
}

/// The plan of a text under a policy.
fn plan_under(policy_spec: &str, text: &str) -> (RunPlan, Vec<Policy>) {
    let policies = vec![policy(policy_spec, PolicyOrigin::Instance).unwrap().policy];
    let found = objects(text);
    let packs: Vec<_> = found
        .packs
        .iter()
        .map(|pack| PackEntry { pack, builtin: false })
        .collect();
    let plan = convert::plan(&PlanInputs {
        run: &found.run.unwrap(),
        uid: RunUid::random(),
        namespace: &Namespace::new("local").unwrap(),
        instance: &found.instance.unwrap(),
        policies: &policies,
        packs: &packs,
        config_maps: &[],
        secrets: None,
    });
    (plan.unwrap(), policies)
}

/// The denials of a run under a policy, as `field: rule`.
fn denials(policy_spec: &str, text: &str) -> Vec<String> {
    let (plan, policies) = plan_under(policy_spec, text);
    let decision = decide(&policies, &convert::run_request(&plan));
    decision
        .denials()
        .map(|verdict| format!("{}: {}", verdict.field, verdict.rule))
        .collect()
}

#[test]
fn a_sandbox_without_limits_gets_what_the_policies_leave_it() {
    let maxima = "sandboxPolicy: {maxCPU: 1500m, maxMemory: 1Gi}";
    let sandbox = |resources: &str| {
        with(&[(
            "run",
            &format!("  sandbox: {{enabled: true, resources: {{{resources}}}}}"),
        )])
    };
    let (plan, _) = plan_under(maxima, &sandbox("limits: {cpu: 1}"));
    let limits = plan.sandbox.unwrap().limits;
    assert_eq!(
        (limits["cpu"].as_str(), limits["memory"].as_str()),
        ("1", "1073741824")
    );
    let none: [&str; 0] = [];
    assert_eq!(denials(maxima, &sandbox("")), none);
    assert_eq!(denials(maxima, &sandbox("limits: {memory: 1024Mi}")), none);
    for too_much in ["limits: {memory: 1025Mi}", "requests: {memory: 2Gi}"] {
        assert_eq!(
            denials(maxima, &sandbox(too_much)),
            ["spec.sandbox: sandboxPolicy.maxMemory"]
        );
    }
    assert_eq!(
        denials(maxima, &sandbox("limits: {cpu: 1501m}")),
        ["spec.sandbox: sandboxPolicy.maxCPU"]
    );
}

#[test]
fn a_run_is_refused_for_what_it_can_not_do_without_and_for_nothing_else() {
    let skilled = |pack: &str| {
        with(&[
            ("pack", pack),
            (
                "run",
                "  skills: [{skillPackRef: counting}]\n  parent: {runName: a, spawnDepth: 3}",
            ),
            ("instance", "  memory: {enabled: true}"),
        ])
    };
    let plain = skilled("");
    let everything_off = "featureGates: {code-execution: false, file-access: false, browser-automation: false, \
                          sub-agents: false, memory: false, schedules: false, channels: false}";
    let depth = "spec.parent.spawnDepth: agents.default.subagents.maxDepth";
    assert_eq!(
        denials(everything_off, &plain),
        [
            depth,
            "spec.parent: featureGates.sub-agents",
            "spec.memory.enabled: featureGates.memory"
        ]
    );
    let browser = skilled("  category: browser\n  sidecar: {image: x}");
    assert_eq!(
        denials(
            "featureGates: {browser-automation: false, code-execution: false}",
            &browser
        ),
        [
            depth,
            "spec.skills[0]: featureGates.code-execution",
            "spec.skills[0]: featureGates.browser-automation"
        ]
    );
    let deny_writing = "toolGating: {rules: [{tool: write_file, action: deny}]}";
    assert_eq!(denials(deny_writing, &plain), [depth]);
    let needs = plain.replace(
        "content: Count.",
        "content: Count., requires: {tools: [write_file]}",
    );
    assert_eq!(
        denials(deny_writing, &needs),
        [depth, "spec.skills[0]: toolGating.rules[0]"]
    );
}

#[test]
fn a_tool_that_a_skill_needs_must_have_a_tools_name() {
    let text = with(&[("run", "  skills: [{skillPackRef: counting}]")]).replace(
        "content: Count.",
        "content: Count., requires: {tools: [read_file, 'read file']}",
    );
    check(
        &text,
        &[
            "spec.skills[0].requires.tools[1]: \"read file\" is not a valid tool name: 1 to 64 characters of a-z, A-Z, \
             0-9, `_` and `-`",
        ],
    );
}
