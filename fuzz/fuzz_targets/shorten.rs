//! A conversation is brought into a form that every provider takes, and shortened: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_core::fuzz_entry::shorten(data));
