//! Calls of EXECUTE in each dialect.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::dialects(data);
});
