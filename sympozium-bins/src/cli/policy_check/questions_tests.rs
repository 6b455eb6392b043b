//! Documents in, verdicts out.

use super::super::render;
use super::*;

const POLICY: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: careful}
spec:
  toolGating:
    rules: [{tool: write_file, action: deny}, {tool: 'execute_*', action: ask}]
  featureGates: {memory: false, teleport: true}
  models: {allow: ['openai/*']}
  egress: {hosts: [{host: docs.example}]}
  budget: {perRun: {tokens: 1000}}
  networkPolicy: {allowDNS: true}
";

const PACK: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: logs}
spec:
  skills: [{name: logs, content: Read.}]
  sidecar:
    image: registry.example/logs:1
    egress: [{host: logs.example, port: 443}]
    tools: [{name: tail_log, description: Reads., argv: [tail]}]
";

const INSTANCE: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: me}
spec: {memory: {enabled: true}, agents: {default: {model: gpt-x}}}
";

const RUN: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: hello}
spec: {instanceRef: me, task: t, skills: [{skillPackRef: logs}]}
";

const NOTHING: Asked<'_> = Asked {
    provider: None,
    model: None,
    urls: &[],
};

fn reports_of(documents: &[&str], asked: &Asked<'_>) -> Vec<Report> {
    let mut objects = Objects::default();
    objects.add("policy.yaml", &documents.join("---")).unwrap();
    reports(&objects, asked).unwrap()
}

#[test]
fn a_policy_alone_is_asked_about_every_tool_and_feature() {
    let reports = reports_of(&[POLICY], &NOTHING);
    assert_eq!(reports[0].admitted, None);
    insta::assert_snapshot!(render::text(&reports));
}

#[test]
fn packs_bring_their_tools_images_and_targets_into_question() {
    let reports = reports_of(&[POLICY, PACK], &NOTHING);
    insta::assert_snapshot!(render::text(&reports));
}

#[test]
fn a_run_that_needs_a_switched_off_feature_is_refused() {
    let reports = reports_of(&[POLICY, PACK, INSTANCE, RUN], &NOTHING);
    assert_eq!(reports[0].admitted, Some(false));
    insta::assert_snapshot!(render::text(&reports));
    let without = INSTANCE.replace("enabled: true", "enabled: false");
    assert_eq!(reports_of(&[POLICY, &without], &NOTHING)[0].admitted, Some(true));
}

#[test]
fn flags_ask_about_models_and_pages() {
    let urls = [
        "https://docs.example/a".parse().unwrap(),
        "https://evil.example/".parse().unwrap(),
    ];
    let asked = Asked {
        provider: Some("anthropic"),
        model: Some("claude-x"),
        urls: &urls,
    };
    let reports = reports_of(&[POLICY], &asked);
    let rows: Vec<_> = reports[0]
        .verdicts
        .iter()
        .filter(|verdict| matches!(verdict.question, Question::Model(_) | Question::Egress(_)))
        .map(|verdict| {
            format!(
                "{} {} {}",
                verdict.outcome.as_str(),
                verdict.question,
                verdict.rule
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "deny model anthropic/claude-x models.allow",
            "allow egress https://docs.example/a egress.hosts[0]",
            "deny egress https://evil.example/ egress.hosts",
        ]
    );
}
