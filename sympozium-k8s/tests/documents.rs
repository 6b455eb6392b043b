//! What files mean, and what is said when they are wrong.
#![cfg(feature = "yaml")]

use secrecy::ExposeSecret;
use sympozium_k8s::documents::{Document, MAX_FILE_BYTES, parse};

fn check(text: &str, expected: &str) {
    let said = match parse("f.yaml", text) {
        Ok(documents) => format!("{} documents", documents.len()),
        Err(error) => error.to_string(),
    };
    assert!(
        said.starts_with(expected),
        "{text}\nsaid     {said}\nexpected {expected}"
    );
}

/// The five lines that every run here starts with; what follows is from line 4 on.
const RUN: &str = "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: a}\n";

#[test]
fn a_wrong_file_is_refused_with_place_and_reason() {
    let spec = "spec:\n  instanceRef: me\n  task: x\n";
    for (text, expected) in [
        (
            format!("{RUN}{spec}  tsk: y\n"),
            "f.yaml:7:3 (document 1): unknown field `tsk`, expected one of instanceRef",
        ),
        (
            format!("---\n{RUN}{spec}---\n{RUN}spec:\n  instanceRef: me\n"),
            "f.yaml:13:3 (document 2): missing field `task`",
        ),
        (
            format!("{RUN}{spec}  task: y\n"),
            "f.yaml:7:3 (document 1): duplicate mapping key: task",
        ),
        (
            format!("{RUN}{spec}  timeout: 10\n"),
            "f.yaml:7:12 (document 1): \"10\" is not a duration: write numbers",
        ),
        (
            format!("{RUN}{spec}  cleanup: never\n"),
            "f.yaml:7:12 (document 1): unknown variant `never`, expected one of delete, keep",
        ),
        (
            format!("{RUN}specs: {{}}\n{spec}"),
            "f.yaml:4:1 (document 1): unknown field `specs`",
        ),
        (
            format!("{}{spec}", RUN.replace("name", "nmae")),
            "f.yaml:3:12 (document 1): unknown field `nmae`",
        ),
        (
            "apiVersion: v1\nkind: Pod\n".to_owned(),
            "f.yaml:1:1 (document 1): v1 Pod is not read here; accepted are v1 Secret and sympozium.ai/v1alpha1 AgentRun",
        ),
        (
            "apiVersion: sympozium.ai/v1\nkind: AgentRun\n".to_owned(),
            "f.yaml:1:1 (document 1): sympozium.ai/v1 AgentRun is not read here",
        ),
        ("a: [\n".to_owned(), "f.yaml:1:4 (document 1): unclosed bracket"),
        ("just text\n".to_owned(), "f.yaml:1:1 (document 1): "),
        (
            " ".repeat(MAX_FILE_BYTES + 1),
            "f.yaml: the file has 4194305 bytes; at most 4194304 are read",
        ),
        (
            "---\na: 1\n".repeat(1001),
            "f.yaml: the file has more than 1000 documents",
        ),
        (String::new(), "0 documents"),
    ] {
        check(&text, expected);
    }
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: k, annotations: {sympozium.ai/base-url: 'https://x.example'}}\n";

#[test]
fn a_wrong_secret_is_refused_without_its_values() {
    for (rest, expected) in [
        (
            "data: {key: '!!canary'}",
            "f.yaml:1:1 (document 1): data.key is not text in base64",
        ),
        (
            "stringDta: {key: canary}",
            "f.yaml:4:1 (document 1): unknown field `stringDta`",
        ),
        ("stringData: {key: [canary]}", "f.yaml:4:19 (document 1): "),
        ("stringData: canary", "f.yaml:4:13 (document 1): "),
    ] {
        let text = format!("{SECRET}{rest}\n");
        check(&text, expected);
        assert!(
            !format!("{:?}", parse("f.yaml", &text)).contains("canary"),
            "{rest}"
        );
    }
}

#[test]
fn a_secret_gives_its_values_and_its_address_and_never_shows_them() {
    let text = format!(
        "{SECRET}type: Opaque\ndata: {{a: Y2FuYXJ5, b: Y2FuYXJ5}}\nstringData: {{b: plain-canary}}\n"
    );
    let documents = parse("f.yaml", &text).unwrap();
    let [Document::Secret(secret)] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!(secret.base_url(), Some("https://x.example"));
    let values: Vec<_> = secret
        .values
        .iter()
        .map(|(k, v)| (k.as_str(), v.expose_secret()))
        .collect();
    assert_eq!(values, [("a", "canary"), ("b", "plain-canary")]);
    assert!(!format!("{documents:?}").contains("canary"));
}
