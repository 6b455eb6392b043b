//! A conversation, as JSON, is brought into a form that every provider takes, and shortened: both settle at once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sympozium_core::chat::{Message, Shorten, shorten_tool_output, well_formed};

fuzz_target!(|data: &[u8]| {
    let Some((&keep, text)) = data.split_first() else { return };
    let Ok(messages) = serde_json::from_slice::<Vec<Message>>(text) else { return };
    let mut kept = well_formed(messages);
    assert_eq!(well_formed(kept.clone()), kept);
    let rule = Shorten { before: u32::MAX, keep: u32::from(keep) };
    shorten_tool_output(&mut kept, rule);
    assert_eq!(shorten_tool_output(&mut kept, rule), 0);
});
