//! Checks of a client on a received [`PrefixUpdate`].

use crate::{Domain, HeaderError, HeaderSummary, PrefixUpdate, SignatureError};
use alloy_primitives::{Address, B256};
use core::fmt;
use wire::SchemaId;

/// Maximum depth of an L1 block in a condition. L1 serves the hashes of 8,191 blocks (EIP-2935), so
/// evidence can still be submitted for hours.
pub const MAX_CONDITION_DEPTH: u64 = 7_000;

/// View of both chains against which a client checks an update.
#[derive(Clone, Copy)]
pub struct ClientView<'a> {
    /// Domain of the messages.
    pub domain: Domain,
    /// The rollup.
    pub rollup: Address,
    /// Hash of the L2 head: a block on L1, or one that the same account has sealed.
    pub head: B256,
    /// Number of that block.
    pub number: u64,
    /// Returns the schema id of a block with this timestamp.
    pub schema_at: &'a dyn Fn(u64) -> Option<SchemaId>,
    /// Number of L1's head.
    pub l1_head: u64,
    /// Returns `true` if L1's chain has this block.
    pub is_canonical: &'a dyn Fn(u64, B256) -> bool,
}

impl fmt::Debug for ClientView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, rollup, head, number, l1_head, .. } = self;
        f.debug_struct("ClientView")
            .field("domain", domain)
            .field("rollup", rollup)
            .field("head", head)
            .field("number", number)
            .field("l1_head", l1_head)
            .finish_non_exhaustive()
    }
}

/// Checks an update except for its transactions. Returns its header and its signer.
///
/// The caller must check that the signer may sequence the rollup, and then execute the transactions
/// on the parent. If the result is another header, the signature is evidence of a lie
/// ([`faults::lie`](crate::faults::lie)).
///
/// # Errors
///
/// [`Unacceptable`] if the update must be ignored.
pub fn accept(
    update: &PrefixUpdate,
    view: &ClientView<'_>,
) -> Result<(HeaderSummary, Address), Unacceptable> {
    let message = &update.message;
    if message.rollup != view.rollup {
        return Err(Unacceptable::Rollup { got: message.rollup, expected: view.rollup });
    }
    let header = HeaderSummary::read(&update.header)?;
    if header.hash != message.block_hash {
        let (got, expected) = (header.hash, message.block_hash);
        return Err(Unacceptable::HeaderMismatch { got, expected });
    }
    let signer = message.signer(&view.domain, update.signature.as_slice())?;
    if (header.parent, header.number) != (view.head, view.number.saturating_add(1)) {
        let (got, expected) = (header.parent, view.head);
        return Err(Unacceptable::Parent { number: header.number, got, expected });
    }
    let expected = (view.schema_at)(header.timestamp);
    if expected != Some(message.schema) {
        return Err(Unacceptable::Schema { got: message.schema, expected });
    }
    if !message.is_unconditional() {
        let (number, hash) = (message.l1_block, message.l1_hash);
        if view.l1_head.saturating_sub(number) > MAX_CONDITION_DEPTH {
            let (head, limit) = (view.l1_head, MAX_CONDITION_DEPTH);
            return Err(Unacceptable::ConditionTooDeep { number, head, limit });
        }
        if !(view.is_canonical)(number, hash) {
            return Err(Unacceptable::Condition { number, hash });
        }
    }
    Ok((header, signer))
}

/// Reason why an update is ignored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// The message is about another rollup.
    #[error("preconfirmation of rollup {got}, expected {expected}")]
    Rollup {
        /// The rollup of the message.
        got: Address,
        /// The rollup of the client.
        expected: Address,
    },
    /// The header is malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header does not have the signed hash.
    #[error("header hash {got}, expected {expected}")]
    HeaderMismatch {
        /// Hash of the header.
        got: B256,
        /// Hash in the message.
        expected: B256,
    },
    /// The signature is invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The block does not follow the client's head.
    #[error("preconfirmed block {number} on {got}, expected on {expected}")]
    Parent {
        /// Number of the block.
        number: u64,
        /// Hash of its parent.
        got: B256,
        /// Hash of the client's head.
        expected: B256,
    },
    /// The message has the schema id of another fork.
    #[error("preconfirmation with schema id {got}, expected {expected:?}")]
    Schema {
        /// Schema id of the message.
        got: SchemaId,
        /// Schema id at the block's timestamp.
        expected: Option<SchemaId>,
    },
    /// L1's chain does not have the block on which the promise depends.
    #[error("the promise depends on L1 block {number} ({hash}), which L1 does not have")]
    Condition {
        /// Number of the L1 block.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The promise depends on an L1 block that is too old for evidence to be accepted.
    #[error("the promise depends on L1 block {number}, more than {limit} before L1's head {head}")]
    ConditionTooDeep {
        /// Number of the L1 block.
        number: u64,
        /// Number of L1's head.
        head: u64,
        /// Maximum depth.
        limit: u64,
    },
}
