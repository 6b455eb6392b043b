//! Checks of what runs on the node.

use anyhow::Context;

use super::kubectl::{contains, equals, refused};
use super::{Check, Smoke};

pub(super) const CHECKS: &[Check] = &[
    ("Job with a native sidecar Complete", job_completes),
    ("logs; a ConfigMap as a volume", config_map_is_read),
    ("the sidecar was there first", sidecar_started_first),
    ("the sidecar was told to end", sidecar_was_ended),
    ("no root, no capability, no new privileges, seccomp", confined),
    ("the root file system is read-only", root_is_read_only),
    (
        "a projected token is good for its audience",
        token_for_its_audience,
    ),
    (
        "a projected token is good for no other",
        token_for_another_audience,
    ),
    ("a pod that takes too much memory is killed", out_of_memory),
    ("Job with a wrong exit code Failed", failed_job),
    ("Job past its deadline Failed", late_job),
    ("exec: output and exit code", exec_reports_exit_code),
    ("exec: input", exec_takes_input),
    ("Job on a node of kwok's Complete", kwok_job),
];

const RESTRICTED: &str = "smoke-restricted";

fn log(smoke: &Smoke, container: &str) -> anyhow::Result<String> {
    smoke.kubectl.run(&[
        "--namespace",
        RESTRICTED,
        "logs",
        "job/run",
        "--container",
        container,
    ])
}

fn job_completes(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait(RESTRICTED, "condition=Complete", &["job/run"])
}

fn config_map_is_read(smoke: &Smoke) -> anyhow::Result<()> {
    contains(&log(smoke, "main")?, "greeting: hello from a ConfigMap")
}

fn sidecar_started_first(smoke: &Smoke) -> anyhow::Result<()> {
    contains(&log(smoke, "main")?, "beside: sidecar")
}

fn sidecar_was_ended(smoke: &Smoke) -> anyhow::Result<()> {
    contains(&log(smoke, "sidecar")?, "sidecar: was told to end")
}

fn confined(smoke: &Smoke) -> anyhow::Result<()> {
    let said = log(smoke, "main")?;
    for part in [
        "user: 1000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapEff:\t0000000000000000",
    ] {
        contains(&said, part)?;
    }
    Ok(())
}

fn root_is_read_only(smoke: &Smoke) -> anyhow::Result<()> {
    contains(&log(smoke, "main")?, "root: read-only")
}

/// What the API server thinks of the Job's token.
fn review(smoke: &Smoke, audience: &str) -> anyhow::Result<String> {
    let said = log(smoke, "main")?;
    let token = said
        .lines()
        .find_map(|line| line.strip_prefix("token: "))
        .context("the Job printed no token")?;
    let review = format!(
        "{{apiVersion: authentication.k8s.io/v1, kind: TokenReview, spec: {{token: {token}, audiences: [{audience}]}}}}"
    );
    let path = "--output=jsonpath={.status.authenticated} {.status.user.username}";
    smoke.kubectl.run_with(&["create", "--filename=-", path], &review)
}

fn token_for_its_audience(smoke: &Smoke) -> anyhow::Result<()> {
    equals(
        &review(smoke, "smoke")?,
        "true system:serviceaccount:smoke-restricted:default",
    )
}

fn token_for_another_audience(smoke: &Smoke) -> anyhow::Result<()> {
    equals(&review(smoke, "other")?, "")
}

fn out_of_memory(smoke: &Smoke) -> anyhow::Result<()> {
    smoke
        .kubectl
        .wait("smoke", "jsonpath={.status.phase}=Failed", &["pod/greedy"])?;
    let path = "{.status.containerStatuses[0].state.terminated.reason}";
    equals(&smoke.kubectl.field("smoke", "pod/greedy", path)?, "OOMKilled")
}

fn failed(smoke: &Smoke, job: &str, reason: &str) -> anyhow::Result<()> {
    smoke.kubectl.wait("smoke", "condition=Failed", &[job])?;
    let path = "{.status.conditions[?(@.type==\"Failed\")].reason}";
    equals(&smoke.kubectl.field("smoke", job, path)?, reason)
}

fn failed_job(smoke: &Smoke) -> anyhow::Result<()> {
    failed(smoke, "job/failing", "BackoffLimitExceeded")
}

fn late_job(smoke: &Smoke) -> anyhow::Result<()> {
    failed(smoke, "job/late", "DeadlineExceeded")
}

fn exec_reports_exit_code(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait("smoke", "condition=Ready", &["pod/client"])?;
    equals(&smoke.kubectl.shell("smoke", "client", "hostname")?, "client")?;
    refused(smoke.kubectl.shell("smoke", "client", "exit 7"), "exit code 7")
}

fn exec_takes_input(smoke: &Smoke) -> anyhow::Result<()> {
    let words = ["--namespace=smoke", "exec", "--stdin", "client", "--", "wc", "-c"];
    equals(&smoke.kubectl.run_with(&words, "12345")?, "5")
}

fn kwok_job(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait("smoke", "condition=Complete", &["job/fake"])?;
    equals(
        &smoke.kubectl.field("smoke", "job/fake", "{.status.succeeded}")?,
        "10",
    )
}
