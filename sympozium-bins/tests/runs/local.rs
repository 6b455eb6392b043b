//! Whole runs by the local executor.

use crate::by_hand::in_time;
use crate::model::{Model, Says, gateway};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use sympozium_core::chat::Message;
use sympozium_core::error::BoxError;
use sympozium_core::ids::{PackName, RunUid, ToolName};
use sympozium_core::ipc::{ApprovalRequest, ChunkKind};
use sympozium_core::local::{
    LocalAnswer, LocalApprover, LocalEvent, LocalEvents, LocalExecutor, LocalProgram, LocalPrograms,
    LocalSettings, RunGateway,
};
use sympozium_core::policy::{Pattern, RunToolPolicy, ToolAction, ToolRule};
use sympozium_core::run::{AgentResult, MemoryPlan, Observed, RunExecutor, RunPlan, SandboxPlan};
use sympozium_core::skill::{Sidecar, Skill, SkillDocument, TypedTool};
use sympozium_core::testing::run_plan;
use sympozium_llm::gateway::{Gateway, ListenerAuth, RunSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Sockets {
    gateway: Gateway,
    auth: Arc<ListenerAuth>,
    served: Mutex<BTreeMap<RunUid, (CancellationToken, JoinHandle<()>)>>,
}

#[async_trait::async_trait]
impl RunGateway for Sockets {
    async fn open(&self, plan: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError> {
        let uid = plan.run.uid;
        self.auth.register(uid.to_string(), plan.clone());
        let socket = RunSocket::bind(socket)?;
        let (gateway, stop) = (self.gateway.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            gateway
                .serve_socket(socket, &uid.to_string(), stopped)
                .await
                .unwrap();
        });
        self.served.lock().unwrap().insert(uid, (stop, task));
        Ok(())
    }

    async fn close(&self, run: RunUid) {
        let served = self.served.lock().unwrap().remove(&run);
        if let Some((stop, task)) = served {
            self.gateway.end_run(run);
            stop.cancel();
            task.await.unwrap();
        }
    }
}

/// Notes what happens, and looks at each process as soon as it has started.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) events: Mutex<Vec<LocalEvent>>,
    environments: Mutex<BTreeSet<String>>,
}

impl LocalEvents for Notes {
    fn on(&self, _: RunUid, event: LocalEvent) {
        if let LocalEvent::Stream(_) = &event {
            let started = self.events.lock().unwrap();
            let pids = started.iter().filter_map(|event| match event {
                LocalEvent::Started { pid, .. } => Some(*pid),
                _ => None,
            });
            for pid in pids {
                let environ = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
                let names = environ
                    .split('\0')
                    .filter_map(|one| Some(one.split_once('=')?.0.to_owned()));
                self.environments.lock().unwrap().extend(names);
            }
        }
        self.events.lock().unwrap().push(event);
    }
}

pub(crate) struct Approves;

#[async_trait::async_trait]
impl LocalApprover for Approves {
    async fn decide(&self, _: RunUid, request: &ApprovalRequest) -> LocalAnswer {
        if request.arguments.to_string().contains("rm ") {
            LocalAnswer::denied("That is too much.")
        } else {
            LocalAnswer::approved()
        }
    }
}

impl Sockets {
    pub(crate) fn new(model: &Arc<Model>) -> Self {
        let (gateway, auth) = gateway(model);
        Self {
            gateway,
            auth,
            served: Mutex::default(),
        }
    }
}

struct Local {
    folder: tempfile::TempDir,
    executor: LocalExecutor,
    model: Arc<Model>,
    notes: Arc<Notes>,
}

fn program(path: &str) -> LocalProgram {
    LocalProgram::new(path, Vec::<String>::new())
}

impl Local {
    fn new(turns: Vec<Says>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = Model::new(turns);
        let sockets = Sockets::new(&model);
        let programs = LocalPrograms {
            runner: program(env!("CARGO_BIN_EXE_sympozium-runner")),
            toolbox: program(env!("CARGO_BIN_EXE_sympozium-toolbox")),
            sandbox: program(env!("CARGO_BIN_EXE_sympozium-sandbox")),
        };
        let notes = Arc::new(Notes::default());
        let executor = LocalExecutor::new(LocalSettings::new(folder.path(), programs), Arc::new(sockets))
            .approver(Arc::new(Approves))
            .events(notes.clone());
        Self {
            folder,
            executor,
            model,
            notes,
        }
    }

