//! From events to files: [`StreamObserver`] never waits, [`StreamWriter`] does.

use super::pending::Pending;
use crate::agent::{AgentEvent, Observer};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sympozium_core::error::chain;
use sympozium_core::ipc::mailbox::{MailboxError, OpenFolder, read_whole};
use sympozium_core::ipc::{Folder, Layout};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long text waits for more text. Shorter than what a reader notices.
const GATHER: Duration = Duration::from_millis(40);
/// How many chunks may lie there unread.
const BACKLOG: u64 = 1000;
/// How often it is looked whether a reader has come.
const LOOK: Duration = Duration::from_millis(500);
/// The counter's file in the runner's own folder.
const COUNTER: &str = "stream.json";

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    /// Something is pending.
    some: Notify,
    /// It should be written now.
    now: Notify,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chunk_name(index: u64) -> String {
    format!("stream-{index}.json")
}

/// Takes what an agent tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamObserver {
    shared: Arc<Shared>,
}

impl Observer for StreamObserver {
    fn on(&self, event: AgentEvent<'_>) {
        let urgent = self.shared.pending().take(event);
        self.shared.some.notify_one();
        if urgent {
            self.shared.now.notify_one();
        }
    }
}

/// The next chunk's index; kept, so that a runner that is started again goes on counting.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Counter {
    next: u64,
}

impl Counter {
    /// As JSON that is equally long for every number, so that a newer one takes the place of an older one.
    fn text(self) -> String {
        format!("{{\"next\":{:>20}}}", self.next)
    }
}

/// Writes what an observer takes, until it is finished.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    closed: CancellationToken,
    task: JoinSet<()>,
}

struct Output {
    shared: Arc<Shared>,
    folder: OpenFolder,
    state: PathBuf,
    counter: Counter,
    /// The counter's file, once this process has made it.
    kept: Option<File>,
}

impl StreamWriter {
    /// Begins to write to `output/`. `state` is the runner's own folder.
    pub(crate) fn start(
        observer: &StreamObserver,
        layout: &Layout,
        state: PathBuf,
    ) -> Result<Self, MailboxError> {
        let kept = read_whole(&state.join(COUNTER), 1024)?;
        let folder = layout.folder(&Folder::Output);
        // A counter that can't be read is one that was never written.
        let mut counter: Counter = kept
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        // It is written after what it counts: a runner that was killed in between has left chunks beyond it.
        while folder.join(chunk_name(counter.next)).exists() {
            counter.next += 1;
        }
        let shared = Arc::clone(&observer.shared);
        if counter.next > 0 {
            shared.pending().began_again();
            shared.some.notify_one();
        }
        let output = Output {
            shared,
            folder: OpenFolder::open(&folder)?,
            state,
            counter,
            kept: None,
        };
        let closed = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(output.keep_writing(closed.clone()));
        Ok(Self { closed, task })
    }

