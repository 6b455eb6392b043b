//! Which runs there are to be, each with its instance: those of the documents, or the one of a task.

use super::{Sources, Wishes};
use crate::cli::failure::Failure;
use crate::cli::objects::{in_namespace, name_of};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sympozium_core::ids::RunUid;
use sympozium_core::run::Cleanup;
use sympozium_k8s::crd::v1alpha1::{
    AgentRun, AgentRunSpec, AgentSettings, Agents, AuthRef, MemorySpec, ModelSpec, RunSandboxSpec,
    SkillRefSpec, SympoziumInstance, SympoziumInstanceSpec,
};

/// A run and its instance, after all flags.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) run: AgentRun,
    pub(super) instance: SympoziumInstance,
    /// What people should know about how it came to be.
    pub(super) notes: Vec<String>,
}

/// All runs, in the order of the documents. `uid` names the run of a task.
pub(super) fn pairs(wishes: &Wishes, sources: Sources<'_>, uid: RunUid) -> Result<Vec<Pair>, Failure> {
    let runs = &sources.objects.runs;
    let pairs = match &wishes.task {
        Some(_) if !runs.is_empty() => {
            return Err(Failure::input(
                "Give either a task or files with an AgentRun, not both: the AgentRun brings its own task.",
            ));
        }
        Some(task) => vec![of_task(task, wishes, sources, uid)?],
        None => runs
            .iter()
            .map(|run| of_document(&run.object, wishes, sources))
            .collect(),
    };
    Ok(pairs
        .into_iter()
        .map(|pair| pair.with_flags(wishes, sources))
        .collect())
}

