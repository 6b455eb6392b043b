//! Whole runs that are kept apart from this machine.

mod refusals;

use crate::by_hand::in_time;
use crate::isolated_bench::{ALL, Bench, PROGRAMS, command, groups, holder, is_root, kill, processes, until};
use crate::local::{asks, plan, word_count};
use crate::model::{Model, Says};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use sympozium_core::ids::PackName;
use sympozium_core::local::{LocalEvent, LocalExecutor, LocalProcess, LocalWorkspace};
use sympozium_core::run::{MemoryPlan, Observed, ResultStatus, RunExecutor, RunPlan};

/// An ordinary user whom no account has.
const USER: u32 = 54321;
/// The variable that names the root of runs, for the child that is killed.
const ROOT: &str = "ISOLATED_TEST_ROOT";
/// A command that goes on until it is ended, whatever it is asked.
const FOR_EVER: &str = "trap '' TERM HUP; while :; do sleep 0.01; done";

fn toolbox() -> LocalProcess {
    LocalProcess::Toolbox(PackName::new("sandbox").unwrap())
}

fn copy(from: &Path, to: &Path) {
    // By another process: a file that this one had open for writing could not be started while a thread forks.
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// All tests of this folder once more, as somebody without rights.
#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    if !is_root() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("si-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, built) in ALL {
        copy(Path::new(built), &folder.path().join(name));
    }
    let (tests, own) = (folder.path().join("tests"), folder.path().join("t"));
    copy(&std::env::current_exe().unwrap(), &tests);
    fs::create_dir(&own).unwrap();
    chown(&own, Some(USER), Some(USER)).unwrap();
    let user = USER.to_string();
    let output = Command::new("setpriv")
        .args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"])
        .arg(&tests)
        .args(["isolated::", "--nocapture", "--test-threads=2"])
        .env(PROGRAMS, folder.path())
        .env("TMPDIR", &own)
        .current_dir(&own)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{out}");
    assert!(output.status.success(), "{out}\n{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_works_with_files_commands_typed_tools_skills_and_memory() {
    let turns = vec![
        Says::Calls(vec![(
            "write_file",
            json!({"path": "/workspace/a/text.md", "content": "three short words\n"}),
        )]),
        Says::Calls(vec![
            ("count_words", json!({"path": "a/text.md"})),
            (
                "execute_command",
                json!({"command": "cat a/text.md; echo $FLAVOUR; cat /skills/words/how.md", "target": "words"}),
            ),
            (
                "execute_command",
                json!({"command": "pwd; id -u; cat /run/sympozium/* /ipc/* 2>/dev/null; exit 3", "target": "sandbox"}),
            ),
            ("read_file", json!({"path": "/skills/words/how.md"})),
            (
                "write_file",
                json!({"path": "/skills/words/how.md", "content": "x"}),
            ),
            ("read_file", json!({"path": "a/text.md"})),
        ]),
        Says::Words("Done. \n__SYMPOZIUM_MEMORY__\n## Words\nthree\n__SYMPOZIUM_MEMORY_END__"),
    ];
    let Some(bench) = Bench::saying(turns) else { return };
    let mut plan = plan();
    plan.skills = vec![word_count()];
    plan.memory = Some(MemoryPlan { max_bytes: 4096 });
    let result = bench.run(&plan).await;
    let extracted = sympozium_core::memory::extract(&result.response);
    assert_eq!(extracted.memory.as_deref(), Some("## Words\nthree"));
    let results = bench.tool_results();
    assert_eq!(results[1], "3 a/text.md");
    assert_eq!(
        results[2],
        "three short words\nplain\nCount words with count_words."
    );
    assert_eq!(results[3], "/workspace\n1000\n[exit code 3]");
    assert_eq!(results[4], "Count words with count_words.");
    assert!(results[5].contains("read-only"), "{}", results[5]);
    assert_eq!(results[6].trim_end(), "three short words");
    assert_eq!(bench.faults(), Vec::<String>::new());
    bench.check_nothing_is_left(plan.run.uid).await;
}

