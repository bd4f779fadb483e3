//! Inputs whose witness is in the transaction of type `0x05` around the call.

use alloy_consensus::Header;
use alloy_primitives::{Address, Sealed};
use codec::{ExecuteTx, SignedExecuteTx};
use execute::{Answer, Dialect, ExecuteError, Executed, ExecutionSpecs, PrecompileCall, Refused};
use std::{borrow::Cow, sync::Arc};
use wire::{Input, StatelessInput};

/// EXECUTE for calldata that is a stateless input without its witness, which is a field of the transaction of type `0x05`
/// around the call. The call is answered, charged and refused like one with the whole input in its calldata.
///
/// The fields of the transaction bind it to one block of an L2: pre-state root, fee recipient, number, timestamp and, if
/// given, parent beacon block root are those of the payload. Outside of such a transaction each call fails.
///
/// The calls of a transaction share its witness, and each pays for its bytes: the intrinsic gas of the transaction pays
/// for carrying them, not for hashing them once more in each call.
#[derive(Debug, Clone, Default)]
pub struct ExecuteTail {
    transaction: Option<Arc<Sealed<SignedExecuteTx>>>,
}

/// Reasons for which an input cannot be had from a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TailRefusal {
    /// The transaction around the call has another type.
    #[error("a call outside of a transaction of type 0x05, which would have the witness")]
    NoTransaction,
    /// The calldata is longer than an input without its witness, or a batch.
    #[error(
        "calldata of {got} bytes, expected the {expected} in front of the witness of one block"
    )]
    Head {
        /// Bytes of the calldata.
        got: usize,
        /// Place of the witness.
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
            TailRefusal::Head { .. } => "executeTxHead",
            TailRefusal::Field { .. } => "executeTxField",
        };
        Self::Variant { kind, reason: refusal.to_string() }
    }
}

impl ExecuteTail {
    /// Name of the dialect in logs.
    pub const NAME: &'static str = "EXECUTE (transaction)";

    /// Creates the dialect for the calls in a transaction.
    pub const fn of(transaction: Arc<Sealed<SignedExecuteTx>>) -> Self {
        Self { transaction: Some(transaction) }
    }

    pub(crate) const fn transaction(&self) -> Option<&Arc<Sealed<SignedExecuteTx>>> {
        self.transaction.as_ref()
    }

    fn tx(&self) -> Result<&ExecuteTx, TailRefusal> {
        self.transaction.as_ref().map(|it| &it.inner().tx).ok_or(TailRefusal::NoTransaction)
    }

    /// Checks that an input of this transaction has its calldata in front of its witness, and its fields.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the input cannot be decoded, or is not one of the transaction.
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
        let parent = parent.and_then(|it| alloy_rlp::decode_exact::<Header>(it).ok());
        let root = parent.map(|parent| parent.state_root);
        let anchor = tx.anchor().is_none_or(|it| it == block.request.parent_beacon_block_root);
        for (field, is_same) in [
            // Without its parent the block is refused for that.
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

    /// Returns the place of the witness in the input of a single block.
    pub fn split_at(input: &[u8]) -> Option<usize> {
        match Input::decode(input).ok()? {
            Input::Block(block) => Some(witness_at(input, &block)),
            Input::Batch(_) => None,
        }
    }
}

/// The witness is the last part of an input.
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
        Ok(call.calldata.len() + self.tx()?.witness.len())
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        let tx = self.tx()?;
        let input = [call.calldata, &tx.witness].concat();
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
