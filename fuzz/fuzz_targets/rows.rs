#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom::graph::fuzzing::rows(bytes));