    /// Writes what is pending, and ends.
    pub(crate) async fn finish(mut self) {
        self.closed.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

impl Output {
    async fn keep_writing(mut self, closed: CancellationToken) {
        let shared = Arc::clone(&self.shared);
        while !closed.is_cancelled() {
            tokio::select! {
                () = shared.some.notified() => {}
                () = closed.cancelled() => {}
            }
            tokio::select! {
                () = shared.now.notified() => {}
                () = sleep(GATHER) => {}
                () = closed.cancelled() => {}
            }
            while !closed.is_cancelled() && !self.write(false) {
                tokio::select! {
                    () = sleep(LOOK) => {}
                    () = closed.cancelled() => {}
                }
            }
        }
        self.write(true);
    }

    /// Writes what is pending; false when it has to wait for a reader.
    fn write(&mut self, last: bool) -> bool {
        let status = self.shared.pending().next_status();
        if let Some(status) = status {
            self.file("status.json", &status);
        }
        let before = self.counter.next;
        let done = self.chunks(last);
        if self.counter.next > before
            && let Err(error) = self.keep_counter()
        {
            tracing::warn!(error = chain(&error), "the stream's counter could not be kept");
        }
        done
    }

    /// The first time the file is made whole or not at all; from then on one write takes the old number's place.
    fn keep_counter(&mut self) -> Result<(), MailboxError> {
        let (text, path) = (self.counter.text(), self.state.join(COUNTER));
        if let Some(file) = &self.kept {
            return file
                .write_all_at(text.as_bytes(), 0)
                .map_err(MailboxError::io("write", path));
        }
        OpenFolder::open(&self.state)?.write(COUNTER, text.as_bytes())?;
        let file = File::options().write(true).open(&path);
        self.kept = Some(file.map_err(MailboxError::io("open", path))?);
        Ok(())
    }

    fn chunks(&mut self, last: bool) -> bool {
        loop {
            if !last && self.is_behind() {
                return self.shared.pending().is_empty();
            }
            let next = self.shared.pending().next();
            let Some(mut chunk) = next else { return true };
            chunk.index = self.counter.next;
            if self.file(&chunk_name(chunk.index), &chunk) {
                self.counter.next += 1;
            }
        }
    }

    /// Whether too many chunks lie there unread.
    fn is_behind(&self) -> bool {
        let oldest = self.counter.next.checked_sub(BACKLOG);
        oldest.is_some_and(|index| self.folder.path().join(chunk_name(index)).exists())
    }

    /// The stream is for watching; that it can't be written is no reason to stop working.
    fn file<T: Serialize>(&self, name: &str, value: &T) -> bool {
        let written = self.folder.write_json(name, value);
        if let Err(error) = &written {
            tracing::warn!(
                error = chain(error),
                name,
                "a piece of the stream could not be written"
            );
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sympozium_core::ipc::mailbox::{Inbox, InboxConfig, make_folders, write_json};
    use sympozium_core::ipc::{ChunkKind, StreamChunk};

    struct Place {
        _folder: tempfile::TempDir,
        layout: Layout,
        state: PathBuf,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (layout, state) = (
            Layout::new(folder.path().join("ipc")),
            folder.path().join("state"),
        );
        make_folders(&layout, &[]).unwrap();
        std::fs::create_dir(&state).unwrap();
        Place {
            _folder: folder,
            layout,
            state,
        }
    }

    fn stream(place: &Place) -> Vec<StreamChunk> {
        let folder = place.layout.folder(&Folder::Output);
        let mut inbox = Inbox::open(&folder, InboxConfig::of("stream-")).unwrap();
        let next = || inbox.poll_now().unwrap().map(|item| item.value);
        std::iter::from_fn(next).collect()
    }

    fn kept(place: &Place) -> u64 {
        let bytes = std::fs::read(place.state.join(COUNTER)).unwrap();
        serde_json::from_slice::<Counter>(&bytes).unwrap().next
    }

    #[tokio::test]
    async fn the_counter_that_is_kept_is_true_whenever_chunks_were_written() {
        let place = place();
        write_json(&place.state, COUNTER, &Counter { next: 98 }).unwrap();
        let observer = StreamObserver::default();
        let folder = OpenFolder::open(&place.layout.folder(&Folder::Output)).unwrap();
        let mut output = Output {
            shared: Arc::clone(&observer.shared),
            folder,
            state: place.state.clone(),
            counter: Counter { next: 98 },
            kept: None,
        };
        for expected in 99..=101 {
            observer.on(AgentEvent::Text("a"));
            assert!(output.write(true));
            assert_eq!(kept(&place), expected);
        }
    }

    #[tokio::test]
    async fn chunks_are_counted_without_gaps_also_when_the_runner_starts_again() {
        let place = place();
        for round in 0..2 {
            let observer = StreamObserver::default();
            let writer = StreamWriter::start(&observer, &place.layout, place.state.clone()).unwrap();
            observer.on(AgentEvent::Text("hello"));
            observer.on(AgentEvent::Thinking("hm"));
            writer.finish().await;
            let chunks = stream(&place);
            let indexes: Vec<u64> = chunks.iter().map(|chunk| chunk.index).collect();
            assert_eq!(indexes, (0..chunks.len() as u64).collect::<Vec<_>>());
            assert_eq!(chunks.len(), 2 + 3 * round);
        }
        assert_eq!(stream(&place)[2].kind, ChunkKind::Retry);
    }

    #[tokio::test]
    async fn a_chunk_whose_counter_was_not_written_any_more_is_not_written_over() {
        let place = place();
        let folder = place.layout.folder(&Folder::Output);
        write_json(&place.state, COUNTER, &Counter { next: 1 }).unwrap();
        for left in [1, 2] {
            std::fs::write(folder.join(chunk_name(left)), "left by the first process").unwrap();
        }
        let observer = StreamObserver::default();
        let writer = StreamWriter::start(&observer, &place.layout, place.state.clone()).unwrap();
        observer.on(AgentEvent::Text("hello"));
        writer.finish().await;
        for left in [1, 2] {
            let text = std::fs::read_to_string(folder.join(chunk_name(left))).unwrap();
            assert_eq!(text, "left by the first process");
        }
        let chunk = std::fs::read_to_string(folder.join(chunk_name(4))).unwrap();
        assert!(chunk.contains("hello"), "{chunk}");
        assert_eq!(kept(&place), 5);
    }

    #[tokio::test]
    async fn text_is_written_while_the_agent_still_works() {
        let place = place();
        let observer = StreamObserver::default();
        let writer = StreamWriter::start(&observer, &place.layout, place.state.clone()).unwrap();
        let folder = place.layout.folder(&Folder::Output);
        let mut inbox = Inbox::<StreamChunk>::open(&folder, InboxConfig::of("stream-")).unwrap();
        for word in ["one", "two"] {
            observer.on(AgentEvent::Text(word));
            let next = tokio::time::timeout(Duration::from_secs(20), inbox.next()).await;
            assert_eq!(next.unwrap().unwrap().value.content, word);
        }
        writer.finish().await;
    }

    #[tokio::test]
    async fn when_nobody_reads_only_so_many_files_lie_there_until_the_end() {
        let place = place();
        write_json(&place.state, COUNTER, &Counter { next: BACKLOG }).unwrap();
        let folder = place.layout.folder(&Folder::Output);
        std::fs::write(folder.join("stream-0.json"), "{}").unwrap();
        let observer = StreamObserver::default();
        let writer = StreamWriter::start(&observer, &place.layout, place.state.clone()).unwrap();
        observer.on(AgentEvent::Text("held back"));
        let status = folder.join("status.json");
        let seen = async {
            while !status.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
        assert!(!folder.join(format!("stream-{BACKLOG}.json")).exists());
        writer.finish().await;
        assert!(folder.join(format!("stream-{}.json", BACKLOG + 1)).exists());
    }
}
