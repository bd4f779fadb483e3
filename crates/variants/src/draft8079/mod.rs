//! The dialect of the EIP-8079 draft.

mod form;
mod rules;

pub use rules::{ANCHOR_ADDRESS, ANCHOR_CODE, ANCHOR_CODE_HASH};

use alloy_primitives::{Address, B256, Bytes, address};
use execute::{
    Answer, Dialect, ExecuteError, Executed, ExecutionSpecs, PrecompileCall, Refused, RuleViolation,
};
use executor::EvmOverrides;
use std::borrow::Cow;
use wire::{ProtocolFork, SchemaId, StatelessInput, StatelessResult};

/// Revision in the schema id of an input in the form of the EIP-8079 draft.
pub const DRAFT_REVISION: u8 = 0x79;
/// First byte of a transaction with blobs (EIP-4844).
const BLOB_TRANSACTION: u8 = 0x03;

/// EXECUTE in the dialect of the EIP-8079 draft, for single blocks of its chains: their headers end
/// with the burned base fees, and before each block a system call stores an anchor in the state, 32
/// bytes that the caller chooses.
///
/// Calldata is a stateless input with its own [revision](DRAFT_REVISION), the anchor as fourth
/// field, and the burned fees after the fixed part of the payload. The return data are the 43-byte
/// result, with the same revision, followed by the burned fees. The root in the result is that of
/// the request without the burned fees, which the block hash commits to.
///
/// Blocks in this form and in other forms belong to different chains. The call fails for any other
/// revision, including that of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft8079;

/// Values of a block in addition to those of its fork, and the rules for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DraftBlock {
    /// Data of the system call before the block.
    pub anchor: B256,
    /// Claimed sum of the base fees that the transactions pay, in wei: the last item of the header.
    pub burned_fees: u64,
}

impl Draft8079 {
    /// Address of the precompile.
    pub const ADDRESS: Address = address!("0x0000000000000000000000000000000000000104");
    /// Length of the return data, in bytes.
    pub const ANSWER_LEN: usize = StatelessResult::LEN + size_of::<u64>();
    /// Name for logs and tools.
    const NAME: &str = "EXECUTE (EIP-8079 draft)";

    /// Returns the schema id of the inputs of a fork.
    pub const fn schema(fork: ProtocolFork) -> SchemaId {
        SchemaId::new(fork.schema().get() - SchemaId::REVISION + DRAFT_REVISION as u16)
    }
}

impl Dialect for Draft8079 {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn address(&self) -> Address {
        Self::ADDRESS
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        // The copy is paid for: the price per byte covers decoding, which copies more.
        let (input, _) = DraftBlock::decode(call.calldata)?;
        // EXECUTE of the draft rejects blob transactions under any rules of this L1.
        let with_blobs = {
            let mut transactions =
                StatelessInput::decode(&input)?.request.payload.transactions.iter();
            transactions.position(|bytes| bytes.first() == Some(&BLOB_TRANSACTION))
        };
        match with_blobs {
            Some(index) => Err(RuleViolation::BlobTransaction { index }.into()),
            None => Ok(Cow::Owned(input)),
        }
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        Box::new(DraftBlock::peek(call.calldata).unwrap_or_default())
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let Answer { gas, output } = ExecutionSpecs.answer(calldata, outcome)?;
        let (_, block) = DraftBlock::decode(calldata)?;
        let mut output = output.to_vec();
        // Little-endian: the revision is the first byte.
        output[StatelessResult::SCHEMA] = DRAFT_REVISION;
        output.extend(block.burned_fees.to_le_bytes());
        Ok(Answer { gas, output: Bytes::from(output) })
    }
}
