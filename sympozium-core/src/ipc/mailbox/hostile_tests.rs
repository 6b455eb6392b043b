//! What somebody who may write in a mailbox can't do to whoever reads it.

use super::{Inbox, InboxConfig, MailboxError, OpenFolder, write_json};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

pub(super) const SECRET: &str = r#""the secret""#;
/// Longer than anything here takes, and shorter than the look that happens without being woken.
pub(super) const SOON: Duration = Duration::from_secs(4);

/// A mailbox folder, and beside it a folder of the host's with a secret in it.
pub(super) struct Place {
    pub(super) root: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("box")).unwrap();
        fs::create_dir(root.path().join("host")).unwrap();
        fs::write(root.path().join("host/secret.json"), SECRET).unwrap();
        Self { root }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join("box")
    }

    pub(super) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder().join(name)
    }

    pub(super) fn host(&self) -> PathBuf {
        self.root.path().join("host")
    }

    pub(super) fn secret(&self) -> PathBuf {
        self.host().join("secret.json")
    }

    pub(super) fn inbox(&self) -> Inbox<Value> {
        let config = InboxConfig {
            max_bytes: 1000,
            ..InboxConfig::of("r-")
        };
        Inbox::open(&self.folder(), config).unwrap()
    }

    /// The host's folder is as it was.
    pub(super) fn is_untouched(&self) {
        assert_eq!(
            names(&self.host()),
            ["secret.json"],
            "the host's folder has other files"
        );
        assert_eq!(fs::read_to_string(self.secret()).unwrap(), SECRET);
    }
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Why the next file was set aside.
pub(super) fn reason(inbox: &mut Inbox<Value>) -> String {
    match inbox.poll_now() {
        Err(MailboxError::Rejected { reason, .. }) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

pub(super) fn delivers(inbox: &mut Inbox<Value>, name: &str, value: &Value) {
    let item = inbox.poll_now().unwrap().unwrap();
    assert_eq!((item.name.as_str(), &item.value), (name, value));
    item.done().unwrap();
}

pub(super) fn has_nothing(inbox: &mut Inbox<Value>) {
    let next = inbox.poll_now();
    assert!(matches!(next, Ok(None)), "{next:?}");
}

#[test]
fn a_link_to_a_secret_is_set_aside_unread() {
    let place = Place::new();
    symlink(place.secret(), place.at("r-1.json")).unwrap();
    symlink("../host/secret.json", place.at("r-2.json")).unwrap();
    let mut inbox = place.inbox();
    for name in ["r-1.json", "r-2.json"] {
        assert_eq!(reason(&mut inbox), "it is not a regular file");
        let kept = place.at("rejected").join(name);
        assert!(kept.symlink_metadata().unwrap().is_symlink());
    }
    has_nothing(&mut inbox);
    place.is_untouched();
}

#[test]
fn a_result_that_is_a_link_to_a_secret_is_not_read() {
    let place = Place::new();
    let folder = OpenFolder::open(&place.folder()).unwrap();
    symlink(place.secret(), place.at("result.json")).unwrap();
    let read = folder.read("result.json", 1000);
    assert!(matches!(read, Err(MailboxError::Rejected { .. })), "{read:?}");
    place.is_untouched();
}

#[tokio::test]
async fn a_pipe_in_the_mailbox_blocks_nobody() {
    let place = Place::new();
    let pipe = |name: &str| {
        rustix::fs::mknodat(CWD, place.at(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
    };
    pipe("r-1.json");
    pipe("rejected");
    let mut inbox = place.inbox();
    let next = timeout(SOON, inbox.next()).await.unwrap();
    assert!(matches!(next, Err(MailboxError::Rejected { .. })), "{next:?}");
    // It could not be moved, so it was removed.
    assert_eq!(names(&place.folder()), ["rejected"]);
    pipe("r-2.json");
    write_json(&place.folder(), "r-3.json", &json!(3)).unwrap();
    let next = timeout(SOON, inbox.next()).await.unwrap();
    assert!(matches!(next, Err(MailboxError::Rejected { .. })), "{next:?}");
    let next = timeout(SOON, inbox.next()).await.unwrap().unwrap();
    assert_eq!(next.value, json!(3));
}

#[test]
fn sockets_devices_and_folders_are_set_aside() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.at("r-1.json")).unwrap();
    fs::create_dir(place.at("r-2.json")).unwrap();
    fs::write(place.at("r-2.json/within"), "").unwrap();
    let mut count = 2;
    let null = rustix::fs::makedev(1, 3);
    if rustix::fs::mknodat(
        CWD,
        place.at("r-3.json"),
        FileType::CharacterDevice,
        Mode::RWXU,
        null,
    )
    .is_ok()
    {
        count += 1;
    }
    let mut inbox = place.inbox();
    for _ in 0..count {
        assert_eq!(reason(&mut inbox), "it is not a regular file");
    }
    has_nothing(&mut inbox);
    assert_eq!(names(&place.folder()), ["rejected"]);
    assert!(place.at("rejected/r-2.json/within").exists());
}

#[test]
fn a_rejected_folder_replaced_by_a_link_moves_nothing_outside() {
    let place = Place::new();
    symlink(place.host(), place.at("rejected")).unwrap();
    fs::write(place.at("r-1.json"), "{").unwrap();
    let mut inbox = place.inbox();
    assert!(reason(&mut inbox).starts_with("it can't be understood"));
    assert_eq!(names(&place.folder()), ["rejected"]);
    place.is_untouched();
}

#[test]
fn whatever_lies_in_the_way_within_rejected_nothing_is_written_through_it() {
    let place = Place::new();
    fs::create_dir_all(place.at("rejected/r-1.json")).unwrap();
    fs::write(place.at("rejected/r-1.json/within"), "").unwrap();
    symlink(place.secret(), place.at("rejected/r-2.json.reason")).unwrap();
    symlink(place.secret(), place.at("rejected/r-2.json")).unwrap();
    fs::create_dir(place.at("rejected/r-3.json.reason")).unwrap();
    for name in ["r-1.json", "r-2.json", "r-3.json"] {
        fs::write(place.at(name), "{").unwrap();
    }
    let mut inbox = place.inbox();
    for _ in 0..3 {
        assert!(reason(&mut inbox).starts_with("it can't be understood"));
    }
    has_nothing(&mut inbox);
    assert_eq!(names(&place.folder()), ["rejected"]);
    let told = place.at("rejected/r-2.json.reason");
    assert!(
        told.symlink_metadata().unwrap().is_file(),
        "the link was replaced"
    );
    place.is_untouched();
}

#[tokio::test]
async fn a_mailbox_replaced_after_it_was_opened_leads_nowhere_else() {
    let place = Place::new();
    let moved = place.root.path().join("moved");
    let mut inbox = place.inbox();
    fs::rename(place.folder(), &moved).unwrap();
    symlink(place.host(), place.folder()).unwrap();
    fs::write(place.host().join("r-1.json"), SECRET).unwrap();
    has_nothing(&mut inbox);
    // The folder that was opened goes on working, and wakes its reader.
    let waiting = tokio::spawn(async move {
        let item = timeout(SOON, inbox.next()).await.unwrap().unwrap();
        inbox.folder().write_json("answer.json", &item.value).unwrap();
        let value = item.value.clone();
        item.claim().unwrap().done().unwrap();
        value
    });
    write_json(&moved, "r-2.json", &json!(2)).unwrap();
    assert_eq!(waiting.await.unwrap(), json!(2));
    assert_eq!(names(&moved), ["answer.json"]);
    fs::remove_file(place.host().join("r-1.json")).unwrap();
    place.is_untouched();
}

#[test]
fn a_link_in_the_place_of_a_mailbox_is_not_opened() {
    let place = Place::new();
    fs::remove_dir(place.folder()).unwrap();
    symlink(place.host(), place.folder()).unwrap();
    assert!(OpenFolder::open(&place.folder()).is_err());
    assert!(write_json(&place.folder(), "r-1.json", &json!(1)).is_err());
    place.is_untouched();
}

#[test]
fn an_answer_replaces_a_link_and_does_not_follow_it() {
    let place = Place::new();
    let folder = OpenFolder::open(&place.folder()).unwrap();
    symlink(place.secret(), place.at("a.json")).unwrap();
    fs::hard_link(place.secret(), place.at("b.json")).unwrap();
    for name in ["a.json", "b.json"] {
        folder.write_json(name, &json!("answer")).unwrap();
        assert_eq!(fs::read_to_string(place.at(name)).unwrap(), r#""answer""#);
    }
    fs::create_dir(place.at("c.json")).unwrap();
    assert!(folder.write_json("c.json", &json!("answer")).is_err());
    assert_eq!(
        names(&place.folder()),
        ["a.json", "b.json", "c.json"],
        "nothing is left over"
    );
    place.is_untouched();
}

#[test]
fn a_file_of_eight_gibibytes_is_not_read() {
    let place = Place::new();
    let sparse = File::create(place.at("r-1.json")).unwrap();
    sparse.set_len(8 << 30).unwrap();
    let mut inbox = place.inbox();
    assert_eq!(reason(&mut inbox), "it is larger than 1000 bytes");
    has_nothing(&mut inbox);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_read_to_its_bound() {
    let place = Place::new();
    let path = place.at("r-1.json");
    fs::write(&path, "[").unwrap();
    let folder = OpenFolder::open(&place.folder()).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut file = File::options().append(true).open(path).unwrap();
        let mut written = 0_u64;
        while stopped.try_recv().is_err() && written < (256 << 20) {
            file.write_all(&[b' '; 4096]).unwrap();
            written += 4096;
        }
    });
    for max in [1, 1000, 100_000, 1 << 20] {
        loop {
            match folder.read("r-1.json", max) {
                Ok(Some(bytes)) => assert!(bytes.len() as u64 <= max, "{max}"),
                Err(MailboxError::Rejected { reason, .. }) => {
                    assert_eq!(reason, format!("it is larger than {max} bytes"));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    stop.send(()).unwrap();
    writer.join().unwrap();
}

#[test]
fn names_that_are_long_or_no_text_are_dealt_with() {
    let place = Place::new();
    let long = format!("r-{}.json", "x".repeat(248));
    fs::write(place.at(&long), "{").unwrap();
    fs::write(place.at(OsStr::from_bytes(b"r-\xff\xfe.json")), "1").unwrap();
    fs::write(place.at("r-\u{1b}[2J.json"), "{").unwrap();
    let mut inbox = place.inbox();
    let mut told = Vec::new();
    for _ in 0..3 {
        match inbox.poll_now() {
            Err(MailboxError::Rejected { name, .. }) => told.push(name),
            other => panic!("not rejected: {other:?}"),
        }
    }
    for name in [&long, "r-\u{fffd}[2J.json", "r-\u{fffd}\u{fffd}.json"] {
        assert!(told.iter().any(|told| told == name), "{told:?}");
    }
    has_nothing(&mut inbox);
    assert!(place.at("rejected").join(&long).exists());
    let fine = format!("r-{}.json", "y".repeat(248));
    fs::write(place.at(&fine), "1").unwrap();
    delivers(&mut inbox, &fine, &json!(1));
}

#[test]
fn what_a_reason_quotes_is_short_and_does_not_control_a_terminal() {
    let place = Place::new();
    let quoted = format!("{{\"{}\":1}}", "\\u001b[2J".repeat(50));
    fs::write(place.at("r-1.json"), &quoted).unwrap();
    let mut inbox: Inbox<crate::ipc::FileId> = Inbox::open(&place.folder(), InboxConfig::of("r-")).unwrap();
    fs::write(place.at("r-2.json"), format!("\"{}\"", "\\u001b".repeat(500))).unwrap();
    for _ in 0..2 {
        let Err(MailboxError::Rejected { reason, .. }) = inbox.poll_now() else {
            panic!()
        };
        assert!(
            reason.chars().count() <= 300 && !reason.contains(char::is_control),
            "{reason}"
        );
    }
}

#[test]
fn a_file_that_vanishes_is_passed_over() {
    let place = Place::new();
    for n in 0..3 {
        fs::write(place.at(format!("r-{n}.json")), n.to_string()).unwrap();
    }
    let mut inbox = place.inbox();
    let first = inbox.poll_now().unwrap().unwrap();
    fs::remove_file(place.at("r-1.json")).unwrap();
    delivers(&mut inbox, "r-2.json", &json!(2));
    // Acting on what somebody has taken away, or put a folder in the place of, is no error.
    fs::remove_file(place.at("r-0.json")).unwrap();
    fs::create_dir(place.at("r-0.json")).unwrap();
    first.done().unwrap();
    assert_eq!(reason(&mut inbox), "it is not a regular file");
    has_nothing(&mut inbox);
}

#[test]
fn somebody_elses_file_under_a_second_name_is_not_read() {
    let place = Place::new();
    fs::write(place.at("own"), "1").unwrap();
    fs::hard_link(place.at("own"), place.at("r-1.json")).unwrap();
    let mut inbox = place.inbox();
    delivers(&mut inbox, "r-1.json", &json!(1));
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root can have a folder of another user");
    }
    std::os::unix::fs::chown(place.folder(), Some(54321), Some(54321)).unwrap();
    fs::hard_link(place.secret(), place.at("r-2.json")).unwrap();
    let mut inbox = place.inbox();
    let reason = reason(&mut inbox);
    assert!(!reason.contains("secret"), "{reason}");
    assert_eq!(reason, "it is somebody else's file under a second name");
    has_nothing(&mut inbox);
    place.is_untouched();
}
