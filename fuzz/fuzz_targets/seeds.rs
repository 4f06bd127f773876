//! No target: its start writes the corpus. It is built as the others are, so that nothing is built twice.

#![no_main]

libfuzzer_sys::fuzz_target!(init: reefloom_fuzz::seeds::write(), |_bytes: &[u8]| {});
