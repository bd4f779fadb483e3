//! Headers of a witness: the parent, and the ancestors that BLOCKHASH may return.

use alloc::vec::Vec;
use alloy_consensus::Header;
use alloy_primitives::B256;
use executor::{EvmOverrides, Invalid};
use keccak::keccak256;
use wire::ByteLists;

/// A contiguous chain of ancestors that ends with the parent. Each is proven by the parent hash in
/// its child.
#[derive(Debug, Clone)]
pub struct Ancestors {
    parent: Header,
    /// Hashes from oldest to newest; the last is the parent's.
    hashes: Vec<B256>,
}

impl Ancestors {
    /// Decodes `headers` (oldest first) by the rules of `evm`, and checks that they are contiguous
    /// and end with `parent_hash`.
    pub fn verify(
        headers: ByteLists<'_>,
        parent_hash: B256,
        evm: &dyn EvmOverrides,
    ) -> Result<Self, Invalid> {
        let mut expected = parent_hash;
        let mut parent = None;
        let mut hashes = Vec::with_capacity(headers.len());
        // From the parent backwards, because a header is trusted only if its child is trusted and
        // contains its hash.
        for (index, bytes) in headers.iter().enumerate().rev() {
            let got = keccak256(bytes);
            // The hash is compared before the header is decoded, so that only committed bytes are
            // parsed.
            if got != expected {
                return Err(Invalid::BrokenAncestry { index, got, expected });
            }
            let header = evm
                .decode_header(bytes)
                .map_err(|reason| Invalid::MalformedHeader { index, reason })?;
            hashes.push(got);
            expected = header.parent_hash;
            parent.get_or_insert(header);
        }
        hashes.reverse();
        let parent = parent.ok_or(Invalid::NoParent)?;
        Ok(Self { parent, hashes })
    }

    /// Advances to the next block: `child` becomes the parent.
    pub(crate) fn push(&mut self, child: Header, hash: B256) {
        self.parent = child;
        self.hashes.push(hash);
    }

    /// Returns the parent's header.
    pub const fn parent(&self) -> &Header {
        &self.parent
    }

    /// Returns the hash of the ancestor with this number, if it is among the headers.
    pub fn hash_of(&self, number: u64) -> Option<B256> {
        // Block numbers come from headers that an attacker may have chosen, so all arithmetic is
        // checked.
        let back = usize::try_from(self.parent.number.checked_sub(number)?).ok()?;
        let index = self.hashes.len().checked_sub(1)?.checked_sub(back)?;
        self.hashes.get(index).copied()
    }
}
