//! The launcher's command line.

use super::holder::hold;
use super::launcher::{Ended, Purpose, launch};
use super::outcome::TryOutcome;
use super::plan::{HolderPlan, SandboxPlan};
use super::sys;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The exit code when a sandbox could not be set up; the program was not started.
pub const NOT_SET_UP: u8 = 125;

/// The largest plan that is read: the texts in it are small, and so is the list of mounts.
const MAX_PLAN: u64 = 8 << 20;

/// What the launcher is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Hold,
    Launch(Purpose),
}

/// Does what the command line says, and gives the code to exit with.
///
/// | Arguments | |
/// | --- | --- |
/// | `--config FILE` | runs the program of a [`SandboxPlan`]; exits as it does, or with [`NOT_SET_UP`] and a sentence on standard error |
/// | `--try --config FILE` | does everything of a [`SandboxPlan`] but start the program; says a [`TryOutcome`] |
/// | `--hold --config FILE` | keeps the file systems of a [`HolderPlan`]; says `ready`, and ends with standard input |
///
/// It has to be called before the process has started a thread or opened a file: everything that is open is closed.
pub fn main(arguments: impl Iterator<Item = OsString>) -> u8 {
    sys::close_inherited();
    match run(arguments) {
        Ok(code) => code,
        Err(sentence) => {
            // There is nobody to tell when standard error is closed.
            let _told = writeln!(std::io::stderr(), "sympozium-sandbox: {sentence}");
            NOT_SET_UP
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<u8, String> {
    let (task, config) = parse(arguments)?;
    match task {
        Task::Hold => {
            let plan: HolderPlan = read(&config)?;
            hold(&plan).map_err(|error| format!("The run's folders could not be made: {error}."))?;
            Ok(0)
        }
        Task::Launch(purpose) => {
            let plan: SandboxPlan = read(&config)?;
            match (launch(&plan, purpose), purpose) {
                (Ended::Program(code), _) => Ok(code),
                (Ended::Told(outcome), Purpose::Try) => say(&outcome).map(|()| 0),
                (Ended::Told(TryOutcome::Failed(error)), Purpose::Run) => {
                    Err(format!("The sandbox could not be set up: {error}."))
                }
                (Ended::Told(TryOutcome::Ok(_)), Purpose::Run) => {
                    Err("The program was not started.".to_owned())
                }
            }
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<(Task, PathBuf), String> {
    let mut task = Task::Launch(Purpose::Run);
    let mut config = None;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => config = Some(arguments.next().ok_or("--config needs a file behind it.")?),
            Some("--hold") => task = Task::Hold,
            Some("--try") => task = Task::Launch(Purpose::Try),
            Some(_) | None => {
                return Err(format!(
                    "{} is not an argument of this program.",
                    argument.display()
                ));
            }
        }
    }
    let config = config.ok_or("--config is missing; this program is started by sympozium itself.")?;
    Ok((task, config.into()))
}

fn read<P: DeserializeOwned>(file: &Path) -> Result<P, String> {
    let path = file.display();
    let mut text = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_PLAN).read_to_end(&mut text))
        .map_err(|error| format!("The plan {path} could not be read: {error}."))?;
    serde_json::from_slice(&text).map_err(|error| format!("The plan {path} is not one: {error}."))
}

fn say(outcome: &TryOutcome) -> Result<(), String> {
    let mut line =
        serde_json::to_vec(outcome).map_err(|error| format!("The outcome could not be told: {error}."))?;
    line.push(b'\n');
    let mut out = std::io::stdout();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| format!("The outcome could not be told: {error}."))
}
