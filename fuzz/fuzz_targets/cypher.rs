#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom::language::fuzzing::cypher(bytes));
