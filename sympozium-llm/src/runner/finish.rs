//! What a runner leaves behind: `output/result.json`, and the same on standard output for people and old tooling.

use std::io::Write;
use sympozium_core::error::chain;
use sympozium_core::ipc::mailbox::{MailboxError, write_json};
use sympozium_core::ipc::{Folder, Layout, result_line};
use sympozium_core::memory;
use sympozium_core::run::AgentResult;

/// Writes the result. It holds the answer as the model gave it, its memory block included: whoever shows it takes that out
/// with [`memory::extract`], and whoever keeps memories takes it from there.
pub(super) fn leave(result: &AgentResult, layout: &Layout) -> Result<(), MailboxError> {
    print(result);
    write_json(&layout.folder(&Folder::Output), "result.json", result)
}

fn print(result: &AgentResult) {
    let mut text = String::new();
    if let Some(block) = memory::extract(&result.response).memory {
        text = format!("{}\n{block}\n{}\n", memory::START, memory::END);
    }
    text.push_str(&result_line(result));
    text.push('\n');
    let mut out = std::io::stdout().lock();
    // Nobody may be listening; the file is what counts.
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(error = chain(&error), "the result could not be printed");
    }
}
