#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom_fuzz::car::run(bytes));
