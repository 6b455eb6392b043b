//! Flags and documents in, plans out.

use super::*;
use crate::cli::objects::Given;
use std::time::Duration;
use sympozium_core::ids::{InstanceName, InstanceRef, Namespace};
use sympozium_k8s::crd::v1alpha1::{SkillPack, SympoziumPolicy};

const INSTANCE: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: me}
spec:
  authRefs: [{provider: anthropic, secret: key}]
  agents: {default: {model: claude-x}}
";

const RUN: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: hello}
spec: {instanceRef: me, task: Say hello.}
";

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {ANTHROPIC_API_KEY: k}
";

const PACK: &str = "
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: counting}
spec: {skills: [{name: counting, content: Count.}]}
";

fn wishes() -> Wishes {
    Wishes {
        task: None,
        instance: InstanceRef {
            namespace: Namespace::new("local").unwrap(),
            name: InstanceName::new("local").unwrap(),
        },
        provider: None,
        model: None,
        base_url: None,
        session: None,
        memory: false,
        timeout: None,
        sandbox: true,
        keyless: false,
    }
}

fn of(wishes: &Wishes, documents: &[&str], skills: &[Given<SkillPack>]) -> Result<Vec<Planned>, String> {
    let mut objects = Objects::default();
    if !documents.is_empty() {
        objects.add("f.yaml", &documents.join("---")).unwrap();
    }
    let policies: &[Given<SympoziumPolicy>] = &[];
    let sources = Sources {
        objects: &objects,
        policies,
        skills,
    };
    plans(wishes, sources, RunUid::random).map_err(|failure| failure.to_string())
}

fn one(wishes: &Wishes, documents: &[&str]) -> RunPlan {
    of(wishes, documents, &[]).unwrap().remove(0).plan
}

use crate::cli::objects::Objects;

#[test]
fn a_task_alone_becomes_a_run_of_the_built_in_instance_with_a_sandbox() {
    let plan = one(
        &Wishes {
            task: Some("Count.".to_owned()),
            provider: Some("openai".to_owned()),
            model: Some("gpt-x".to_owned()),
            session: Some("notes".to_owned()),
            timeout: Some("90s".parse().unwrap()),
            memory: true,
            ..wishes()
        },
        &[],
    );
    assert_eq!(plan.instance.to_string(), "local/local");
    assert_eq!(plan.task, "Count.");
    assert!(plan.sandbox.is_some() && plan.memory.is_some());
    assert_eq!(plan.session.unwrap().as_str(), "notes");
    assert_eq!(plan.limits.timeout, Duration::from_secs(90));
    assert_eq!(plan.policies[0].name.0, "local-default");
    assert_eq!(
        (plan.model.provider.as_str(), plan.model.model.as_str()),
        ("openai", "gpt-x")
    );
    let uid = plan.run.uid.0.simple().to_string();
    assert_eq!(plan.run.name.as_str(), format!("run-{}", &uid[..8]));
}

#[test]
fn a_run_of_the_files_takes_model_and_key_from_its_instance() {
    let plan = one(&wishes(), &[INSTANCE, RUN, SECRET]);
    assert_eq!(plan.run.name.as_str(), "hello");
    assert_eq!(plan.model.provider.as_str(), "anthropic");
    assert_eq!(plan.model.secret.as_deref(), Some("key"));
    assert!(plan.sandbox.is_none(), "only a task implies a sandbox");
}

#[test]
fn a_secret_that_is_not_in_the_files_leaves_the_provider_chosen() {
    let plan = one(&wishes(), &[INSTANCE, RUN]);
    assert_eq!(plan.model.provider.as_str(), "anthropic");
    assert_eq!(plan.model.secret, None);
}

#[test]
fn flags_win_over_documents() {
    let plan = one(
        &Wishes {
            provider: Some("scripted".to_owned()),
            model: Some("other".to_owned()),
            base_url: Some("http://127.0.0.1:1/v1".parse().unwrap()),
            keyless: true,
            ..wishes()
        },
        &[INSTANCE, RUN, SECRET],
    );
    assert_eq!(
        (plan.model.provider.as_str(), plan.model.model.as_str()),
        ("scripted", "other")
    );
    assert_eq!(plan.model.base_url.unwrap().as_str(), "http://127.0.0.1:1/v1");
    assert_eq!(plan.model.secret, None);
}

#[test]
fn a_task_uses_the_only_instance_of_the_files() {
    let task = Wishes {
        task: Some("t".to_owned()),
        ..wishes()
    };
    assert_eq!(one(&task, &[INSTANCE]).instance.name.as_str(), "me");
    let second = INSTANCE.replace("name: me", "name: you");
    let message = of(&task, &[INSTANCE, &second], &[]).unwrap_err();
    assert!(message.contains("me, you"), "{message}");
    let both = of(&task, &[INSTANCE, RUN], &[]).unwrap_err();
    assert!(both.contains("not both"), "{both}");
}

#[test]
fn an_instance_that_is_nowhere_is_stood_in_for_and_said_so() {
    let flags = Wishes {
        model: Some("gpt-x".to_owned()),
        ..wishes()
    };
    let planned = of(&flags, &[RUN], &[]).unwrap().remove(0);
    assert_eq!(planned.plan.instance.name.as_str(), "me");
    assert!(planned.notes[0].contains("\"me\""), "{:?}", planned.notes);
}

#[test]
fn skills_of_flags_come_after_those_of_the_instance() {
    let own = INSTANCE.replace("spec:\n", "spec:\n  skills: [{skillPackRef: counting}]\n");
    let mut more = Objects::default();
    more.add("s.yaml", &PACK.replace("counting", "more")).unwrap();
    let planned = of(&wishes(), &[&own, RUN, PACK], &more.packs).unwrap().remove(0);
    let packs: Vec<_> = planned
        .plan
        .skills
        .iter()
        .map(|skill| skill.pack.as_str())
        .collect();
    assert_eq!(packs, ["counting", "more"]);
}

#[test]
fn several_runs_keep_the_order_of_the_files_and_have_identities_of_their_own() {
    let second = RUN.replace("hello", "again");
    let planned = of(&wishes(), &[INSTANCE, RUN, &second], &[]).unwrap();
    let names: Vec<_> = planned
        .iter()
        .map(|planned| planned.plan.run.name.as_str())
        .collect();
    assert_eq!(names, ["hello", "again"]);
    assert_ne!(planned[0].plan.run.uid, planned[1].plan.run.uid);
}

#[test]
fn what_is_wrong_with_a_document_is_told_by_object_and_path() {
    let message = of(
        &wishes(),
        &[INSTANCE, &RUN.replace("task:", "timeout: 100h, task:")],
        &[],
    )
    .unwrap_err();
    assert!(message.contains("AgentRun hello: spec.timeout"), "{message}");
}

#[test]
fn a_sandbox_over_the_policys_bound_is_refused() {
    let run = RUN.replace(
        "task:",
        "sandbox: {enabled: true, resources: {limits: {cpu: '2'}}}, task:",
    );
    let policy = "
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumPolicy
metadata: {name: small}
spec: {sandboxPolicy: {maxCPU: 500m}}
";
    let planned = of(&wishes(), &[INSTANCE, &run, policy], &[]).unwrap().remove(0);
    let rules: Vec<_> = planned
        .decision
        .denials()
        .map(|verdict| verdict.rule.as_str())
        .collect();
    assert_eq!(rules, ["sandboxPolicy.maxCPU"]);
}
