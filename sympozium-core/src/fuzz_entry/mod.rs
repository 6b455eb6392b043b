//! Entry points for fuzzing: bytes in, what must hold is asserted, nothing out.
//!
//! Not a part of the public interface. The fuzz targets in `fuzz/` call them, and an ordinary test calls them with every
//! stored input.

mod chat;
mod ipc;
mod memory;
#[cfg(all(unix, feature = "ipc"))]
mod path;

pub use chat::shorten;
pub use ipc::ipc_messages;
pub use memory::memory_merge;
#[cfg(all(unix, feature = "ipc"))]
pub use path::resolve_path;
