//! Looks at a mailbox from outside while others use it: when a request appeared, and when its result did.
//!
//! That also works for a mailbox in a sandbox, which the machine's user reaches through one of its processes. It adds
//! nothing to what is measured.

use crate::process::millis;
use anyhow::Context;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Instant;

/// A file that appeared: its name, when that was seen, and in which look.
type Seen = (String, Instant, usize);

/// Watches one folder until it is asked what it has seen.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: UnixStream,
    thread: JoinHandle<Vec<Seen>>,
}

impl Watch {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let queue = inotify::init(flags).context("make a watch")?;
        inotify::add_watch(&queue, folder, inotify::WatchFlags::MOVED_TO)
            .with_context(|| format!("watch {}", folder.display()))?;
        let (stop, stopped) = UnixStream::pair().context("make a pair of sockets")?;
        let thread = std::thread::spawn(move || look(&queue, &stopped));
        Ok(Self { stop, thread })
    }

    /// Milliseconds from each request to its result, in the order of the results.
    pub(crate) fn times(self) -> Vec<f64> {
        drop(self.stop);
        times(&self.thread.join().unwrap_or_default())
    }
}

fn look(queue: &OwnedFd, stopped: &UnixStream) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    for round in 0.. {
        let mut both = [
            PollFd::new(queue, PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
        let mut events = inotify::Reader::new(queue, &mut buffer);
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            seen.push((name.unwrap_or_default(), Instant::now(), round));
        }
        if both.iter().skip(1).any(|stopped| !stopped.revents().is_empty()) {
            break;
        }
    }
    seen
}

fn times(seen: &[Seen]) -> Vec<f64> {
    let id = |name: &str, kind: &str| Some(name.strip_prefix(kind)?.strip_suffix(".json")?.to_owned());
    let results = seen
        .iter()
        .filter_map(|result| Some((id(&result.0, "exec-result-")?, result)));
    let pairs = results.filter_map(|(name, result)| {
        let asked = |seen: &&Seen| id(&seen.0, "exec-request-").as_ref() == Some(&name);
        Some((seen.iter().find(asked)?, result))
    });
    // What was seen in one look came while nobody looked, so the time between is not known.
    let known = pairs.filter(|(asked, result)| asked.2 != result.2);
    known
        .map(|(asked, result)| millis(result.1.saturating_duration_since(asked.1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_request_and_its_result_belong_together_unless_they_were_seen_at_once() {
        let begin = Instant::now();
        let at = |name: &str, millis, round| (name.to_owned(), begin + Duration::from_millis(millis), round);
        let seen = [
            at("exec-request-a.json", 0, 0),
            at("other", 1, 1),
            at("exec-result-a.json", 2, 2),
            at("exec-request-b.json", 3, 3),
            at("exec-result-b.json", 3, 3),
            at("exec-result-c.json", 4, 4),
        ];
        assert_eq!(times(&seen).len(), 1);
        assert!((times(&seen)[0] - 2.0).abs() < 0.001);
    }

    #[test]
    fn files_that_appear_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::start(folder.path()).unwrap();
        for name in ["exec-request-1.json", "exec-result-1.json"] {
            std::fs::write(folder.path().join("new"), "").unwrap();
            std::fs::rename(folder.path().join("new"), folder.path().join(name)).unwrap();
        }
        // Whether both come in one look is the machine's choice.
        assert!(watch.times().len() <= 1);
    }
}
