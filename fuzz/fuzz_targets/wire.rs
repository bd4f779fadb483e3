//! Decoding of inputs, results and states in compact form.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::wire(data);
});
