//! Inputs whose tail is in blobs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::blob_tails(data);
});
