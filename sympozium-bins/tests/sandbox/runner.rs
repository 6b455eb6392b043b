//! Attempts from the runner's place: a shell instead of the agent's program, in the same sandbox.

use crate::machine::Machine;
use crate::outputs::{Shown, in_time};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use sympozium_core::error::BoxError;
use sympozium_core::ids::RunUid;
use sympozium_core::local::{
    LocalEvent, LocalEvents, LocalExecutor, LocalIsolation, LocalProcess, LocalProgram, LocalPrograms,
    LocalSettings, RunGateway,
};
use sympozium_core::run::{Observed, RunExecutor, RunPlan, SandboxPlan};
use sympozium_core::testing::run_plan;
use tokio::net::UnixListener;

/// The variable that names the file with an attempt, for the child that makes it.
const VARIABLE: &str = "SANDBOX_TEST_ATTEMPT";
/// What stands before what the attempt said.
const BEGIN: &str = "<<<said";
/// What stands behind it.
const END: &str = "said>>>";

/// What the child is told.
#[derive(Serialize, Deserialize)]
struct Attempt {
    script: String,
    sympozium: PathBuf,
    root: PathBuf,
}

/// Runs a script in the place of the runner, as the machine's user.
pub(crate) fn from_its_place(machine: &Machine, script: &str) -> Shown {
    let attempt = Attempt {
        script: script.to_owned(),
        sympozium: machine.programs.sympozium(),
        root: machine.path("data/r"),
    };
    let file = machine.file("attempt.json", &serde_json::to_string(&attempt).unwrap());
    let child = machine
        .who
        .command(&machine.programs.tests())
        .args(["--exact", "runner::the_place_of_the_runner", "--nocapture"])
        .env(VARIABLE, file)
        .env("SECRET_OF_THE_PARENT", &machine.canary)
        .current_dir(machine.path("home"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = in_time(child);
    let all = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = all.split_once(BEGIN).and_then(|(_, rest)| rest.rsplit_once(END));
    Shown {
        text: said.map(|(said, _)| said.to_owned()).unwrap_or_default(),
        all: format!(
            "{all}\n{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            output.status
        ),
    }
}

/// A gateway that answers nobody.
#[derive(Default)]
struct Silent(Mutex<Option<UnixListener>>);

#[async_trait::async_trait]
impl RunGateway for Silent {
    async fn open(&self, _: &Arc<RunPlan>, socket: &Path) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = Some(UnixListener::bind(socket)?);
        Ok(())
    }

    async fn close(&self, _: RunUid) {
        self.0.lock().unwrap().take();
    }
}

/// Keeps what the runner's place wrote to its standard error.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl LocalEvents for Said {
    fn on(&self, _: RunUid, event: LocalEvent) {
        let line = match event {
            LocalEvent::Ended {
                process: LocalProcess::Runner,
                complaint,
                ..
            } => complaint,
            LocalEvent::Fault(fault) => format!("fault: {fault}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

/// Makes one attempt when this program was started for that; otherwise shows that the place exists.
#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_the_runner() {
    let Some(file) = std::env::var_os(VARIABLE) else {
        return;
    };
    let attempt: Attempt = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let part = |name: &str| LocalProgram::new(&attempt.sympozium, ["internal", name]);
    let script = format!("exec 3>&2; ( {} ) 1>&3 2>&3", attempt.script);
    let programs = LocalPrograms {
        runner: LocalProgram::new("/bin/sh", ["-c", &script, "attacker"]),
        toolbox: part("toolbox"),
        sandbox: part("sandbox"),
    };
    let mut settings = LocalSettings::new(&attempt.root, programs);
    settings.isolation = LocalIsolation::Full;
    let said = Arc::new(Said::default());
    let executor = LocalExecutor::new(settings, Arc::new(Silent::default())).events(said.clone());
    let mut plan = run_plan("Try it.");
    plan.sandbox = Some(SandboxPlan::default());
    executor.ensure(&plan).await.unwrap();
    let mut seen = Observed::Nothing;
    while !matches!(seen, Observed::Finished { .. }) {
        seen = executor.changed(plan.run.uid, &seen).await.unwrap();
    }
    executor.shutdown().await.unwrap();
    println!("{BEGIN}{}{END}", said.0.lock().unwrap().join("\n"));
}
