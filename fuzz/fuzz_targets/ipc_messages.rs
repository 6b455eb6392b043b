//! Files below `/ipc` are read: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_core::fuzz_entry::ipc_messages(data));
