//! `kubectl` from outside the cluster, as a user of it has it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// A `kubectl` for one cluster.
#[derive(Debug, Clone)]
pub(super) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(super) fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    /// What it prints; an error, with what it says, when it fails.
    pub(super) fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        self.run_with(words, "")
    }

    /// The same with an input.
    pub(super) fn run_with(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(words)
            // Without a home of its own it would keep a cache of this cluster's API in the user's.
            .env("KUBECACHEDIR", self.kubeconfig.with_file_name("kubectl-cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("start kubectl")?;
        let stdin = child.stdin.take();
        // It may end without reading: what it says is the better error.
        let _ = stdin.map(|mut pipe| pipe.write_all(input.as_bytes()));
        let output = child.wait_with_output().context("wait for kubectl")?;
        if !output.status.success() {
            bail!(
                "kubectl {}: {}{}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr).trim(),
                String::from_utf8_lossy(&output.stdout).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Creates or changes what a text in YAML describes.
    pub(super) fn apply(&self, text: &str) -> anyhow::Result<()> {
        self.run_with(&["apply", "--filename=-"], text).map(drop)
    }

    /// One field of an object.
    pub(super) fn field(&self, namespace: &str, object: &str, path: &str) -> anyhow::Result<String> {
        self.run(&[
            "--namespace",
            namespace,
            "get",
            object,
            &format!("--output=jsonpath={path}"),
        ])
    }

    /// Waits until an object has a condition, or a field a value, as `kubectl wait` takes it.
    pub(super) fn wait(&self, namespace: &str, what: &str, objects: &[&str]) -> anyhow::Result<()> {
        let condition = format!("--for={what}");
        let mut words = vec!["--namespace", namespace, "wait", &condition, "--timeout=90s"];
        words.extend(objects);
        self.run(&words).map(drop)
    }

    /// Runs a script in a pod.
    pub(super) fn shell(&self, namespace: &str, pod: &str, script: &str) -> anyhow::Result<String> {
        self.run(&["--namespace", namespace, "exec", pod, "--", "sh", "-c", script])
    }
}

/// The check holds when the call was refused, and for this reason.
pub(super) fn refused(result: anyhow::Result<String>, reason: &str) -> anyhow::Result<()> {
    match result {
        Ok(output) => bail!("it was accepted: {}", output.trim()),
        Err(error) => contains(&format!("{error:#}"), reason),
    }
}

/// The check holds when a text has a part.
pub(super) fn contains(text: &str, part: &str) -> anyhow::Result<()> {
    if text.contains(part) {
        return Ok(());
    }
    bail!("there is no {part:?} in {:?}", text.trim())
}

/// The check holds when a text is this one.
pub(super) fn equals(found: &str, expected: &str) -> anyhow::Result<()> {
    if found.trim() == expected {
        return Ok(());
    }
    bail!("it is {:?}, not {expected:?}", found.trim())
}
