//! Programs that answer one question each. This library holds nothing that they use.
//!
//! | Question | Program |
//! | --- | --- |
//! | How do I give an agent a tool of my own? | `custom_tool.rs` |
//! | How do I bring a model provider of my own, behind the gateway? | `custom_provider.rs` |
//! | How do I keep memories in a place of my own, and know that it is right? | `custom_memory_store.rs` |
//! | What do my policies say about a run? | `policy_check.rs` |
//! | How do I put an agent into my own program? | `embed_the_loop.rs` |
//!
//! What they print is in `expected/`, and a test compares it. The Rust in the pages of `docs/` is compiled here too, as
//! doc tests.

#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/writing-tools.md")]
    mod writing_tools {}
    #[doc = include_str!("../../docs/writing-providers.md")]
    mod writing_providers {}
}
