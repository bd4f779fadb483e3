//! Mutated blocks and batches, with repaired hashes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::inputs(data);
});
