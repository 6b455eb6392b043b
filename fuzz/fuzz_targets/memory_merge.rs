//! A memory is taken out of an answer and merged: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_core::fuzz_entry::memory_merge(data));
