//! Checks of our images on the node: containerd takes them, and what is in them runs as nobody in particular.
//!
//! Entry: [`images`]. Objects are in `test/cluster/images`.

use std::path::PathBuf;
use std::time::Instant;

use super::super::load;
use super::super::place::Place;
use super::kubectl::{contains, equals, refused};
use super::{Check, Report, Smoke, clean};

const NAMESPACE: &str = "smoke-images";

const NAMESPACE_YAML: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: smoke-images, labels: \
     {sympozium.ai/smoke: 'true', pod-security.kubernetes.io/enforce: restricted}}}";

/// Images that are checked together, by their names, their objects, and what holds for them.
struct Group {
    images: &'static [&'static str],
    objects: &'static str,
    checks: &'static [Check],
}

const GROUPS: &[Group] = &[
    Group {
        images: &["runner", "bridge", "toolbox"],
        objects: include_str!("../../../../test/cluster/images/programs.yaml"),
        checks: &[
            (
                "image bridge: its toolbox runs in any other",
                toolbox_is_installed,
            ),
            ("images runner and bridge start their programs", programs_start),
        ],
    },
    Group {
        images: &["skill-k8s-ops"],
        objects: include_str!("../../../../test/cluster/images/skill-k8s-ops.yaml"),
        checks: &[("image skill-k8s-ops has its tools", tools_are_there)],
    },
    Group {
        images: &["nats"],
        objects: include_str!("../../../../test/cluster/images/nats.yaml"),
        checks: &[("image nats serves streams", nats_is_ready)],
    },
    Group {
        images: &["postgres"],
        objects: include_str!("../../../../test/cluster/images/postgres.yaml"),
        checks: &[
            ("image postgres makes a database and answers", postgres_answers),
            (
                "image postgres asks for the password",
                postgres_wants_the_password,
            ),
        ],
    },
];

/// Loads images, each a name and a file, and checks those groups that are complete.
pub(crate) fn images(place: &Place, images: &[(&str, PathBuf)]) -> anyhow::Result<Report> {
    let smoke = Smoke::of(place)?;
    clean(&smoke)?;
    let files: Vec<PathBuf> = images.iter().map(|(_, file)| file.clone()).collect();
    load::images(place, &files)?;
    let is_there = |name: &&str| images.iter().any(|(found, _)| found == name);
    let groups: Vec<&Group> = GROUPS
        .iter()
        .filter(|group| group.images.iter().all(&is_there))
        .collect();
    let objects: Vec<&str> = groups.iter().map(|group| group.objects).collect();
    smoke.kubectl.apply(NAMESPACE_YAML)?;
    smoke.kubectl.apply(&objects.join("\n---\n"))?;
    let mut report = Report::default();
    for (name, check) in groups.iter().flat_map(|group| group.checks) {
        let start = Instant::now();
        let result = check(&smoke);
        report.add(name, start, result);
    }
    clean(&smoke)?;
    Ok(report)
}

fn log(smoke: &Smoke, pod: &str, container: &str) -> anyhow::Result<String> {
    smoke
        .kubectl
        .run(&["--namespace", NAMESPACE, "logs", pod, "--container", container])
}

fn ends(smoke: &Smoke, pod: &str, phase: &str) -> anyhow::Result<()> {
    let condition = format!("jsonpath={{.status.phase}}={phase}");
    smoke.kubectl.wait(NAMESPACE, &condition, &[pod])
}

fn toolbox_is_installed(smoke: &Smoke) -> anyhow::Result<()> {
    ends(smoke, "pod/toolbox", "Failed")?;
    let said = log(smoke, "pod/toolbox", "shell")?;
    for part in [
        "started by process 1",
        "both images hold the same toolbox",
        "made by 1000",
    ] {
        contains(&said, part)?;
    }
    let path = "{.status.containerStatuses[0].state.terminated.exitCode}";
    equals(&smoke.kubectl.field(NAMESPACE, "pod/toolbox", path)?, "7")
}

fn programs_start(smoke: &Smoke) -> anyhow::Result<()> {
    ends(smoke, "pod/alone", "Failed")?;
    let path = "{.status.containerStatuses[*].state.terminated.exitCode}";
    equals(&smoke.kubectl.field(NAMESPACE, "pod/alone", path)?, "2 2")?;
    for container in ["runner", "bridge"] {
        contains(&log(smoke, "pod/alone", container)?, "is missing")?;
    }
    Ok(())
}

fn tools_are_there(smoke: &Smoke) -> anyhow::Result<()> {
    ends(smoke, "pod/tools", "Succeeded")?;
    let said = log(smoke, "pod/tools", "tools")?;
    for part in [
        "user: 1000 sympozium /tmp",
        "kubectl: v1.",
        "curl: 1",
        "certificates: 1",
        "awk: c",
        "\nkubectl\n",
        "root: read-only",
    ] {
        contains(&said, part)?;
    }
    Ok(())
}

fn nats_is_ready(smoke: &Smoke) -> anyhow::Result<()> {
    smoke.kubectl.wait(NAMESPACE, "condition=Ready", &["pod/nats"])
}

fn psql(smoke: &Smoke, password: &str) -> anyhow::Result<String> {
    let script = format!(
        "PGPASSWORD={password} psql --host=127.0.0.1 --username=postgres --no-align --tuples-only \
         --command='select 6 * 7'"
    );
    smoke.kubectl.shell(NAMESPACE, "postgres", &script)
}

fn postgres_answers(smoke: &Smoke) -> anyhow::Result<()> {
    smoke
        .kubectl
        .wait(NAMESPACE, "condition=Ready", &["pod/postgres"])?;
    equals(&psql(smoke, "only-for-this-test")?, "42")
}

fn postgres_wants_the_password(smoke: &Smoke) -> anyhow::Result<()> {
    refused(psql(smoke, "another"), "password authentication failed")
}
