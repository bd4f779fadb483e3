//! What may stand in a block that EXECUTE verifies.

use stateless::{Transaction, UncheckedBlock};

/// Whether a block may cause execution requests (EIP-7685).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestPolicy {
    /// Requests are verified with the block and go nowhere.
    ///
    /// Under Prague and later any user can cause one by calling a predeploy, so an L2 that refuses
    /// requests can be halted by any of its users.
    #[default]
    Ignore,
    /// A block that causes a request is refused, as ethrex does.
    Refuse,
}

/// The rule profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// What an L2 without blobs and validators may hold: blob fields zero, no blob transactions, no
    /// withdrawals.
    L2 {
        /// What happens to execution requests.
        requests: RequestPolicy,
    },
    /// Any valid block: for blocks of L1 itself, and for fixtures.
    L1,
}

impl Default for Rules {
    fn default() -> Self {
        Self::L2 { requests: RequestPolicy::Ignore }
    }
}

/// Why a block that may be valid by consensus cannot be a block of an L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum RuleViolation {
    /// A blob field of the header is not zero.
    #[error("L2 rules: {field} is {got}, expected 0")]
    BlobField {
        /// The field.
        field: &'static str,
        /// Its value.
        got: u64,
    },
    /// There are blob hashes.
    #[error("L2 rules: {0} versioned hashes, expected none")]
    VersionedHashes(usize),
    /// A transaction carries blobs.
    #[error("L2 rules: transaction {index} is a blob transaction")]
    BlobTransaction {
        /// Position in the block.
        index: usize,
    },
    /// There are withdrawals.
    #[error("L2 rules: {0} withdrawals, expected none")]
    Withdrawals(usize),
    /// There are execution requests, and the policy refuses them.
    #[error("L2 rules: the block causes execution requests, which the policy refuses")]
    Requests,
}

impl Rules {
    /// Checks a block by these rules. None of them looks at the state.
    pub fn check(&self, block: &UncheckedBlock<'_, '_>) -> Result<(), RuleViolation> {
        let Self::L2 { requests } = self else { return Ok(()) };
        let UncheckedBlock { request, transactions } = block;
        let payload = &request.payload;
        for (field, got) in
            [("blob_gas_used", payload.blob_gas_used), ("excess_blob_gas", payload.excess_blob_gas)]
        {
            if got != 0 {
                return Err(RuleViolation::BlobField { field, got });
            }
        }
        if !request.versioned_hashes.is_empty() {
            return Err(RuleViolation::VersionedHashes(request.versioned_hashes.len()));
        }
        if let Some(index) = transactions.iter().position(Transaction::is_eip4844) {
            return Err(RuleViolation::BlobTransaction { index });
        }
        if !payload.withdrawals.is_empty() {
            return Err(RuleViolation::Withdrawals(payload.withdrawals.len()));
        }
        if *requests == RequestPolicy::Refuse && !request.execution_requests.is_empty() {
            return Err(RuleViolation::Requests);
        }
        Ok(())
    }
}
