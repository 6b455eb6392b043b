//! The suite of [`SessionStore`].

use super::{at, fails, fresh_instance, fresh_run, ok, same, some};
use crate::chat::{Message, Part, Thinking, ToolCall, ToolResult, Usage};
use crate::ids::{CallId, InstanceRef, RunUid, SessionKey, ToolName};
use crate::store::{Page, Session, SessionFilter, SessionId, SessionStore, Turn};
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

/// Checks a [`SessionStore`].
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn session_store(store: &dyn SessionStore) {
    a_key_names_one_session(store).await;
    callers_at_the_same_time_get_the_same_session(store).await;
    turns_come_back_as_they_were(store).await;
    repeated_turns_are_skipped(store).await;
    another_message_in_the_same_place_adds_nothing(store).await;
    a_transcript_is_read_in_parts_while_it_grows(store).await;
    concurrent_turns_are_all_kept_once(store).await;
    sessions_are_listed_by_last_use(store).await;
    filters_narrow_the_list(store).await;
    text_is_found_whatever_its_case_and_signs(store).await;
    deleted_sessions_are_gone(store).await;
    what_is_unknown_is_not_found(store).await;
    senseless_questions_are_refused(store).await;
}

fn key(text: &str) -> SessionKey {
    ok(SessionKey::new(text), "the suite's session key is valid")
}

fn turn(run: RunUid, index: u32, text: &str) -> Turn {
    Turn {
        run,
        index,
        message: Message::user(text),
        usage: None,
        at: at(i64::from(index)),
    }
}

async fn open(store: &dyn SessionStore, instance: &InstanceRef, name: &str) -> Session {
    ok(
        store.open(instance, &key(name), at(0)).await,
        "a session can be opened",
    )
}

async fn append(store: &dyn SessionStore, id: SessionId, turns: &[Turn]) {
    ok(store.append(id, turns).await, "turns can be appended");
}

async fn transcript(store: &dyn SessionStore, id: SessionId) -> Vec<Turn> {
    let page = ok(store.transcript(id, None, 1000).await, "a transcript can be read");
    same(
        &page.next,
        &None,
        "a transcript that was read whole has no next part",
    );
    page.items
}

async fn list(
    store: &dyn SessionStore,
    filter: &SessionFilter,
    cursor: Option<&str>,
    limit: u32,
) -> Page<Session> {
    ok(store.list(filter, cursor, limit).await, "sessions can be listed")
}

async fn ids(store: &dyn SessionStore, filter: &SessionFilter) -> Vec<SessionId> {
    let page = list(store, filter, None, 1000).await;
    page.items.into_iter().map(|session| session.id).collect()
}

async fn a_key_names_one_session(store: &dyn SessionStore) {
    let (one, two) = (fresh_instance(), fresh_instance());
    let first = open(store, &one, "k").await;
    let wanted = Session {
        id: first.id,
        instance: one.clone(),
        key: key("k"),
        created_at: at(0),
        updated_at: at(0),
        turns: 0,
    };
    same(
        &first,
        &wanted,
        "a new session is empty and as old as its opening",
    );
    let again = ok(
        store.open(&one, &key("k"), at(9)).await,
        "a session can be opened again",
    );
    same(&again, &first, "opening a session again gives it back unchanged");
    assert!(
        open(store, &one, "K").await.id != first.id,
        "keys that differ in case name two sessions"
    );
    assert!(
        open(store, &two, "k").await.id != first.id,
        "two instances share no session"
    );
}

async fn callers_at_the_same_time_get_the_same_session(store: &dyn SessionStore) {
    let instance = fresh_instance();
    let opened = join_all((0..20).map(|_| open(store, &instance, "shared"))).await;
    for session in &opened {
        same(
            &Some(session.id),
            &opened.first().map(|first| first.id),
            "callers that open one key at the same time get one session",
        );
    }
}

async fn turns_come_back_as_they_were(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "whole ✓ %").await;
    let run = fresh_run();
    let id = ok(CallId::new("call/1 ü"), "the suite's call id is valid");
    let call = ToolCall {
        id: id.clone(),
        name: ok(ToolName::new("read_file"), "the suite's tool name is valid"),
        arguments: json!({"z": 1, "a": [1.5, null, "\u{0}", -9_007_199_254_740_993_i64], "m": {"b": u64::MAX}}),
    };
    let mut answer = Message::assistant("ünïcode \u{1F389}\nand a NUL \u{0} too");
    answer.parts.insert(
        0,
        Part::Thinking(Thinking {
            text: "hm".to_owned(),
            signature: Some("s==".to_owned()),
            redacted: None,
        }),
    );
    answer.parts.push(Part::ToolCall(call));
    let turns = vec![
        turn(run, 0, "task"),
        Turn {
            message: answer,
            usage: Some(Usage {
                input_tokens: u64::MAX,
                output_tokens: 2,
                ..Usage::default()
            }),
            ..turn(run, 1, "")
        },
        Turn {
            message: Message::tool_results(vec![ToolResult {
                id,
                content: "x".repeat(300_000),
                is_error: true,
            }]),
            ..turn(run, 2, "")
        },
    ];
    append(store, session.id, &turns).await;
    same(
        &transcript(store, session.id).await,
        &turns,
        "turns come back as they were stored, in that order",
    );
    let now = open(store, &session.instance, "whole ✓ %").await;
    same(
        &(now.turns, now.created_at, now.updated_at),
        &(3, at(0), at(2)),
        "a session counts its turns and says when the latest was stored",
    );
}

