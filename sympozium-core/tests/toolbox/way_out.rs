//! The gateway's proxy for commands, and copies for the record.

use crate::{Bench, command};
use serde_json::Value;
use std::fs;
use sympozium_core::ipc::ExecRequest;
use sympozium_core::run::pod_contract::GatewayAccess;
use sympozium_core::toolbox::{Toolbox, ToolboxError};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.canary-of-the-token";

fn with_proxy() -> Bench {
    let mut bench = Bench::new();
    fs::write(bench.at("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(bench.at("ca.crt"), "OUR CERTIFICATE\n").unwrap();
    bench.config.proxy = Some(GatewayAccess {
        url: "https://gateway:8443".parse().unwrap(),
        token_file: bench.at("token"),
        ca_file: bench.at("ca.crt"),
    });
    bench
}

#[tokio::test]
async fn a_command_has_a_way_out_by_the_token_of_the_moment() {
    let bench = with_proxy();
    let working = bench.start();
    let length = command(
        "1",
        "printf %s \"$HTTPS_PROXY\" | wc -c; tail -n 1 \"$SSL_CERT_FILE\"",
    );
    let whole = format!("https://token:{TOKEN}@gateway:8443").len();
    let first = bench.ask(&length).await;
    let mut lines = first.stdout.lines().map(str::trim);
    assert_eq!(lines.next(), Some(whole.to_string().as_str()), "{first:?}");
    assert_eq!(lines.next(), Some("OUR CERTIFICATE"));
    fs::write(bench.at("token"), "a-shorter-token").unwrap();
    let request = ExecRequest {
        id: command("2", "").id,
        ..length
    };
    let second = bench.ask(&request).await.stdout;
    let shorter = "https://token:a-shorter-token@gateway:8443".len().to_string();
    assert_eq!(second.lines().next().map(str::trim), Some(shorter.as_str()));
    fs::remove_file(bench.at("token")).unwrap();
    let refused = bench.ask(&command("3", "echo on")).await;
    assert!(refused.refused.unwrap().contains("there is no such file"));
    working.end().await;
}

#[tokio::test]
async fn the_token_is_in_no_result_whatever_shows_it() {
    let bench = with_proxy();
    let working = bench.start();
    let shown = [
        ("env", "https://token:[redacted]@gateway:8443"),
        ("env >&2", "https://token:[redacted]@gateway:8443"),
        ("cat ../token", "[redacted]"),
        (
            "printf 'token:%s' \"$(tr -d '\\n' < ../token)\" | base64 -w 0",
            "[redacted]",
        ),
        // Only a beginning of it is kept.
        (
            "head -c 51170 /dev/zero | tr '\\0' x; printf %s \"$HTTPS_PROXY\"",
            "https://token:[redacted]",
        ),
    ];
    for (n, (script, expected)) in shown.iter().enumerate() {
        let result = bench.ask(&command(&n.to_string(), script)).await;
        let all = serde_json::to_string(&result).unwrap();
        assert!(
            result.stdout.contains(expected) || result.stderr.contains(expected),
            "{script}: {all}"
        );
        assert!(
            !all.contains("canary") && !all.contains("eyJhbG"),
            "{script}: {all}"
        );
    }
    working.end().await;
    let kept = fs::read_dir(bench.at("state")).unwrap().flatten();
    for file in kept {
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn without_a_proxy_a_command_has_nothing_but_its_own_environment() {
    let bench = Bench::new();
    let result = bench.once(&command("1", "env")).await;
    assert!(
        !result.stdout.contains("PROXY") && !result.stdout.contains("SSL_CERT"),
        "{result:?}"
    );
}

#[tokio::test]
async fn an_executor_that_cannot_trust_its_gateway_does_not_start() {
    let bench = with_proxy();
    fs::remove_file(bench.at("ca.crt")).unwrap();
    let toolbox = Toolbox::new(bench.config.clone()).with_tmp(bench.at("work"));
    let ended = toolbox.run(CancellationToken::new()).await;
    assert!(matches!(ended, Err(ToolboxError::Proxy(_))), "{ended:?}");
}

#[tokio::test]
async fn copies_for_the_record_stay_when_request_and_result_are_gone() {
    let bench = Bench::new();
    let working = bench.start_recording();
    let request = command("r1", "echo said; exit 3");
    assert_eq!(bench.ask(&request).await.exit_code, 3);
    working.end().await;
    let read = |name: &str| -> Value {
        let bytes = fs::read(bench.at("tools/record").join(name)).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(read("exec-request-r1.json")["command"], "echo said; exit 3");
    assert_eq!(read("exec-result-r1.json")["exitCode"], 3);
    assert!(!bench.at("tools/exec-result-r1.json").exists());
}

#[tokio::test]
async fn a_command_waits_until_former_ones_are_on_record() {
    let bench = Bench::new();
    let record = bench.at("tools/record");
    fs::create_dir(&record).unwrap();
    for n in 0..1000 {
        fs::write(record.join(format!("exec-result-{n}.json")), "{}").unwrap();
    }
    let working = bench.start_recording();
    bench.hand_over(&command("1", "touch executed"));
    let waited = tokio::time::timeout(std::time::Duration::from_millis(300), async {
        while !bench.at("work/executed").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    assert!(
        waited.await.is_err(),
        "nothing is executed that can't be recorded"
    );
    fs::remove_file(record.join("exec-result-0.json")).unwrap();
    bench.file("tools/exec-result-1.json").await;
    working.end().await;
}