/// A folder of the user's with a file in it, and an executor for it.
fn given(read_only: bool, turns: Vec<Says>) -> Option<(tempfile::TempDir, Bench)> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    if is_root() {
        // Somebody else's than whoever starts the run.
        for path in [folder.path().to_owned(), folder.path().join("mine.txt")] {
            chown(path, Some(USER), Some(USER)).unwrap();
        }
    }
    let dir = folder.path().to_owned();
    let bench = Bench::with(Model::new(turns), |settings| {
        settings.workspace = LocalWorkspace::Given { dir, read_only };
    });
    bench.map(|bench| (folder, bench))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_makes_in_a_given_workspace_belongs_to_the_owner_of_the_workspace() {
    let turns = vec![
        Says::Calls(vec![
            command(
                "cat mine.txt; echo; cp /bin/true t; chmod u+s t 2>/dev/null || echo refused; rm t; mkdir -p made; echo by-command > made/one; echo more >> mine.txt",
            ),
            ("write_file", json!({"path": "made/two", "content": "by-tool"})),
        ]),
        Says::Words("Done."),
    ];
    let Some((folder, bench)) = given(false, turns) else {
        return;
    };
    let owner = fs::metadata(folder.path().join("mine.txt")).unwrap();
    let plan = plan();
    bench.run(&plan).await;
    bench.check_nothing_is_left(plan.run.uid).await;
    assert_eq!(bench.tool_results()[0], "mine\nrefused");
    for (name, holds) in [
        ("made/one", "by-command\n"),
        ("made/two", "by-tool"),
        ("mine.txt", "minemore\n"),
    ] {
        let path = folder.path().join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), holds);
        let data = fs::metadata(&path).unwrap();
        assert_eq!((data.uid(), data.gid()), (owner.uid(), owner.gid()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_workspace_that_is_read_only_is_that_for_commands_and_file_tools() {
    let turns = vec![
        Says::Calls(vec![
            command("cat mine.txt; echo x > new || echo refused; echo x >> mine.txt || echo refused"),
            ("write_file", json!({"path": "new", "content": "x"})),
            ("read_file", json!({"path": "mine.txt"})),
        ]),
        Says::Words("Done."),
    ];
    let Some((folder, bench)) = given(true, turns) else {
        return;
    };
    bench.run(&plan()).await;
    let results = bench.tool_results();
    assert_eq!(results[0].matches("refused").count(), 2, "{}", results[0]);
    assert!(results[1].contains("read-only"), "{}", results[1]);
    assert_eq!(results[2], "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(
        fs::read_to_string(folder.path().join("mine.txt")).unwrap(),
        "mine"
    );
}

/// A run that has executed a command, and whose model thinks about the next thing to say.
async fn under_way(next: Says) -> Option<(Bench, RunPlan)> {
    let turns = vec![Says::Calls(vec![command("echo up")]), next, Says::Words("Done.")];
    let bench = Bench::new(Model::held_back(turns, 1))?;
    let plan = plan();
    bench.executor.ensure(&plan).await.unwrap();
    in_time("the question", bench.model.wait_for_question(2)).await;
    Some((bench, plan))
}

/// A run in the midst of a command that does not end by itself.
async fn in_a_command() -> Option<(Bench, RunPlan)> {
    let (bench, plan) = under_way(Says::Calls(vec![command(FOR_EVER)])).await?;
    bench.model.go_on();
    until("the command runs", || runs_for_ever(&plan)).await;
    Some((bench, plan))
}

fn runs_for_ever(plan: &RunPlan) -> bool {
    let all = processes(plan.run.uid);
    all.iter().any(|one| one.line.contains("sleep 0.01"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_holder_is_killed_ends_and_says_why() {
    let Some((bench, plan)) = in_a_command().await else {
        return;
    };
    kill(holder(plan.run.uid));
    let (exit_code, result) = bench.end_of(&plan).await;
    let result = result.unwrap();
    assert_eq!((exit_code, result.status), (1, ResultStatus::Error));
    let error = result.error.unwrap();
    assert!(error.contains("process that keeps the run's mailbox"), "{error}");
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_whose_launcher_is_killed_is_started_again() {
    let Some((bench, plan)) = under_way(Says::Calls(vec![command("echo again")])).await else {
        return;
    };
    let first = bench.launcher(&toolbox());
    kill(first);
    until("it is started again", || bench.launcher(&toolbox()) != first).await;
    bench.model.go_on();
    bench.model.go_on();
    assert_eq!(bench.end_of(&plan).await.0, 0);
    assert_eq!(bench.tool_results(), ["up", "again"]);
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_agents_launcher_is_killed_ends_with_its_commands() {
    let Some((bench, plan)) = in_a_command().await else {
        return;
    };
    kill(bench.launcher(&LocalProcess::Runner));
    let (exit_code, result) = bench.end_of(&plan).await;
    assert_eq!((exit_code, result), (137, None));
    assert!(
        processes(plan.run.uid).is_empty(),
        "they end before the run's end is told"
    );
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_says_so_within_its_grace() {
    let Some((bench, plan)) = in_a_command().await else {
        return;
    };
    let asked = Instant::now();
    bench.executor.cancel(plan.run.uid).await.unwrap();
    let (exit_code, result) = bench.end_of(&plan).await;
    assert_eq!(exit_code, 130);
    assert_eq!(result.unwrap().error.as_deref(), Some("the run was cancelled"));
    // Grace is ten seconds, which the agent does not need; an executor may take three.
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_ends_with_all_of_its_processes() {
    let Some((bench, plan)) = in_a_command().await else {
        return;
    };
    bench.executor.kill(plan.run.uid).await;
    assert!(processes(plan.run.uid).is_empty());
    let seen = bench.executor.observe(plan.run.uid).await.unwrap();
    // It is not asked, but may just have seen the end of its input.
    assert!(
        matches!(seen, Observed::Finished { exit_code, .. } if exit_code != 0),
        "{seen:?}"
    );
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_once_do_not_see_each_other() {
    let first = [
        Says::Calls(vec![command(
            "touch /workspace/canary /tmp/canary; sleep 0.001 & echo up",
        )]),
        Says::Words("Done."),
    ];
    let Some(bench) = Bench::new(Model::held_back(first.to_vec(), 1)) else {
        return;
    };
    let (one, two) = (plan(), plan());
    bench.executor.ensure(&one).await.unwrap();
    in_time("the question", bench.model.wait_for_question(2)).await;
    let look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; find /workspace /tmp /ipc /state -name '*can[a]ry*' 2>/dev/null; echo seen";
    let turns = vec![Says::Calls(vec![command(look)]), Says::Words("Done.")];
    let root = bench.root();
    let other = Bench::with(Model::held_back(turns, 1), |settings| settings.root = root).unwrap();
    other.executor.ensure(&two).await.unwrap();
    in_time("the question", other.model.wait_for_question(2)).await;
    let seen = other.tool_results().remove(0);
    assert!(seen.ends_with("seen") && !seen.contains("canary"), "{seen}");
    assert!(!seen.contains("--hold") && !seen.contains("runner"), "{seen}");
    if is_root() {
        let users = |plan: &RunPlan| -> Vec<u32> {
            let all = processes(plan.run.uid).into_iter().map(|one| one.user);
            all.filter(|user| *user != 0).collect()
        };
        let (ours, theirs) = (users(&one), users(&two));
        assert!(!ours.is_empty() && !theirs.is_empty());
        assert!(
            ours.iter().all(|user| !theirs.contains(user)),
            "{ours:?} {theirs:?}"
        );
    }
    for bench in [&bench, &other] {
        bench.model.go_on();
    }
    assert_eq!((bench.end_of(&one).await.0, other.end_of(&two).await.0), (0, 0));
    bench.check_nothing_is_left(one.run.uid).await;
    other.executor.shutdown().await.unwrap();
}

/// Begins a run and waits to be killed, when this program was started for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let turns = vec![Says::Calls(vec![command(FOR_EVER)])];
    let bench = Bench::with(Model::new(turns), |settings| settings.root = root.into()).unwrap();
    bench.executor.ensure(&plan()).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_on_when_the_program_is_killed_and_a_sweep_takes_the_rest() {
    if Bench::saying(vec![]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("r");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "isolated::a_program_that_is_killed", "--nocapture"])
        .env(ROOT, &root)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let run = || {
        let entries = fs::read_dir(&root).ok()?.flatten();
        let mut names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        names.next()
    };
    until("the run's folder is there", || run().is_some()).await;
    let (run, mut plan) = (run().unwrap(), plan());
    plan.run.uid = run;
    until("the command runs", || runs_for_ever(&plan)).await;
    assert_eq!(
        LocalExecutor::sweep(&root).unwrap().removed.len(),
        0,
        "its owner lives"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    until("all processes have ended", || processes(run).is_empty()).await;
    let swept = LocalExecutor::sweep(&root).unwrap();
    assert_eq!(swept.removed, [root.join(run.to_string())]);
    assert!(swept.left.is_empty() && groups(run).is_empty(), "{swept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_approves_is_executed_and_nothing_else() {
    let turns = vec![
        Says::Calls(vec![command("echo fine"), command("rm everything")]),
        Says::Words("Done."),
    ];
    let Some(bench) = Bench::saying(turns) else { return };
    bench.run(&asks("execute_command")).await;
    let results = bench.tool_results();
    assert_eq!(results[0], "fine");
    assert!(
        results[1].contains("not approved. That is too much."),
        "{}",
        results[1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_uses_up_the_runs_memory_is_told() {
    let turns = vec![
        Says::Calls(vec![command("head -c 600M /dev/zero | tail >/dev/null")]),
        Says::Words("Done."),
    ];
    let bench = Bench::with(Model::new(turns), |settings| settings.limits.memory = 256 << 20);
    let Some(bench) = bench else { return };
    if !bench.walls.counted.is_some_and(|counts| counts.memory) {
        println!("skipped: no cgroup counts memory here");
        return;
    }
    let plan = plan();
    bench.executor.ensure(&plan).await.unwrap();
    bench.end_of(&plan).await;
    let faults = bench.faults();
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("used all of its memory")),
        "{faults:?}"
    );
    bench.check_nothing_is_left(plan.run.uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_ensure_a_run_twice_is_to_have_it_once() {
    let turns = vec![
        Says::Calls(vec![command("echo once >> log; cat log")]),
        Says::Words("Done."),
    ];
    let Some(bench) = Bench::saying(turns) else { return };
    let plan = plan();
    let (one, two) = tokio::join!(bench.executor.ensure(&plan), bench.executor.ensure(&plan));
    one.unwrap();
    two.unwrap();
    assert_eq!(bench.run(&plan).await.response, "Done.");
    assert_eq!(bench.tool_results(), ["once"]);
    let is_start = |event: &&LocalEvent| matches!(event, LocalEvent::Started { .. });
    assert_eq!(bench.events().iter().filter(is_start).count(), 2);
}
