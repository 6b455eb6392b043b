//! Conversations.

use crate::chat::{Message, Shorten, shorten_tool_output, well_formed};

/// A conversation, as JSON behind one byte, is brought into a form that every provider takes, and shortened: both settle
/// at once.
///
/// # Panics
/// When that does not hold.
pub fn shorten(data: &[u8]) {
    let Some((&keep, text)) = data.split_first() else {
        return;
    };
    let Ok(messages) = serde_json::from_slice::<Vec<Message>>(text) else {
        return;
    };
    let mut kept = well_formed(messages);
    assert_eq!(
        well_formed(kept.clone()),
        kept,
        "a well-formed conversation was changed"
    );
    let rule = Shorten {
        before: u32::MAX,
        keep: u32::from(keep),
    };
    shorten_tool_output(&mut kept, rule);
    assert_eq!(
        shorten_tool_output(&mut kept, rule),
        0,
        "shortened output was shortened again"
    );
}
