//! Commands of somebody else's: their codes, their ends, what they are given. In process ids of their own.

use crate::confined::{alone, is_alone, left_behind};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use sympozium_core::run::pod_contract::GatewayAccess;
use sympozium_core::toolbox::{WithToken, prepare_process};
use tokio_util::sync::CancellationToken;

fn shell(script: &str) -> WithToken {
    WithToken {
        command: ["/bin/sh", "-c", script].map(OsString::from).to_vec(),
        access: None,
        timeout: None,
    }
}

/// Waits for a file that a command makes when it is ready.
async fn ready(file: &Path) {
    let late = Instant::now() + Duration::from_mins(1);
    while !file.exists() {
        assert!(Instant::now() < late, "{} is made", file.display());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn a_command_ends_with_its_own_code_and_nothing_of_it_is_left() {
    alone("with_token::ends", false);
    alone("with_token::ends", true);
}

#[tokio::test]
async fn ends() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let never = CancellationToken::new();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
        ("setsid sleep 1000 & exit 5", 5),
        (
            "trap '' TERM; setsid sh -c 'setsid sleep 1000 & sleep 1000' & exit 6",
            6,
        ),
    ] {
        let begun = Instant::now();
        assert_eq!(shell(script).run(&never).await.unwrap(), code, "{script}");
        assert_eq!(left_behind(), 0, "{script}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{script}: {:?}",
            begun.elapsed()
        );
    }
    for (command, code) in [("/no/such/program", 127), ("/etc/passwd", 126)] {
        let mut work = shell("");
        work.command = vec![command.into()];
        assert_eq!(work.run(&never).await.unwrap_err().code(), code, "{command}");
    }
}

#[test]
fn whatever_loses_its_parent_is_reaped() {
    alone("with_token::reaps", false);
    alone("with_token::reaps", true);
}

#[tokio::test]
async fn reaps() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let orphans = "for n in 1 2 3 4 5 6 7 8 9; do (sleep 0.02 &) ; done";
    let zombies = "cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.*Z'";
    let counted = folder.path().join("count");
    // They are reaped as they end, so the last look finds none.
    let script = format!(
        "{orphans}; n=0; while [ $n -lt 500 ]; do n=$((n+1)); sleep 0.02; {zombies} > {0}; [ $n -gt 5 ] && grep -q '^0$' {0} && exit 0; done; exit 1",
        counted.display()
    );
    let code = shell(&script).run(&CancellationToken::new()).await.unwrap();
    assert_eq!(code, 0, "{:?}", fs::read_to_string(&counted));
}

#[test]
fn a_command_that_is_stopped_may_end_itself_and_else_is_killed_in_time() {
    alone("with_token::stops", false);
    alone("with_token::stops", true);
}

#[tokio::test]
async fn stops() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (n, (trap, code)) in [("exit 9", 9), ("", 137)].into_iter().enumerate() {
        let file = folder.path().join(n.to_string());
        let script = format!(
            "trap '{trap}' TERM; setsid sleep 1000 & touch {}; while :; do sleep 0.05; done",
            file.display()
        );
        let stop = CancellationToken::new();
        let stopping = async {
            ready(&file).await;
            stop.cancel();
            Instant::now()
        };
        let (ended, asked) = tokio::join!(shell(&script).run(&stop), stopping);
        assert_eq!(ended.unwrap(), code, "{trap}");
        assert_eq!(left_behind(), 0, "{trap}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
}

#[test]
fn a_command_whose_time_is_up_ends_with_the_code_that_says_so() {
    alone("with_token::time_is_up", true);
}

#[tokio::test]
async fn time_is_up() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let mut work = shell("setsid sleep 1000 & sleep 1000");
    work.timeout = Some(Duration::from_millis(200));
    assert_eq!(work.run(&CancellationToken::new()).await.unwrap(), 4);
    assert_eq!(left_behind(), 0);
}

#[test]
fn a_command_gets_what_clients_of_openai_look_for() {
    alone("with_token::is_given", true);
}

#[tokio::test]
async fn is_given() {
    if !is_alone() {
        return;
    }
    prepare_process().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("token"), "the-token\n").unwrap();
    let mut work = shell(&format!("env > {}", at("env").display()));
    work.access = Some(GatewayAccess {
        url: "https://gateway:8443".parse().unwrap(),
        token_file: at("token"),
        ca_file: "/etc/ca.crt".into(),
    });
    let again = work.clone();
    assert_eq!(work.run(&CancellationToken::new()).await.unwrap(), 0);
    let env = fs::read_to_string(at("env")).unwrap();
    for line in [
        "OPENAI_API_KEY=the-token",
        "OPENAI_BASE_URL=https://gateway:8443/v1",
        "SSL_CERT_FILE=/etc/ca.crt",
        "REQUESTS_CA_BUNDLE=/etc/ca.crt",
        "NODE_EXTRA_CA_CERTS=/etc/ca.crt",
    ] {
        assert!(env.lines().any(|found| found == line), "{line}: {env}");
    }
    // This process's own environment holds no token.
    assert!(std::env::vars_os().all(|(_, value)| value != "the-token"));
    fs::remove_file(at("token")).unwrap();
    assert_eq!(again.run(&CancellationToken::new()).await.unwrap_err().code(), 1);
}
