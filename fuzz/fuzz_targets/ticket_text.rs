#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom::replication::fuzzing::ticket_text(bytes));
