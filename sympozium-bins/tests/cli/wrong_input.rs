//! Wrong input: one clear sentence, the right exit code, nothing lost.

use crate::machine::default_mode;
use crate::place::{Ended, Place};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

const POLICY: &str =
    "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumPolicy\nmetadata: {name: p}\nspec: {}\n";

/// A command line, its environment, the exit code, and what the sentence says.
struct Case<'a> {
    args: &'a str,
    environment: &'a [(&'a str, &'a str)],
    code: i32,
    says: &'a [&'a str],
}

fn files(place: &Place) {
    place.file("script.yaml", "turns: [{text: Done.}]\n");
    place.file("bad-script.yaml", "turns:\n  - txt: Done.\n");
    place.file("policy.yaml", POLICY);
    place.file("bad.yaml", "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: r}\nspec:\n  instanceRef: me\n  task: [\n");
    place.file(
        "unknown-field.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: r}\nspec:\n  instanceRef: me\n  taks: t\n",
    );
    place.file(
        "unknown-kind.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n",
    );
    place.file(
        "run.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: r}\nspec: {instanceRef: me, task: t}\n",
    );
    place.file(
        "long-name.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: Not_A_Name}\nspec: {instanceRef: me, task: t}\n",
    );
    place.file(
        "skill.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: s}\nspec: {skills: [{name: s, content: x, requires: {bins: [no-such-program-here]}}]}\n",
    );
    place.folder("empty");
}

