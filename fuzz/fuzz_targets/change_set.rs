#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom::workspace::fuzzing::change_set(bytes));
