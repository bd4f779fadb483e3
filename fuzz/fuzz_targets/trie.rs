//! The trie compared with `alloy-trie`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzing::trie(data);
});
