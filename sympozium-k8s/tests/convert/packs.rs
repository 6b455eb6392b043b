//! Skill packs: which one is meant, what it brings, and what is wrong with it.

use crate::objects::{check, plan_of, with};

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
