//! What the small programs have given up before they read anything.
#![cfg(all(target_os = "linux", feature = "runner"))]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn an_agent_gives_up_starting_programs_before_it_reads_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody ever writes to it, so the agent waits for its configuration.
    let config = folder.path().join("config");
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    let mut agent = Command::new(env!("CARGO_BIN_EXE_sympozium-runner"))
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", agent.id());
    let until = Instant::now() + Duration::from_mins(1);
    let mut held = false;
    while !held && Instant::now() < until {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        held = text.contains("Seccomp:\t2") && text.contains("NoNewPrivs:\t1");
        std::thread::yield_now();
    }
    let waits = agent.try_wait().unwrap().is_none();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(held && waits, "held: {held}, waits: {waits}");
}
