//! The suite of [`MemoryStore`].

use super::{fails, fresh_instance, ok, same, some};
use crate::ids::InstanceRef;
use crate::memory::{Memory, MemoryStore};
use futures::future::join_all;

/// Checks a [`MemoryStore`].
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn memory_store(store: &dyn MemoryStore) {
    what_is_saved_is_loaded(store).await;
    texts_come_back_as_they_were(store).await;
    a_stale_version_is_a_conflict(store).await;
    of_savers_at_the_same_time_one_wins(store).await;
    instances_share_nothing(store).await;
    a_cleared_memory_is_gone(store).await;
}

fn memory(text: &str, version: &str) -> Memory {
    Memory {
        text: text.to_owned(),
        version: version.to_owned(),
    }
}

async fn load(store: &dyn MemoryStore, instance: &InstanceRef) -> Option<Memory> {
    ok(store.load(instance).await, "a memory can be loaded")
}

async fn save(store: &dyn MemoryStore, instance: &InstanceRef, memory: Memory) -> Memory {
    ok(
        store.save(instance, memory).await,
        "a memory can be saved at its current version",
    )
}

async fn what_is_saved_is_loaded(store: &dyn MemoryStore) {
    let instance = fresh_instance();
    same(
        &load(store, &instance).await,
        &None,
        "an instance without a memory has none",
    );
    let first = save(store, &instance, memory("# One\n", "")).await;
    assert!(!first.version.is_empty(), "a saved memory has a version");
    same(&first.text, &"# One\n".to_owned(), "saving gives the text back");
    same(
        &load(store, &instance).await,
        &Some(first.clone()),
        "what was saved is loaded",
    );
    let second = save(store, &instance, memory("# Two\n", &first.version)).await;
    assert!(
        second.version != first.version,
        "another text has another version"
    );
    same(
        &load(store, &instance).await,
        &Some(second),
        "what was saved last is loaded",
    );
}

async fn texts_come_back_as_they_were(store: &dyn MemoryStore) {
    let large = "ü\n".repeat(20_000);
    for text in ["", "no newline", "\r\n tabs\t and \u{1F389} \n\n", large.as_str()] {
        let instance = fresh_instance();
        let saved = save(store, &instance, memory(text, "")).await;
        same(
            &load(store, &instance).await,
            &Some(saved),
            "what was saved is loaded",
        );
        let loaded = some(load(store, &instance).await, "a saved memory is there");
        assert!(
            loaded.text == text,
            "a text comes back as it was: {:.40?}",
            loaded.text
        );
    }
}

async fn a_stale_version_is_a_conflict(store: &dyn MemoryStore) {
    let instance = fresh_instance();
    let first = save(store, &instance, memory("first", "")).await;
    let second = save(store, &instance, memory("second", &first.version)).await;
    for version in [first.version.as_str(), "", "no version at all"] {
        fails(
            store.save(&instance, memory("lost", version)).await,
            "conflict",
            "a text made from an older version is not saved",
        );
    }
    same(
        &load(store, &instance).await,
        &Some(second),
        "a conflict changes nothing",
    );
    fails(
        store
            .save(&fresh_instance(), memory("lost", &first.version))
            .await,
        "conflict",
        "a version of a memory that is not there is a conflict",
    );
}

async fn of_savers_at_the_same_time_one_wins(store: &dyn MemoryStore) {
    let instance = fresh_instance();
    let mut version = String::new();
    for round in 0..3 {
        let texts: Vec<String> = (0..10).map(|i| format!("round {round}, saver {i}")).collect();
        let at_once = texts
            .iter()
            .map(|text| store.save(&instance, memory(text, &version)));
        let saved: Vec<Memory> = join_all(at_once)
            .await
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        same(&saved.len(), &1, "of savers at the same version exactly one wins");
        let there = some(load(store, &instance).await, "a saved memory is there");
        same(&saved, &vec![there.clone()], "the winner's text is what is there");
        version = there.version;
    }
}

async fn instances_share_nothing(store: &dyn MemoryStore) {
    let one = fresh_instance();
    let elsewhere = InstanceRef {
        namespace: ok(
            crate::ids::Namespace::new("suite-2"),
            "the suite's namespace is valid",
        ),
        name: one.name.clone(),
    };
    let saved = save(store, &one, memory("mine", "")).await;
    same(
        &load(store, &elsewhere).await,
        &None,
        "an instance of the same name in another namespace is another one",
    );
    save(store, &elsewhere, memory("theirs", "")).await;
    ok(store.clear(&elsewhere).await, "a memory can be cleared");
    same(
        &load(store, &one).await,
        &Some(saved),
        "clearing one memory leaves the others",
    );
}

async fn a_cleared_memory_is_gone(store: &dyn MemoryStore) {
    let instance = fresh_instance();
    ok(
        store.clear(&instance).await,
        "clearing a memory that is not there is no error",
    );
    let first = save(store, &instance, memory("text", "")).await;
    ok(store.clear(&instance).await, "a memory can be cleared");
    same(&load(store, &instance).await, &None, "a cleared memory is gone");
    fails(
        store.save(&instance, memory("back", &first.version)).await,
        "conflict",
        "a text made from a cleared memory is not saved",
    );
    save(store, &instance, memory("new", "")).await;
}
