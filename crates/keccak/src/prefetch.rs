//! Prefetches the bytes of a message before a lane needs them.
#![allow(unsafe_code, reason = "the prefetch instruction takes a pointer")]

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Cache lines of the longest trie node (532 bytes at any alignment are at most ten lines, and the
/// tenth is hardly ever touched). The hardware prefetcher handles longer messages.
const LINES: usize = 9;

/// Starts to fetch the first bytes of `message`.
///
/// If all messages are in the cache, this has no measurable cost. If they are not, hashing trie
/// nodes takes a third less time.
#[inline]
pub(crate) fn prefetch(message: &[u8]) {
    // No loop over the length: mispredicted branches would cost more than unnecessary prefetches.
    for line in 0..LINES {
        let address = message.as_ptr().wrapping_add(64 * line);
        // SAFETY: a prefetch only affects the caches, for any address, and every x86-64 CPU has the
        // instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}
