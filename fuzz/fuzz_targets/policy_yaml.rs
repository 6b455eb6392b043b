//! A file with policies is read: see the entry point for what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sympozium_k8s::fuzz_entry::policy_yaml(data));
