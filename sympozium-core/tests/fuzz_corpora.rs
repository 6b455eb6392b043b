//! Every input that the repository stores for fuzzing, through the same entry points, in an ordinary test.
#![cfg(feature = "ipc")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::path::Path;
use sympozium_core::fuzz_entry;

fn each_input(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| entry(&input));
        assert!(outcome.is_ok(), "see above for what {} does", path.display());
        count += 1;
    }
    assert!(count > 5, "{target} has {count} stored inputs");
}

#[test]
fn stored_conversations_settle() {
    each_input("shorten", fuzz_entry::shorten);
}

#[test]
fn stored_memories_merge() {
    each_input("memory_merge", fuzz_entry::memory_merge);
}

#[test]
fn stored_messages_are_read_and_written() {
    each_input("ipc_messages", fuzz_entry::ipc_messages);
}

#[test]
fn stored_paths_stay_below_their_roots() {
    each_input("resolve_path", fuzz_entry::resolve_path);
}
