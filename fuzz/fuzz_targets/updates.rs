//! Updates of signed prefixes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::updates(data);
});