    fn dir(&self, plan: &RunPlan) -> PathBuf {
        self.folder.path().join(plan.run.uid.to_string())
    }

    async fn run(&self, plan: &RunPlan) -> AgentResult {
        self.executor.ensure(plan).await.unwrap();
        let follow = async {
            let mut seen = Observed::Nothing;
            loop {
                seen = self.executor.changed(plan.run.uid, &seen).await.unwrap();
                if let Observed::Finished {
                    exit_code, result, ..
                } = seen
                {
                    let events = self.notes.events.lock().unwrap().clone();
                    return result.unwrap_or_else(|| panic!("no result, exit code {exit_code}, {events:?}"));
                }
            }
        };
        in_time("the run", follow).await
    }

    /// What tools have answered, in order.
    fn tool_results(&self) -> Vec<String> {
        let last = self.model.asked().pop().unwrap();
        let results = last.messages.iter().flat_map(Message::results);
        results.map(|result| result.content.clone()).collect()
    }
}

pub(crate) fn plan() -> RunPlan {
    let mut plan = run_plan("Do the task.");
    plan.sandbox = Some(SandboxPlan::default());
    plan
}

pub(crate) fn word_count() -> Skill {
    Skill {
        pack: PackName::new("words").unwrap(),
        builtin: false,
        category: None,
        documents: vec![SkillDocument {
            name: "how".to_owned(),
            description: None,
            content: "Count words with count_words.".to_owned(),
            requires_bins: vec!["wc".to_owned()],
            requires_tools: vec![],
        }],
        sidecar: Some(Sidecar {
            image: "img".to_owned(),
            command: vec![],
            env: BTreeMap::from([("FLAVOUR".to_owned(), "plain".to_owned())]),
            mount_workspace: true,
            resources: BTreeMap::new(),
            tools: vec![TypedTool {
                name: ToolName::new("count_words").unwrap(),
                description: "Counts words.".to_owned(),
                parameters: json!({"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}),
                argv: vec![
                    "wc".to_owned(),
                    "-w".to_owned(),
                    "--".to_owned(),
                    "{{path}}".to_owned(),
                ],
                timeout_seconds: 10,
            }],
            egress: vec![],
            rbac: vec![],
            cluster_rbac: vec![],
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_works_with_files_commands_and_typed_tools_and_leaves_nothing_but_its_result() {
    let local = Local::new(vec![
        Says::Calls(vec![(
            "write_file",
            json!({"path": "/workspace/a/text.md", "content": "three short words\n"}),
        )]),
        Says::Calls(vec![
            ("count_words", json!({"path": "a/text.md"})),
            (
                "execute_command",
                json!({"command": "cat a/text.md; echo $FLAVOUR", "target": "words"}),
            ),
            (
                "execute_command",
                json!({"command": "pwd; echo oops >&2; exit 3", "target": "sandbox", "workdir": "a"}),
            ),
            ("read_file", json!({"path": "/skills/words/how.md"})),
            (
                "write_file",
                json!({"path": "/skills/words/how.md", "content": "x"}),
            ),
            ("send_channel_message", json!({"channel": "slack", "text": "hi"})),
        ]),
        Says::Words("Done. \n__SYMPOZIUM_MEMORY__\n## Words\nthree\n__SYMPOZIUM_MEMORY_END__"),
    ]);
    let mut plan = plan();
    plan.skills = vec![word_count()];
    plan.memory = Some(MemoryPlan { max_bytes: 4096 });
    let result = local.run(&plan).await;
    let extracted = sympozium_core::memory::extract(&result.response);
    assert_eq!(
        (extracted.answer.as_str(), extracted.memory.as_deref()),
        ("Done.", Some("## Words\nthree"))
    );
    let results = local.tool_results();
    let folder = local.dir(&plan).join("workspace/a");
    assert_eq!(results[1], "3 a/text.md");
    assert_eq!(results[2], "three short words\nplain");
    assert_eq!(
        results[3],
        format!("{}\nSTDERR: oops\n[exit code 3]", folder.display())
    );
    assert_eq!(results[4], "Count words with count_words.");
    assert!(results[5].contains("read-only"), "{}", results[5]);
    assert!(
        results[6].starts_with("Refused: There is no chat channel here"),
        "{}",
        results[6]
    );
    let prompt = local.model.asked().remove(0).system.unwrap();
    assert!(prompt.contains("Count words with count_words") && prompt.contains("long-term memory"));
    local.executor.remove(plan.run.uid).await.unwrap();
    assert!(!local.dir(&plan).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_executor_run_one_after_the_other() {
    let command = json!({"command": "echo begin >> log; sleep 0.1; echo end >> log; cat log"});
    let calls = std::iter::repeat_n(("execute_command", command), 4).collect();
    let local = Local::new(vec![Says::Calls(calls), Says::Words("Done.")]);
    local.run(&plan()).await;
    let longest = local.tool_results().into_iter().max_by_key(String::len).unwrap();
    assert_eq!(longest, ["begin\nend"; 4].join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_given_only_what_is_listed() {
    let local = Local::new(vec![
        Says::Calls(vec![(
            "execute_command",
            json!({"command": "env | cut -d= -f1 | sort | tr '\\n' ' '"}),
        )]),
        Says::Words("Done."),
    ]);
    let mut plan = plan();
    plan.env.insert("GIVEN".to_owned(), "yes".to_owned());
    local.run(&plan).await;
    let listed = ["HOME", "LANG", "PATH", "SYMPOZIUM_RUN", "TERM", "TMPDIR"];
    let environments = local.notes.environments.lock().unwrap().clone();
    let mut expected: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    expected.insert("GIVEN".to_owned());
    assert_eq!(environments, expected);
    let shown = local.tool_results().remove(0);
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<&str> = shown
        .split_whitespace()
        .filter(|name| !own.contains(name))
        .collect();
    assert_eq!(names, listed);
}

pub(crate) fn asks(tool: &str) -> RunPlan {
    let mut plan = plan();
    plan.policies[0].tools.rules.push(ToolRule {
        tool: Pattern::new(tool).unwrap(),
        action: ToolAction::Ask,
    });
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_exactly_what_is_executed() {
    let local = Local::new(vec![
        Says::Calls(vec![
            ("execute_command", json!({"command": "echo fine"})),
            ("execute_command", json!({"command": "rm everything"})),
        ]),
        Says::Words("Done."),
    ]);
    local.run(&asks("execute_command")).await;
    let results = local.tool_results();
    assert_eq!(results[0], "fine");
    assert!(
        results[1].contains("not approved. That is too much."),
        "{}",
        results[1]
    );
    let events = local.notes.events.lock().unwrap();
    let asked = events.iter().filter_map(|event| match event {
        LocalEvent::Asked(request) => Some(request.arguments["command"].clone()),
        _ => None,
    });
    let mut asked: Vec<String> = asked.map(|command| command.to_string()).collect();
    asked.sort();
    assert_eq!(asked, ["\"echo fine\"", "\"rm everything\""]);
    let verdicts = events.iter().filter_map(|event| match event {
        LocalEvent::Stream(chunk) if chunk.kind == ChunkKind::ToolResult => chunk.verdict.clone(),
        _ => None,
    });
    assert!(
        verdicts
            .into_iter()
            .all(|verdict| verdict.policy == "local-default")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_tool_is_not_offered_and_a_call_of_it_is_refused_with_its_rule() {
    let local = Local::new(vec![
        Says::Calls(vec![("write_file", json!({"path": "x", "content": "y"}))]),
        Says::Words("Done."),
    ]);
    let mut plan = plan();
    plan.tool_policy = RunToolPolicy {
        allow: vec![],
        deny: vec![Pattern::new("write_*").unwrap()],
    };
    local.run(&plan).await;
    let first = local.model.asked().remove(0);
    assert!(first.tools.iter().all(|tool| tool.name.as_str() != "write_file"));
    let result = local.tool_results().remove(0);
    assert!(result.contains("toolPolicy.deny[0]"), "{result}");
    assert!(!local.dir(&plan).join("workspace/x").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_at_once_do_not_disturb_each_other() {
    let turns: Vec<_> = std::iter::repeat_n(Says::Words("Done."), 12).collect();
    let local = Local::new(turns);
    let plans: Vec<_> = (0..12).map(|_| plan()).collect();
    let results = futures::future::join_all(plans.iter().map(|plan| local.run(plan))).await;
    assert!(results.iter().all(|result| result.response == "Done."));
    local.executor.shutdown().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(local.folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "only the lock: {left:?}");
}
