//! Inputs whose witness is in the surrounding transaction of type `0x05`.

use alloy_consensus::Header;
use alloy_primitives::{Address, Bytes, Sealed};
use codec::{ExecuteTx, OwnedWitness, SignedExecuteTx};
use execute::{Answer, Dialect, ExecuteError, Executed, ExecutionSpecs, PrecompileCall, Refused};
use std::{borrow::Cow, sync::Arc};
use wire::{DecodeError, Input, StatelessInput};

/// First byte of the header of an RLP list.
const RLP_LIST: u8 = 0xc0;
/// Number of items that a witness in RLP may have, regardless of its length. Without a limit, a
/// block could contain millions of items of one byte.
const SHORT_ITEMS: usize = 64;
/// Bytes of the witness required for each further item. Nodes have at least 32 bytes, and so few
/// codes are shorter that no witness needs more items.
const BYTES_PER_ITEM: usize = 32;

/// EXECUTE for calldata that is a stateless input without its witness, which is a field of the
/// surrounding transaction of type `0x05`. Result, charge and failure of the call are the same as
/// with the whole input in its calldata.
///
/// The fields of the transaction bind it to one block of an L2: pre-state root, fee recipient,
/// number, timestamp and, if given, parent beacon block root must be those of the payload. Outside
/// of such a transaction every call fails.
///
/// The calls of a transaction share its witness, and each pays for its bytes: the intrinsic gas of
/// the transaction pays for carrying them, but not for hashing them in each call.
///
/// The witness may also be in geth's RLP format, which is converted to SSZ. The calls pay for the
/// bytes of the SSZ.
#[derive(Debug, Clone, Default)]
pub struct ExecuteTail {
    surrounding: Option<SurroundingTransaction>,
}

/// The surrounding transaction.
#[derive(Debug, Clone)]
struct SurroundingTransaction {
    transaction: Arc<Sealed<SignedExecuteTx>>,
    /// Its witness as the end of an input. The intrinsic gas pays for a single conversion, but not
    /// for one per call.
    witness: Result<Bytes, TailRefusal>,
}

/// Reasons why an input cannot be assembled from a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TailRefusal {
    /// The surrounding transaction has another type.
    #[error("the call is not in a transaction of type 0x05, which contains the witness")]
    NoTransaction,
    /// The witness starts like geth's format, but is malformed or has too many items.
    #[error("witness of the transaction: {0}")]
    Witness(DecodeError),
    /// The calldata is longer than an input without its witness, or is a batch.
    #[error(
        "calldata of {got} bytes, expected the {expected} in front of the witness of one block"
    )]
    Head {
        /// Bytes of the calldata.
        got: usize,
        /// Position of the witness.
        expected: usize,
    },
    /// A field of the transaction differs from the block's.
    #[error("{field} of the transaction is not that of the block")]
    Field {
        /// The field.
        field: &'static str,
    },
}

impl From<TailRefusal> for ExecuteError {
    fn from(refusal: TailRefusal) -> Self {
        let kind = match refusal {
            TailRefusal::NoTransaction => "noExecuteTx",
            TailRefusal::Witness(_) => "executeTxWitness",
            TailRefusal::Head { .. } => "executeTxHead",
            TailRefusal::Field { .. } => "executeTxField",
        };
        Self::Variant { kind, reason: refusal.to_string() }
    }
}

impl ExecuteTail {
    /// Name of the dialect in logs.
    pub const NAME: &'static str = "EXECUTE (transaction)";

    /// Creates the dialect for calls in a transaction.
    pub fn of(transaction: Arc<Sealed<SignedExecuteTx>>) -> Self {
        let witness = Self::witness(&transaction.inner().tx.witness);
        Self { surrounding: Some(SurroundingTransaction { transaction, witness }) }
    }

    /// Returns the witness of a transaction as the end of an input. The first byte determines its
    /// format: SSZ begins with a small offset, and geth's RLP with a list header.
    ///
    /// # Errors
    ///
    /// [`TailRefusal::Witness`] if it begins with a list header, and is not geth's RLP or has too
    /// many items.
    pub fn witness(of_transaction: &Bytes) -> Result<Bytes, TailRefusal> {
        if of_transaction.first().is_none_or(|first| *first < RLP_LIST) {
            return Ok(of_transaction.clone());
        }
        let limit = SHORT_ITEMS + of_transaction.len() / BYTES_PER_ITEM;
        let witness = OwnedWitness::from_geth_rlp_within(of_transaction, limit);
        Ok(witness.map_err(TailRefusal::Witness)?.to_ssz().into())
    }

    pub(crate) fn transaction(&self) -> Option<&Arc<Sealed<SignedExecuteTx>>> {
        self.surrounding.as_ref().map(|outer| &outer.transaction)
    }

    /// Returns the surrounding transaction and the end of its input.
    fn parts(&self) -> Result<(&ExecuteTx, &Bytes), TailRefusal> {
        let surrounding = self.surrounding.as_ref().ok_or(TailRefusal::NoTransaction)?;
        let witness = surrounding.witness.as_ref().map_err(Clone::clone)?;
        Ok((&surrounding.transaction.inner().tx, witness))
    }

    /// Checks that an input belongs to this transaction: its calldata ends where the witness
    /// begins, and the fields match.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the input cannot be decoded, or does not belong to the transaction.
    pub fn check(tx: &ExecuteTx, head: usize, input: &[u8]) -> Result<(), ExecuteError> {
        let decoded = Input::decode(input)?;
        let Input::Block(block) = &decoded else {
            return Err(TailRefusal::Head { got: head, expected: 0 }.into());
        };
        let expected = witness_at(input, block);
        if head != expected {
            return Err(TailRefusal::Head { got: head, expected }.into());
        }
        let payload = &block.request.payload;
        let parent = block.witness.headers.last();
        let parent = parent.and_then(|header| alloy_rlp::decode_exact::<Header>(header).ok());
        let root = parent.map(|parent| parent.state_root);
        let anchor =
            tx.anchor().is_none_or(|anchor| anchor == block.request.parent_beacon_block_root);
        for (field, is_same) in [
            // Without its parent the block is rejected for that reason.
            ("pre-state root", root.is_none_or(|root| root == tx.pre_state_root)),
            ("coinbase", payload.fee_recipient == tx.coinbase),
            ("block number", payload.block_number == tx.block_number),
            ("timestamp", payload.timestamp == tx.timestamp),
            ("anchor", anchor),
        ] {
            if !is_same {
                return Err(TailRefusal::Field { field }.into());
            }
        }
        Ok(())
    }

    /// Returns the position of the witness in the input of a single block.
    pub fn split_at(input: &[u8]) -> Option<usize> {
        match Input::decode(input).ok()? {
            Input::Block(block) => Some(witness_at(input, &block)),
            Input::Batch(_) => None,
        }
    }
}

/// Returns the position of the witness, which is the last part of an input.
fn witness_at(input: &[u8], block: &StatelessInput<'_>) -> usize {
    input.len().saturating_sub(block.witness.encoded_len())
}

impl Dialect for ExecuteTail {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn address(&self) -> Address {
        ExecuteTx::PRECOMPILE
    }

    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        Ok(call.calldata.len() + self.parts()?.1.len())
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        let (tx, witness) = self.parts()?;
        let input = [call.calldata, witness].concat();
        Self::check(tx, call.calldata.len(), &input)?;
        Ok(Cow::Owned(input))
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        ExecutionSpecs.answer(calldata, outcome)
    }
}