/// The run of a task: an instance of the files if one has the name, else the built-in one.
fn of_task(task: &str, wishes: &Wishes, sources: Sources<'_>, uid: RunUid) -> Result<Pair, Failure> {
    let name = wishes.instance.name.as_str();
    let instances = &sources.objects.instances;
    let found = instances
        .iter()
        .find(|given| name_of(&given.object.metadata) == name);
    let instance = match (found, &instances[..]) {
        (Some(given), _) => given.object.clone(),
        (None, []) => built_in(name, sources),
        (None, [only]) => only.object.clone(),
        (None, several) => {
            let names: Vec<_> = several
                .iter()
                .map(|given| name_of(&given.object.metadata))
                .collect();
            return Err(Failure::input(format!(
                "There is no SympoziumInstance {name:?} in the files; name one of them with --instance: {}.",
                names.join(", ")
            )));
        }
    };
    let short: String = uid.0.simple().to_string().chars().take(8).collect();
    let run = AgentRun {
        metadata: ObjectMeta {
            name: Some(format!("run-{short}")),
            namespace: instance.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        spec: run_spec(task, name_of(&instance.metadata), wishes.sandbox),
        status: None,
    };
    Ok(Pair {
        run,
        instance,
        notes: Vec::new(),
    })
}

fn run_spec(task: &str, instance: &str, sandbox: bool) -> AgentRunSpec {
    AgentRunSpec {
        instance_ref: instance.to_owned(),
        agent_id: None,
        session_key: None,
        task: task.to_owned(),
        parent: None,
        system_prompt: None,
        model: None,
        sandbox: sandbox.then(|| RunSandboxSpec {
            enabled: true,
            ..RunSandboxSpec::default()
        }),
        skills: None,
        tool_policy: None,
        timeout: None,
        cleanup: Cleanup::default(),
        agent: None,
        env: Vec::new(),
        cancel: false,
    }
}

/// An instance that has nothing of its own, but may use every Secret of the files.
fn built_in(name: &str, sources: Sources<'_>) -> SympoziumInstance {
    let auth_refs = sources
        .objects
        .secrets
        .iter()
        .map(|secret| AuthRef {
            provider: super::key::provider_of(&secret.object).map(str::to_owned),
            secret: name_of(&secret.object.metadata).to_owned(),
        })
        .collect();
    SympoziumInstance {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: SympoziumInstanceSpec {
            channels: Vec::new(),
            agents: Agents {
                default: AgentSettings::default(),
            },
            skills: Vec::new(),
            policy_ref: None,
            auth_refs,
            memory: None,
            target_namespaces: Vec::new(),
            pod_template: None,
        },
        status: None,
    }
}

fn of_document(run: &AgentRun, wishes: &Wishes, sources: Sources<'_>) -> Pair {
    let wanted = &run.spec.instance_ref;
    let namespace = run
        .metadata
        .namespace
        .as_deref()
        .unwrap_or(wishes.instance.namespace.as_str());
    let found = sources.objects.instances.iter().find(|given| {
        name_of(&given.object.metadata) == wanted && in_namespace(&given.object.metadata, namespace)
    });
    let (instance, notes) = match found {
        Some(given) => (given.object.clone(), Vec::new()),
        None => (
            built_in(wanted, sources),
            vec![format!(
                "There is no SympoziumInstance {wanted:?} in the files; an empty one stands in for it."
            )],
        ),
    };
    Pair {
        run: run.clone(),
        instance,
        notes,
    }
}

impl Pair {
    fn with_flags(mut self, wishes: &Wishes, sources: Sources<'_>) -> Self {
        self.take_known_keys(wishes, sources);
        self.choose_model(wishes);
        self.add_skills(sources);
        let spec = &mut self.run.spec;
        if wishes.session.is_some() {
            spec.session_key.clone_from(&wishes.session);
        }
        if wishes.timeout.is_some() {
            spec.timeout.clone_from(&wishes.timeout);
        }
        if wishes.memory {
            self.instance
                .spec
                .memory
                .get_or_insert(MemorySpec {
                    enabled: true,
                    max_size_kb: sympozium_core::memory::DEFAULT_MAX_KIB,
                    system_prompt: None,
                })
                .enabled = true;
        }
        self
    }

    /// Keys of Secrets that are not in the files come from the environment, so only the others stay in the instance.
    /// The provider that such a key is for stays chosen.
    fn take_known_keys(&mut self, wishes: &Wishes, sources: Sources<'_>) {
        let model = self.run.spec.model.get_or_insert_default();
        let auth_refs = &mut self.instance.spec.auth_refs;
        let chosen = match model.auth_secret_ref.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => auth_refs.iter().find(|auth| auth.secret == name),
            None => auth_refs.first(),
        };
        if is_empty(model.provider.as_ref()) {
            model.provider = chosen.and_then(|auth| auth.provider.clone());
        }
        let known = |name: &str| {
            sources
                .objects
                .secrets
                .iter()
                .any(|secret| name_of(&secret.object.metadata) == name)
        };
        if model.auth_secret_ref.as_deref().is_some_and(|name| !known(name)) {
            model.auth_secret_ref = None;
        }
        if wishes.keyless {
            model.auth_secret_ref = None;
            auth_refs.clear();
        }
        auth_refs.retain(|auth| known(&auth.secret));
    }

    fn choose_model(&mut self, wishes: &Wishes) {
        let settings = &mut self.instance.spec.agents.default;
        let model: &mut ModelSpec = self.run.spec.model.get_or_insert_default();
        if wishes.provider.is_some() {
            model.provider.clone_from(&wishes.provider);
        }
        if let Some(wanted) = &wishes.model {
            model.model = Some(wanted.clone());
        }
        if let Some(url) = &wishes.base_url {
            settings.base_url = Some(url.to_string());
            model.base_url = None;
        }
        // An instance must name a model; the run's own is used.
        if settings.model.is_empty() {
            settings.model = model.model.clone().unwrap_or_default();
        }
    }

    /// Skills of flags come after those that the run has anyway.
    fn add_skills(&mut self, sources: Sources<'_>) {
        if sources.skills.is_empty() {
            return;
        }
        let own = self
            .run
            .spec
            .skills
            .get_or_insert_with(|| self.instance.spec.skills.clone());
        own.extend(sources.skills.iter().map(|pack| SkillRefSpec {
            skill_pack_ref: Some(name_of(&pack.object.metadata).to_owned()),
            config_map_ref: None,
        }));
    }
}

fn is_empty(text: Option<&String>) -> bool {
    text.is_none_or(String::is_empty)
}
