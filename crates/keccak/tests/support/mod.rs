//! The hash that tests compare digests with.

use alloy_primitives::{B256, Keccak256};

/// Returns the library's digest; alloy's function `keccak256` may be that of this crate.
pub(crate) fn reference(message: impl AsRef<[u8]>) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(message);
    hasher.finalize()
}
