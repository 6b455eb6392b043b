//! What an executor remembers of the commands that it has executed, across its own restarts if it has a folder for that.
//!
//! `begun-<id>` is written before a command starts, `result-<id>.json` after its end. A begun command without a result was
//! under way when the executor was killed: it may have had effects, so it is not executed again.

use super::serve::refused;
use crate::ipc::mailbox::{MailboxError, read_whole, write_bytes, write_json};
use crate::ipc::{ExecResult, FileId};
use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::SystemTime;

/// How many results are remembered: more than an agent asks for at once.
const REMEMBERED: usize = 64;
/// How many bytes of output are remembered in all.
const MAX_BYTES: usize = 4 << 20;
/// The largest file that is read back: two outputs of 50 KiB each, escaped.
const MAX_FILE: u64 = 4 << 20;

const INTERRUPTED: &str = "The executor was ended while this command ran. It may have been executed in part, and is not \
                           executed again; look at what it did before you repeat it.";

/// The remembered results, oldest first.
#[derive(Debug)]
pub(super) struct Results {
    folder: Option<PathBuf>,
    known: VecDeque<ExecResult>,
}

impl Results {
    /// Reads what a former process of this executor has left.
    pub(super) fn open(folder: Option<PathBuf>) -> Result<Self, MailboxError> {
        let mut results = Self {
            folder,
            known: VecDeque::new(),
        };
        for (id, begun) in results.left_over()? {
            let left = if begun {
                refused(&id, INTERRUPTED.to_owned())
            } else {
                match results.read(&id)? {
                    Some(result) => result,
                    None => continue,
                }
            };
            results.keep(left)?;
        }
        Ok(results)
    }

    pub(super) fn find(&self, id: &FileId) -> Option<&ExecResult> {
        self.known.iter().find(|result| result.id == *id)
    }

    /// Notes that a command is about to be executed.
    pub(super) fn begin(&self, id: &FileId) -> Result<(), MailboxError> {
        match &self.folder {
            Some(folder) => write_bytes(folder, &format!("begun-{id}"), b""),
            None => Ok(()),
        }
    }

    /// Remembers a result, and forgets the oldest ones when there are too many.
    pub(super) fn keep(&mut self, result: ExecResult) -> Result<(), MailboxError> {
        if let Some(folder) = &self.folder {
            write_json(folder, &format!("result-{}.json", result.id), &result)?;
            self.remove(&format!("begun-{}", result.id))?;
        }
        self.known.retain(|known| known.id != result.id);
        self.known.push_back(result);
        while self.known.len() > REMEMBERED || (self.known.len() > 1 && self.bytes() > MAX_BYTES) {
            if let Some(oldest) = self.known.pop_front() {
                self.remove(&format!("result-{}.json", oldest.id))?;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let sizes = self
            .known
            .iter()
            .map(|result| result.stdout.len() + result.stderr.len());
        sizes.sum()
    }

    fn remove(&self, name: &str) -> Result<(), MailboxError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(MailboxError::io("remove", path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn read(&self, id: &FileId) -> Result<Option<ExecResult>, MailboxError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let bytes = read_whole(&folder.join(format!("result-{id}.json")), MAX_FILE)?;
        // Files appear whole, so one that can't be read is not ours.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The commands of which something was left, oldest first, and whether only their beginning was.
    fn left_over(&self) -> Result<Vec<(FileId, bool)>, MailboxError> {
        let Some(folder) = &self.folder else {
            return Ok(Vec::new());
        };
        let mut left: Vec<(SystemTime, FileId, bool)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(MailboxError::io("read", folder))? {
            let entry = entry.map_err(MailboxError::io("read", folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let begun = name.strip_prefix("begun-");
            let id = begun.or_else(|| name.strip_prefix("result-")?.strip_suffix(".json"));
            let Some(id) = id.and_then(|id| FileId::new(id).ok()) else {
                continue;
            };
            let written = entry.metadata().and_then(|meta| meta.modified());
            let written = written.map_err(MailboxError::io("inspect", entry.path()))?;
            left.push((written, id, begun.is_some()));
        }
        // Both files of one command are there when the executor was killed between writing one and removing the other.
        let ended = |id: &FileId| left.iter().any(|(_, other, begun)| other == id && !begun);
        let only: Vec<bool> = left.iter().map(|(_, id, begun)| *begun && ended(id)).collect();
        let mut kept: Vec<_> = left
            .into_iter()
            .zip(only)
            .filter(|(_, superseded)| !superseded)
            .map(|(entry, _)| entry)
            .collect();
        kept.sort();
        Ok(kept.into_iter().map(|(_, id, begun)| (id, begun)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, stdout: &str) -> ExecResult {
        ExecResult {
            id: FileId::new(id).unwrap(),
            exit_code: 0,
            stdout: stdout.to_owned(),
            stderr: String::new(),
            timed_out: false,
            stdout_cut: 0,
            stderr_cut: 0,
            refused: None,
        }
    }

    fn id(id: &str) -> FileId {
        FileId::new(id).unwrap()
    }

    #[test]
    fn results_are_there_again_after_a_restart_and_an_interrupted_command_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Results::open(Some(folder.path().to_owned())).unwrap();
        let mut results = open();
        results.begin(&id("ended")).unwrap();
        results.keep(result("ended", "out")).unwrap();
        results.begin(&id("under-way")).unwrap();
        // As if it had been killed between the two steps of `keep`.
        results.keep(result("half", "half")).unwrap();
        results.begin(&id("half")).unwrap();
        for round in 0..2 {
            let again = open();
            assert_eq!(again.find(&id("ended")), Some(&result("ended", "out")), "{round}");
            assert_eq!(again.find(&id("half")), Some(&result("half", "half")), "{round}");
            let interrupted = again.find(&id("under-way")).unwrap();
            assert_eq!(interrupted.refused.as_deref(), Some(INTERRUPTED), "{round}");
            assert_eq!(again.find(&id("other")), None);
        }
    }

    #[test]
    fn the_oldest_results_are_forgotten_on_disk_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Results::open(Some(folder.path().to_owned())).unwrap();
        for n in 0..REMEMBERED + 5 {
            results.keep(result(&format!("r{n}"), "")).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), REMEMBERED);
        assert!(results.find(&id("r4")).is_none() && results.find(&id("r5")).is_some());
        results.keep(result("large", &"x".repeat(MAX_BYTES + 1))).unwrap();
        assert_eq!(results.known.len(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn without_a_folder_results_are_remembered_in_memory() {
        let mut results = Results::open(None).unwrap();
        results.begin(&id("a")).unwrap();
        results.keep(result("a", "x")).unwrap();
        assert_eq!(results.find(&id("a")), Some(&result("a", "x")));
    }
}
