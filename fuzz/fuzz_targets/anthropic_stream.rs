//! An answer in Anthropic's form, decoded from any bytes in any pieces: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_llm::fuzz_entry::anthropic_stream(data));