fn run(place: &Place, case: &Case<'_>) -> Ended {
    let mut command = place.command();
    command.args(case.args.split_whitespace());
    command.envs(case.environment.iter().copied());
    Ended::of(command.output().unwrap())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row per case")]
fn everything_wrong_gets_one_sentence_and_its_exit_code() {
    let place = Place::new();
    files(&place);
    let none: &[(&str, &str)] = &[];
    let cases = [
        ("run", none, 2, &["TASK", "-f"][..]),
        (
            "run t",
            none,
            2,
            &["OPENAI_API_KEY", "Ollama", "--provider scripted --script FILE"],
        ),
        ("run --sandbox half t", none, 2, &["--sandbox", "half", "full"]),
        (
            "run --provider nonsense --model m t",
            none,
            2,
            &["no provider \"nonsense\"", "anthropic"],
        ),
        ("run --provider openai t", none, 2, &["OPENAI_API_KEY"]),
        ("run --provider anthropic t", none, 2, &["--model"]),
        (
            "run --provider anthropic --model m t",
            none,
            2,
            &["ANTHROPIC_API_KEY"],
        ),
        ("run --provider custom --model m t", none, 2, &["base URL"]),
        ("run --provider scripted t", none, 2, &["--script"]),
        (
            "run --script gone.yaml t",
            none,
            2,
            &["gone.yaml", "can't be read"],
        ),
        (
            "run --script bad-script.yaml t",
            none,
            2,
            &["line 2", "column", "txt"],
        ),
        (
            "run --script script.yaml --provider openai --model m t",
            none,
            2,
            &["scripted"],
        ),
        (
            "run --base-url nonsense --model m t",
            none,
            2,
            &["--base-url", "nonsense"],
        ),
        (
            "run --base-url http://u:p@127.0.0.1/ --model m t",
            none,
            2,
            &["must not hold a user name"],
        ),
        ("run -f bad.yaml --script script.yaml", none, 2, &["bad.yaml:"]),
        (
            "run -f unknown-field.yaml --script script.yaml",
            none,
            2,
            &["unknown-field.yaml:6:", "taks"],
        ),
        (
            "run -f unknown-kind.yaml --script script.yaml",
            none,
            2,
            &["v1 Pod", "AgentRun"],
        ),
        ("run -f gone.yaml --script script.yaml", none, 2, &["gone.yaml"]),
        ("run -f empty --script script.yaml", none, 2, &["empty", ".yaml"]),
        (
            "run -f policy.yaml --script script.yaml",
            none,
            2,
            &["no AgentRun"],
        ),
        ("run -f run.yaml --script script.yaml t", none, 2, &["not both"]),
        (
            "run -f long-name.yaml --script script.yaml",
            none,
            2,
            &["AgentRun Not_A_Name", "metadata.name"],
        ),
        (
            "run --script script.yaml --policy run.yaml t",
            none,
            2,
            &["no SympoziumPolicy"],
        ),
        (
            "run --script script.yaml --policy gone.yaml t",
            none,
            2,
            &["gone.yaml"],
        ),
        (
            "run --script script.yaml --skill policy.yaml t",
            none,
            2,
            &["no SkillPack"],
        ),
        (
            "run --script script.yaml --skill empty t",
            none,
            2,
            &["no .md file"],
        ),
        (
            "run --sandbox none --script script.yaml --skill skill.yaml t",
            none,
            2,
            &["no-such-program-here"],
        ),
        (
            "run --script script.yaml --workspace gone t",
            none,
            2,
            &["workspace gone"],
        ),
        (
            "run --script script.yaml --workspace policy.yaml t",
            none,
            2,
            &["not a folder"],
        ),
        (
            "run --script script.yaml --timeout soon t",
            none,
            2,
            &["--timeout", "soon"],
        ),
        (
            "run --script script.yaml --timeout 100h t",
            none,
            2,
            &["spec.timeout", "24h"],
        ),
        (
            "run --script script.yaml --instance Not_Fine t",
            none,
            2,
            &["--instance", "Not_Fine"],
        ),
        (
            "run --script script.yaml --prices policy.yaml t",
            none,
            2,
            &["policy.yaml"],
        ),
        ("run --script script.yaml --approve maybe t", none, 2, &["maybe"]),
        ("run --script script.yaml --nonsense t", none, 2, &["--nonsense"]),
        (
            "run --script script.yaml t",
            &[("DATABASE_URL", "mysql://u:canary@h/d")],
            2,
            &["DATABASE_URL"],
        ),
        (
            "run --script script.yaml t",
            &[("SYMPOZIUM_DATADIR", "/x")],
            2,
            &["SYMPOZIUM_DATADIR", "SYMPOZIUM_DATA_DIR"],
        ),
        (
            "run --script script.yaml t",
            &[("MEMORY_ENABLED", "perhaps")],
            2,
            &["MEMORY_ENABLED", "perhaps"],
        ),
        (
            "run --script script.yaml t",
            &[("OPENAI_BASE_URL", "ftp://h")],
            2,
            &["OPENAI_BASE_URL"],
        ),
        (
            "run --script script.yaml --log [nonsense t",
            none,
            2,
            &["log filter"],
        ),
        (
            "run --model gpt-x --provider openai -f run.yaml",
            &[("OPENAI_API_KEY", "line\nbreak-canary")],
            2,
            &["cannot be sent"],
        ),
        (
            "sessions show nonsense",
            none,
            2,
            &["no session \"nonsense\"", "sessions list"],
        ),
        ("sessions delete nonsense", none, 2, &["no session"]),
        ("sessions list --limit 0", none, 2, &["--limit"]),
        ("memory edit --from gone.md", none, 2, &["gone.md"]),
        (
            "memory edit",
            none,
            2,
            &["no terminal to edit on", "--from FILE", "EDITOR"],
        ),
        // A key of a server of one's own chooses no provider: it may be there for something else.
        ("run t", &[("API_KEY", "k")], 2, &["There is no model to ask"]),
        ("memory show --instance A/B/C", none, 2, &["--instance"]),
        ("policy check", none, 2, &["--filename"]),
        ("policy check -f bad.yaml", none, 2, &["bad.yaml:"]),
        (
            "gateway serve --listen 0.0.0.0:0 --script script.yaml",
            none,
            2,
            &["loopback"],
        ),
        (
            "gateway serve --listen nonsense --script script.yaml",
            none,
            2,
            &["nonsense"],
        ),
        (
            "gateway serve --script script.yaml",
            &[("SYMPOZIUM_GATEWAY_TOKEN", "short")],
            2,
            &["16 characters"],
        ),
        (
            "gateway serve --script script.yaml -f run.yaml",
            none,
            2,
            &["AgentRun"],
        ),
        ("gateway serve", none, 2, &["no model to ask"]),
        ("nonsense", none, 2, &["nonsense"]),
    ];
    for (args, environment, code, says) in cases {
        let case = Case {
            args,
            environment,
            code,
            says,
        };
        let ended = run(&place, &case);
        assert_eq!(ended.code, case.code, "{args}: {ended:?}");
        for part in case.says {
            assert!(ended.stderr.contains(part), "{args}: lacks {part:?}: {ended:?}");
        }
        assert_eq!(ended.stdout, "", "{args}");
        assert!(!ended.stderr.contains("canary"), "{args}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{args}: {ended:?}");
    }
}

#[test]
fn a_workspace_that_can_not_be_written_is_refused_unless_it_is_only_read() {
    let place = Place::new();
    let locked = place.folder("locked");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        // Whoever may write everywhere can't be kept out by permissions.
        std::fs::remove_file(locked.join("probe")).unwrap();
        return;
    }
    let script = "turns: [{text: Done.}]";
    let refused = place.play(script, &["--workspace", locked.to_str().unwrap()]);
    assert!(
        refused.check(2).stderr.contains("can't be written to"),
        "{refused:?}"
    );
    let read_only = format!("{}:ro", locked.display());
    place.play(script, &["--workspace", &read_only]).check(0);
}

#[test]
fn a_provider_that_does_not_answer_is_a_failure_that_names_it() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/v1");
    let ended = place.run(&[
        "run",
        "--sandbox",
        default_mode(),
        "--provider",
        "custom",
        "--base-url",
        &url,
        "--model",
        "m",
        "t",
    ]);
    ended.check(1);
    assert!(
        ended.stderr.contains("custom") || ended.stderr.contains(&port.to_string()),
        "{ended:?}"
    );
}

#[test]
fn a_database_server_that_does_not_answer_is_a_failure_without_its_password() {
    let place = Place::new();
    let url = "postgres://u:canary@127.0.0.1:1/d";
    let ended = place.run(&["sessions", "list", "--database-url", url]);
    assert!(
        ended.check(1).stderr.contains("The database in DATABASE_URL"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("canary"), "{ended:?}");
}

#[test]
fn a_data_folder_that_can_not_be_used_is_named() {
    let place = Place::new();
    let file = place.file("file", "");
    let script = place.file("s.yaml", "turns: [{text: Done.}]");
    let data = file.join("below");
    let ended = place.run(&[
        "run",
        "--sandbox",
        "none",
        "--script",
        script.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
        "t",
    ]);
    assert!(
        ended.check(1).stderr.contains(data.to_str().unwrap()),
        "{ended:?}"
    );
}
