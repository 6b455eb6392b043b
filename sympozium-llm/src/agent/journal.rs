//! What makes a run repeatable: [`CallJournal`] keeps the answer of each tool call.
//!
//! A run that is begun again asks for the same model turns and gets the recorded answers. The tool calls in them must get
//! the answers of the first time too, or the next turn would be another one: a file may have changed since it was read.

use async_trait::async_trait;
use sympozium_core::chat::{ToolCall, ToolResult};
use uuid::Uuid;

/// Keeps answers of tool calls. `()` keeps none.
#[async_trait]
pub trait CallJournal: Send + Sync {
    /// The answer that was kept under `id` for exactly this call.
    async fn find(&self, id: Uuid, call: &ToolCall) -> Option<ToolResult>;

    /// Keeps an answer. A failure to do so is not the call's: the run goes on, and can't be repeated from there.
    async fn keep(&self, id: Uuid, call: &ToolCall, result: &ToolResult);
}

#[async_trait]
impl CallJournal for () {
    async fn find(&self, _: Uuid, _: &ToolCall) -> Option<ToolResult> {
        None
    }

    async fn keep(&self, _: Uuid, _: &ToolCall, _: &ToolResult) {}
}
