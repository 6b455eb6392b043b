//! A path of a model is resolved and opened: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_core::fuzz_entry::resolve_path(data));
