//! Short form of a message's accounts, for the search of messages by account.

use alloy_primitives::Address;
use disk::{DiskError, Reader, Writer};

/// The last four bytes of a message's sender, target and refund account.
///
/// Indexes keep it in memory for each message, where full addresses would take 60 bytes. Other
/// accounts may have the same bytes, so the addresses of a found message must be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parties([[u8; 4]; 3]);

const fn short(account: Address) -> [u8; 4] {
    let [.., a, b, c, d] = account.into_array();
    [a, b, c, d]
}

impl Parties {
    pub(crate) const fn new(sender: Address, to: Address, refund_to: Address) -> Self {
        Self([short(sender), short(to), short(refund_to)])
    }

    /// Returns `false` if the message certainly does not concern this account.
    pub(crate) fn may_include(self, account: Address) -> bool {
        self.0.contains(&short(account))
    }

    pub(crate) fn put(self, out: &mut Writer) {
        out.raw(self.0.as_flattened());
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, DiskError> {
        Ok(Self([from.array()?, from.array()?, from.array()?]))
    }
}
