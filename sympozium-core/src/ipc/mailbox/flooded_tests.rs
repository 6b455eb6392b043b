//! What many files, other users and other paths do to a mailbox.

use super::hostile_tests::{Place, SECRET, SOON, delivers, has_nothing, names, reason};
use super::{FolderWatch, Inbox, InboxConfig, OpenFolder, make_folders_for, write_json};
use crate::ids::PackName;
use crate::ipc::{Folder, Layout};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::timeout;
#[test]
fn more_files_than_are_remembered_are_all_delivered() {
    const COUNT: usize = 12_000;
    let place = Place::new();
    for n in 0..COUNT {
        fs::write(place.at(format!("r-{n}.json")), n.to_string()).unwrap();
        fs::write(place.at(format!("other-{n}")), "").unwrap();
    }
    let mut inbox = place.inbox();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(item) = inbox.poll_now().unwrap() {
        assert!(
            seen.insert(item.value.as_u64().unwrap()),
            "{} came twice",
            item.name
        );
        item.done().unwrap();
    }
    assert_eq!(seen.len(), COUNT);
    // Files that stay take places, and those that go give them back.
    for n in 0..COUNT {
        fs::write(place.at(format!("r-{n}.json")), n.to_string()).unwrap();
    }
    let mut inbox = place.inbox();
    let mut count = 0;
    while inbox.poll_now().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 10_000);
}

#[tokio::test]
async fn a_flood_of_files_does_not_keep_a_reader_from_being_stopped() {
    let place = Place::new();
    let mut inbox = place.inbox();
    let folder = place.folder();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        // A file that is never there when it is looked for, and one that is never meant.
        while stopped.try_recv().is_err() {
            fs::write(folder.join("r-1.json"), "1").unwrap();
            // The reader may have been faster.
            let _ = fs::remove_file(folder.join("r-1.json"));
            fs::write(folder.join("other"), "").unwrap();
        }
    });
    let reading = async {
        loop {
            // Half a file is rejected, which is no harm.
            if let Ok(item) = inbox.next().await {
                item.done().unwrap();
            }
        }
    };
    let cancelled = timeout(Duration::from_millis(300), reading).await;
    assert!(cancelled.is_err());
    stop.send(()).unwrap();
    writer.join().unwrap();
}

#[test]
fn of_many_unusable_files_a_few_are_kept() {
    let place = Place::new();
    for n in 0..400 {
        fs::write(place.at(format!("r-{n}.json")), "{").unwrap();
    }
    let mut inbox = place.inbox();
    for _ in 0..400 {
        reason(&mut inbox);
    }
    has_nothing(&mut inbox);
    assert_eq!(names(&place.folder()), ["rejected"]);
    assert_eq!(names(&place.at("rejected")).len(), 2 * 256);
}

#[test]
fn claims_that_are_in_the_way_of_a_reader_are_passed_over() {
    let place = Place::new();
    fs::create_dir(place.at("r-1.json")).unwrap();
    fs::write(place.at(".claimed-r-1.json"), "1").unwrap();
    symlink(place.secret(), place.at(".claimed-r-2.json")).unwrap();
    fs::write(place.at(".claimed-r-3.json"), "3").unwrap();
    let mut inbox = place.inbox();
    assert_eq!(reason(&mut inbox), "it is not a regular file");
    assert_eq!(reason(&mut inbox), "it is not a regular file");
    delivers(&mut inbox, "r-3.json", &json!(3));
    has_nothing(&mut inbox);
    place.is_untouched();
}

#[tokio::test]
async fn one_folder_reached_by_two_paths_wakes_both_readers() {
    let place = Place::new();
    let first = OpenFolder::open(&place.folder()).unwrap();
    let second = OpenFolder::open(&place.host().join("../box")).unwrap();
    let watches = FolderWatch::start_all([first, second]).unwrap();
    fs::write(place.at("r-1.json"), "1").unwrap();
    for watch in watches {
        assert!(timeout(SOON, watch.changed()).await.is_ok());
    }
}

#[test]
fn what_the_host_writes_can_be_read_by_the_sandbox_and_its_folders_belong_to_it() {
    let root = tempfile::tempdir().unwrap();
    let (layout, pack) = (Layout::new(root.path().join("ipc")), PackName::new("p").unwrap());
    let root_user = rustix::process::geteuid().is_root();
    let owner = root_user.then_some(54321);
    make_folders_for(&layout, std::slice::from_ref(&pack), owner).unwrap();
    let us = rustix::process::geteuid().as_raw();
    for folder in Layout::folders(&[pack]) {
        let meta = fs::symlink_metadata(layout.folder(&folder)).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o755, "{folder:?}");
        let expected = owner.filter(|_| folder.agent_writes()).unwrap_or(us);
        assert_eq!(meta.uid(), expected, "{folder:?}");
    }
    let receipts = layout.folder(&Folder::Receipts);
    write_json(&receipts, "a.json", &json!(1)).unwrap();
    let mode = fs::metadata(receipts.join("a.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_link_in_the_place_of_a_folder_gives_nobody_what_it_leads_to() {
    let place = Place::new();
    let layout = Layout::new(place.folder());
    symlink(place.host(), layout.folder(&Folder::Output)).unwrap();
    let before = fs::metadata(place.host()).unwrap();
    assert!(make_folders_for(&layout, &[], Some(54321)).is_err());
    let after = fs::metadata(place.host()).unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    place.is_untouched();
}

/// Names the mailbox of the test below, when it runs again as an ordinary user.
const UNREADABLE: &str = "SYMPOZIUM_TEST_UNREADABLE";

#[test]
fn a_file_that_an_ordinary_user_may_not_read_is_set_aside() {
    if let Some(folder) = std::env::var_os(UNREADABLE) {
        let mut inbox: Inbox<Value> = Inbox::open(Path::new(&folder), InboxConfig::of("r-")).unwrap();
        assert_eq!(reason(&mut inbox), "it may not be read");
        return has_nothing(&mut inbox);
    }
    let place = Place::new();
    fs::write(place.at("r-1.json"), SECRET).unwrap();
    fs::set_permissions(place.at("r-1.json"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    if rustix::process::geteuid().is_root() {
        // Where this program is, others may not be able to go.
        let program = place.root.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(place.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(place.folder(), Some(54321), Some(54321)).unwrap();
        again = Command::new(program);
        again.uid(54321).gid(54321).current_dir("/");
    }
    again.args(["--exact", "--nocapture", "--test-threads=1"]);
    again.arg("ipc::mailbox::flooded_tests::a_file_that_an_ordinary_user_may_not_read_is_set_aside");
    let ended = again.env(UNREADABLE, place.folder()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(names(&place.folder()), ["rejected"]);
    place.is_untouched();
}
