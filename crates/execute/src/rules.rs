//! Restrictions on the blocks that EXECUTE accepts.

use stateless::Transaction;
use wire::NewPayloadRequest;

/// Policy for blocks with execution requests (EIP-7685).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestPolicy {
    /// Requests are verified with the block and have no other effect.
    ///
    /// Since Prague, any user can cause a request by calling a predeploy, so any user can halt an
    /// L2 that rejects requests.
    #[default]
    Ignore,
    /// A block that causes a request is rejected, as ethrex does.
    Refuse,
}

/// The rule profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Blocks of an L2 without blobs and validators: blob fields zero, no blob transactions, no
    /// withdrawals.
    L2 {
        /// Policy for execution requests.
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

/// Reason why a block cannot be a block of an L2, even if it is valid by consensus rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum RuleViolation {
    /// A blob field of the header is not zero.
    #[error("L2 rules: {field} is {got}, expected 0")]
    BlobField {
        /// The field.
        field: &'static str,
        /// Its value in the header.
        got: u64,
    },
    /// The request has blob hashes.
    #[error("L2 rules: {0} versioned hashes, expected none")]
    VersionedHashes(usize),
    /// A transaction carries blobs.
    #[error("L2 rules: transaction {index} is a blob transaction")]
    BlobTransaction {
        /// Position in the block.
        index: usize,
    },
    /// The payload has withdrawals.
    #[error("L2 rules: {0} withdrawals, expected none")]
    Withdrawals(usize),
    /// The block causes execution requests, and the policy rejects them.
    #[error("L2 rules: the block causes execution requests, which the policy rejects")]
    Requests,
}

impl Rules {
    /// Checks a block and its decoded transactions by these rules, which do not depend on the
    /// state.
    pub fn check(
        &self,
        request: &NewPayloadRequest<'_>,
        transactions: &[Transaction],
    ) -> Result<(), RuleViolation> {
        let Self::L2 { requests } = self else { return Ok(()) };
        let payload = &request.payload;
        // A nonzero excess is rejected too: even without blobs, it would change BLOBBASEFEE on the
        // L2.
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