async fn repeated_turns_are_skipped(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "again").await;
    let (run, other) = (fresh_run(), fresh_run());
    append(store, session.id, &[turn(run, 0, "a"), turn(run, 1, "b")]).await;
    let late = Turn {
        at: at(500),
        ..turn(run, 1, "b")
    };
    append(store, session.id, &[late, turn(run, 2, "c"), turn(other, 0, "d")]).await;
    append(store, session.id, &[]).await;
    let wanted = vec![
        turn(run, 0, "a"),
        turn(run, 1, "b"),
        turn(run, 2, "c"),
        turn(other, 0, "d"),
    ];
    same(
        &transcript(store, session.id).await,
        &wanted,
        "a repeated turn is skipped, new ones beside it are added",
    );
    let now = open(store, &session.instance, "again").await;
    same(
        &(now.turns, now.updated_at),
        &(4, at(2)),
        "a repeated turn counts for nothing",
    );
}

async fn another_message_in_the_same_place_adds_nothing(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "conflict").await;
    let run = fresh_run();
    append(store, session.id, &[turn(run, 0, "a")]).await;
    fails(
        store
            .append(session.id, &[turn(run, 1, "new"), turn(run, 0, "another")])
            .await,
        "conflict",
        "another message in the place of a stored one is a conflict",
    );
    fails(
        store
            .append(session.id, &[turn(run, 1, "x"), turn(run, 1, "y")])
            .await,
        "conflict",
        "two messages for one place in one call are a conflict",
    );
    same(
        &transcript(store, session.id).await,
        &vec![turn(run, 0, "a")],
        "a conflict adds nothing at all",
    );
}

async fn a_transcript_is_read_in_parts_while_it_grows(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "parts").await;
    let run = fresh_run();
    let mut wanted: Vec<Turn> = (0..7).map(|i| turn(run, i, &format!("m{i}"))).collect();
    append(store, session.id, &wanted).await;
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for round in 0..20 {
        let page = ok(
            store.transcript(session.id, cursor.as_deref(), 3).await,
            "a part of a transcript can be read",
        );
        assert!(page.items.len() <= 3, "a part has at most `limit` entries");
        found.extend(page.items);
        if round == 0 {
            let more = turn(fresh_run(), 0, "while reading");
            append(store, session.id, std::slice::from_ref(&more)).await;
            wanted.push(more);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    same(
        &found,
        &wanted,
        "parts put together are the transcript, without gaps or repetitions",
    );
}

async fn concurrent_turns_are_all_kept_once(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "busy").await;
    let runs: Vec<RunUid> = (0..15).map(|_| fresh_run()).collect();
    // Every run stores its turns twice, as after a lost answer.
    let writers = runs.iter().chain(&runs).map(|run| async {
        for index in 0..3 {
            append(store, session.id, &[turn(*run, index, "t")]).await;
        }
    });
    join_all(writers).await;
    let found = transcript(store, session.id).await;
    same(
        &found.len(),
        &45,
        "turns that are stored at the same time are all kept, each once",
    );
    for run in runs {
        let order: Vec<u32> = found.iter().filter(|t| t.run == run).map(|t| t.index).collect();
        same(&order, &vec![0, 1, 2], "the turns of one writer stay in order");
    }
}

