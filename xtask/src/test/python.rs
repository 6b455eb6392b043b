//! The gateway under the official `openai` package for Python: the tests in `tests/openai-python`.
//!
//! The package lives in a virtual environment in the cache folder, under exactly these versions. Entry: [`stage`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::counts::Counts;
use crate::{install, repo, stage as stages};

const OPENAI: &str = "2.54.0";
const PYTEST: &str = "9.2.0";

const NAME: &str = "OpenAI Python client";

/// Runs the tests, or says why that is not possible here.
pub(super) fn stage() -> Counts {
    let folder = repo::root().join("tests/openai-python");
    if !folder.is_dir() {
        return super::skip(NAME, "there is no folder tests/openai-python");
    }
    let start = Instant::now();
    let python = match environment() {
        Ok(python) => python,
        Err(error) => return super::skip(NAME, &format!("{error:#}")),
    };
    stages::line("install the OpenAI Python client", start.elapsed(), "ok");
    let mut pytest = Command::new(python);
    // Nothing of the user's own (keys, proxies, plug-ins) may reach the tests, and no cache is left in the tree.
    pytest
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .arg(folder)
        .current_dir(repo::root())
        .env("SYMPOZIUM_BIN", repo::target_dir().join("debug/sympozium"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_BASE_URL");
    super::run_stage(NAME, &mut pytest, Counts::from_pytest)
}

/// The interpreter of the virtual environment, which is made once per pair of versions.
fn environment() -> anyhow::Result<PathBuf> {
    let dir = repo::cache_dir()?.join(format!("python-openai-{OPENAI}-pytest-{PYTEST}"));
    let python = dir.join("bin/python");
    let complete = dir.join("complete");
    if complete.exists() {
        return Ok(python);
    }
    create(&dir)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    let installed = stages::capture(
        "pip install",
        pip.arg(format!("openai=={OPENAI}"))
            .arg(format!("pytest=={PYTEST}")),
    )?;
    if !installed.success {
        bail!(
            "pip could not install openai: {}",
            installed.output.lines().last().unwrap_or("it gave no reason")
        );
    }
    std::fs::write(&complete, "").context("mark the Python environment as complete")?;
    Ok(python)
}

fn create(dir: &Path) -> anyhow::Result<()> {
    if create_once(dir)? {
        return Ok(());
    }
    // Debian keeps the module that makes environments in a package of its own.
    install::apt(&["python3", "python3-venv"])?;
    if create_once(dir)? {
        return Ok(());
    }
    bail!(
        "python3 could not make a virtual environment in {}",
        dir.display()
    )
}

fn create_once(dir: &Path) -> anyhow::Result<bool> {
    if install::find("python3").is_none() {
        return Ok(false);
    }
    let mut venv = Command::new("python3");
    Ok(stages::capture("python venv", venv.args(["-m", "venv", "--clear"]).arg(dir))?.success)
}
