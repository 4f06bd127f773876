#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reefloom_fuzz::keyring::run(bytes));
