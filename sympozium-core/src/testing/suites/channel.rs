//! The suite of [`Channel`].

use super::{ok, same, some};
use crate::channel::{Channel, ChannelError, Inbound, Outbound};
use crate::error::{Classify, Retry};
use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use std::{collections::BTreeSet, time::Duration};

/// How long something that has to come may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The chat that the suite uses.
const CHAT: &str = "suite-chat";

/// The chat platform of a channel under test: mostly a small server that speaks the platform's own protocol.
#[async_trait]
pub trait ChannelPeer: Send + Sync {
    /// A person says this in that chat.
    async fn say(&self, chat: &str, text: &str);

    /// What was sent to that chat so far, oldest first; a message that was split is several.
    async fn heard(&self, chat: &str) -> Vec<String>;

    /// The next message is refused for good.
    async fn refuse_next(&self);

    /// The next message is answered by a request to wait that long (whole seconds).
    async fn slow_down_next(&self, after: Duration);

    /// The connection for messages from people breaks.
    async fn break_connection(&self);
}

/// Checks a [`Channel`] against a platform that does as it is told.
///
/// # Panics
/// When it does not behave as its trait says.
pub async fn channel(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    what_people_say_comes_once_and_in_order(channel, peer).await;
    what_is_sent_is_heard_whole(channel, peer).await;
    a_refused_message_is_not_tried_again(channel, peer).await;
    a_request_to_slow_down_says_for_how_long(channel, peer).await;
    a_broken_connection_is_told_and_a_new_one_works(channel, peer).await;
}

type Messages = BoxStream<'static, Result<Inbound, ChannelError>>;

async fn listen(channel: &dyn Channel) -> Messages {
    ok(channel.inbound().await, "a channel can be listened to")
}

async fn next(messages: &mut Messages, expected: &str) -> Option<Result<Inbound, ChannelError>> {
    let Ok(message) = tokio::time::timeout(DEADLINE, messages.next()).await else {
        panic!("{expected}, but nothing came within {DEADLINE:?}")
    };
    message
}

async fn next_message(messages: &mut Messages) -> Inbound {
    let expected = "what a person says comes in";
    ok(some(next(messages, expected).await, expected), expected)
}

fn message(id: &str, text: &str) -> Outbound {
    Outbound {
        id: id.to_owned(),
        chat_id: CHAT.to_owned(),
        text: text.to_owned(),
    }
}

async fn what_people_say_comes_once_and_in_order(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    let mut messages = listen(channel).await;
    let said = ["hello", "Grüße \u{1F389}", "two\nlines", "hello"];
    let mut ids = BTreeSet::new();
    for text in said {
        peer.say(CHAT, text).await;
        let found = next_message(&mut messages).await;
        same(
            &(found.text.as_str(), found.chat_id.as_str()),
            &(text, CHAT),
            "a message comes as it was said",
        );
        assert!(!found.sender_id.is_empty(), "a message says who said it");
        assert!(
            ids.insert(found.message_id),
            "each message has an id of its own, also when the words are the same"
        );
    }
}

async fn what_is_sent_is_heard_whole(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    let long = "A line of forty characters, more or less.\n".repeat(500);
    for (id, text) in [("a", "hello"), ("b", "Grüße \u{1F389}"), ("c", long.as_str())] {
        let before = peer.heard(CHAT).await.concat();
        let given = ok(channel.send(message(id, text)).await, "a message can be sent");
        assert!(
            !given.is_empty(),
            "sending gives the platform's id of the message"
        );
        let heard = peer.heard(CHAT).await.concat();
        let new = heard.strip_prefix(&before).unwrap_or_default();
        // Where a long message is split, the blank at the edge may go.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        same(&words(new), &words(text), "a message is heard whole");
    }
}

async fn a_refused_message_is_not_tried_again(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    let before = peer.heard(CHAT).await;
    peer.refuse_next().await;
    match channel.send(message("d", "not welcome")).await {
        Ok(id) => panic!("a refused message is an error, but it gave the id {id}"),
        Err(error) => same(
            &error.retry(),
            &Retry::Never,
            "a refused message is not worth a repetition",
        ),
    }
    same(&peer.heard(CHAT).await, &before, "a refused message is not heard");
}

async fn a_request_to_slow_down_says_for_how_long(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    let after = Duration::from_secs(3);
    peer.slow_down_next(after).await;
    match channel.send(message("e", "too fast")).await {
        Ok(id) => panic!("a request to slow down is an error, but it gave the id {id}"),
        Err(error) => same(
            &error.retry(),
            &Retry::After(after),
            "the time that the platform asks for is handed on",
        ),
    }
    ok(
        channel.send(message("e", "again")).await,
        "after that a message can be sent",
    );
}

async fn a_broken_connection_is_told_and_a_new_one_works(channel: &dyn Channel, peer: &dyn ChannelPeer) {
    let mut messages = listen(channel).await;
    peer.break_connection().await;
    match next(&mut messages, "a broken connection is told").await {
        Some(Err(error)) => assert!(
            error.retry() != Retry::Never,
            "a broken connection may be made anew"
        ),
        other => panic!("a broken connection is an error, but it gave {other:?}"),
    }
    assert!(
        next(&mut messages, "after its error a stream ends")
            .await
            .is_none(),
        "after its error a stream ends"
    );
    let mut messages = listen(channel).await;
    peer.say(CHAT, "after the break").await;
    same(
        &next_message(&mut messages).await.text,
        &"after the break".to_owned(),
        "a new connection brings what is said",
    );
}
