//! Hash function for alloy and revm, which call it if alloy's feature `native-keccak` is enabled.
#![allow(unsafe_code, reason = "alloy passes pointers; 0.58 of the time of its own hash")]

use alloy_primitives::FixedBytes;
use core::slice;

/// Writes the digest of `len` bytes to the 32 bytes at `output`.
// SAFETY: nothing else has this name: two definitions would not link.
#[unsafe(no_mangle)]
unsafe extern "C" fn native_keccak256(bytes: *const u8, len: usize, output: *mut FixedBytes<32>) {
    // SAFETY: alloy passes a slice, and a buffer for 32 bytes of any content and alignment.
    unsafe { output.write(crate::keccak256(slice::from_raw_parts(bytes, len))) };
}
