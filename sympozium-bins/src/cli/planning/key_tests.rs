//! Keys and the addresses that they may go to.

use super::*;
use crate::cli::args::GlobalArgs;
use crate::cli::config::{Config, Environment};
use crate::cli::planning::{Sources, Wishes, plans};
use secrecy::ExposeSecret;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace, RunUid};

const ENVIRONMENT: [(&str, &str); 1] = [("OPENAI_API_KEY", "env-key")];

fn objects(model: &str, secret: &str) -> Objects {
    let mut objects = Objects::default();
    objects
        .add(
            "f.yaml",
            &format!(
                "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\nmetadata: {{name: me}}\n\
                 spec: {{authRefs: [{{provider: openai, secret: key}}], agents: {{default: {{{model}}}}}}}\n---\n\
                 apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {{name: r}}\n\
                 spec: {{instanceRef: me, task: t}}\n{secret}"
            ),
        )
        .unwrap();
    objects
}

fn plan_of(objects: &Objects, base_url: Option<&Url>) -> RunPlan {
    let wishes = Wishes {
        task: None,
        instance: InstanceRef {
            namespace: Namespace::new("local").unwrap(),
            name: InstanceName::new("local").unwrap(),
        },
        provider: None,
        model: None,
        base_url: base_url.cloned(),
        session: None,
        memory: false,
        timeout: None,
        sandbox: true,
        keyless: false,
    };
    let sources = Sources {
        objects,
        policies: &[],
        skills: &[],
    };
    plans(&wishes, sources, RunUid::random).unwrap().remove(0).plan
}

fn key(
    objects: &Objects,
    environment: &[(&str, &str)],
    by_person: Option<&str>,
) -> Result<(Option<String>, Option<String>), String> {
    let by_person = by_person.map(|url| Url::parse(url).unwrap());
    let plan = plan_of(objects, by_person.as_ref());
    let config = Config::read(&GlobalArgs::default(), &Environment::of(environment)).unwrap();
    let public = Url::parse("https://api.openai.com/v1").unwrap();
    let key = key_of(
        &plan,
        objects,
        &config.providers,
        by_person.as_ref(),
        Some(&public),
    )
    .map_err(|failure| failure.to_string())?;
    Ok((
        key.secret.map(|key| key.expose_secret().to_owned()),
        key.base_url.map(|url| url.to_string()),
    ))
}

#[test]
fn the_environments_key_goes_to_the_providers_own_address() {
    let there = objects("model: gpt-x", "");
    assert_eq!(
        key(&there, &ENVIRONMENT, None),
        Ok((Some("env-key".into()), None))
    );
    assert_eq!(key(&there, &[], None), Ok((None, None)));
}

#[test]
fn a_document_can_not_have_the_environments_key_sent_elsewhere() {
    let evil = objects("model: gpt-x, baseURL: 'https://evil.example/v1'", "");
    let message = key(&evil, &ENVIRONMENT, None).unwrap_err();
    assert!(
        message.contains("OPENAI_API_KEY") && message.contains("evil.example"),
        "{message}"
    );
    assert!(!message.contains("env-key"), "{message}");
    // Without a key there is nothing to protect, and a server of one's own may need none.
    let without = key(&evil, &[], None).unwrap();
    assert_eq!(without, (None, Some("https://evil.example/v1".into())));
}

#[test]
fn a_person_may_send_a_key_where_they_like() {
    let there = objects("model: gpt-x", "");
    let mine = "http://127.0.0.1:9/v1";
    assert_eq!(
        key(&there, &ENVIRONMENT, Some(mine)),
        Ok((Some("env-key".into()), Some(mine.into())))
    );
    let beside = [ENVIRONMENT[0], ("OPENAI_BASE_URL", "http://127.0.0.1:8/v1")];
    assert_eq!(
        key(&there, &beside, None),
        Ok((Some("env-key".into()), Some("http://127.0.0.1:8/v1".into())))
    );
}

#[test]
fn a_secret_wins_and_is_told_by_the_name_of_its_value() {
    let secret = |data: &str| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{{data}}}\n")
    };
    for (data, expected) in [
        ("OPENAI_API_KEY: a, API_KEY: b", Some("a")),
        ("API_KEY: b, other: c", Some("b")),
        ("whatever: c", Some("c")),
        ("one: c, two: d", None),
    ] {
        let there = objects("model: gpt-x", &secret(data));
        match (key(&there, &ENVIRONMENT, None), expected) {
            (Ok((found, _)), Some(expected)) => assert_eq!(found.as_deref(), Some(expected), "{data}"),
            (Err(message), None) => assert!(message.contains("OPENAI_API_KEY"), "{message}"),
            (other, _) => panic!("{data}: {other:?}"),
        }
    }
}