async fn sessions_are_listed_by_last_use(store: &dyn SessionStore) {
    let instance = fresh_instance();
    let filter = SessionFilter {
        instance: Some(instance.clone()),
        ..SessionFilter::default()
    };
    let mut sessions = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        sessions.push(open(store, &instance, name).await.id);
    }
    let used = some(sessions.first().copied(), "a session was opened");
    append(store, used, &[turn(fresh_run(), 50, "x")]).await;
    let whole = list(store, &filter, None, 1000).await;
    same(&whole.items.len(), &5, "all sessions of an instance are listed");
    same(&whole.next, &None, "the whole list has no next part");
    same(
        &whole.items.first().map(|s| s.id),
        &Some(used),
        "the session that was used last comes first",
    );
    let (mut parts, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..20 {
        let page = list(store, &filter, cursor.as_deref(), 2).await;
        assert!(page.items.len() <= 2, "a part has at most `limit` entries");
        parts.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    same(
        &parts,
        &whole.items,
        "parts put together are the list, also where sessions are equally old",
    );
}

async fn filters_narrow_the_list(store: &dyn SessionStore) {
    let (one, two) = (fresh_instance(), fresh_instance());
    let wanted = open(store, &one, "k").await.id;
    open(store, &one, "other").await;
    let other = open(store, &two, "k").await.id;
    let mut filter = SessionFilter {
        instance: Some(one),
        key: Some(key("k")),
        text: None,
    };
    same(
        &ids(store, &filter).await,
        &vec![wanted],
        "instance and key together name one session",
    );
    filter.instance = Some(two);
    same(
        &ids(store, &filter).await,
        &vec![other],
        "a filter is for its instance",
    );
    filter.key = Some(key("nobody"));
    same(
        &ids(store, &filter).await,
        &vec![],
        "an unknown key lists nothing",
    );
}

async fn text_is_found_whatever_its_case_and_signs(store: &dyn SessionStore) {
    let instance = fresh_instance();
    let session = open(store, &instance, "search").await.id;
    let decoy = open(store, &instance, "decoy").await.id;
    open(store, &instance, "empty").await;
    append(
        store,
        session,
        &[turn(fresh_run(), 0, "100% Ärger_in a!b \\ 'quoted' \"C:\\dir\"")],
    )
    .await;
    append(store, decoy, &[turn(fresh_run(), 0, "1000 arger in ab quoted")]).await;
    for (text, found) in [
        ("100% är", true),
        ("ÄRGER_IN", true),
        ("a!B", true),
        ("'QUOTED'", true),
        ("c:\\DIR", true),
        ("\\ '", true),
        ("100%a", false),
        ("Ärger%in", false),
        ("_rger", false),
        ("ärger in", false),
        ("' OR 1=1 --", false),
    ] {
        let filter = SessionFilter {
            instance: Some(instance.clone()),
            key: None,
            text: Some(text.to_owned()),
        };
        let wanted = if found { vec![session] } else { vec![] };
        same(
            &ids(store, &filter).await,
            &wanted,
            &format!("{text:?} is found where it was said, and no sign in it is special"),
        );
    }
}

async fn deleted_sessions_are_gone(store: &dyn SessionStore) {
    let instance = fresh_instance();
    let session = open(store, &instance, "gone").await;
    let kept = open(store, &instance, "kept").await;
    let run = fresh_run();
    append(store, session.id, &[turn(run, 0, "a")]).await;
    append(store, kept.id, &[turn(run, 0, "a")]).await;
    ok(store.delete(session.id).await, "a session can be deleted");
    fails(
        store.delete(session.id).await,
        "not-found",
        "a deleted session can't be deleted again",
    );
    fails(
        store.append(session.id, &[turn(run, 1, "b")]).await,
        "not-found",
        "nothing is appended to a deleted session",
    );
    let again = open(store, &instance, "gone").await;
    assert!(
        again.id != session.id && again.turns == 0,
        "a deleted session's key opens a new one"
    );
    same(
        &transcript(store, again.id).await,
        &vec![],
        "a new session does not have an old one's turns",
    );
    same(
        &transcript(store, kept.id).await.len(),
        &1,
        "other sessions keep their turns",
    );
}

async fn what_is_unknown_is_not_found(store: &dyn SessionStore) {
    let id = SessionId(Uuid::new_v4());
    fails(
        store.transcript(id, None, 1).await,
        "not-found",
        "an unknown session has no transcript",
    );
    fails(
        store.append(id, &[]).await,
        "not-found",
        "an unknown session can't be appended to",
    );
    fails(
        store.delete(id).await,
        "not-found",
        "an unknown session can't be deleted",
    );
}

async fn senseless_questions_are_refused(store: &dyn SessionStore) {
    let session = open(store, &fresh_instance(), "senseless").await.id;
    let all = SessionFilter::default();
    fails(
        store.transcript(session, None, 0).await,
        "invalid",
        "a limit of 0 is refused",
    );
    fails(
        store.list(&all, None, 0).await,
        "invalid",
        "a limit of 0 is refused",
    );
    for cursor in ["", "nonsense", "' OR 1=1"] {
        fails(
            store.transcript(session, Some(cursor), 1).await,
            "invalid",
            "a cursor that no list gave is refused",
        );
        fails(
            store.list(&all, Some(cursor), 1).await,
            "invalid",
            "a cursor that no list gave is refused",
        );
    }
}
