//! Events of a rollup's contracts on L1.

use crate::{
    L1Error, RollupError, derivation,
    l1::{L1Header, L1Transaction, blobs::whole_input},
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use contracts::{
    Deployment, Message,
    bindings::{
        IForcedInbox::{ForcedDischarged, ForcedSubmitted, ForcedTransaction},
        IL1MessageQueue::MessageSent,
        INativeRollup::{BlockAdded, Outcome, advanceCall},
    },
};

/// A message that was sent on L1.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The message.
    pub message: Message,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Time of that block.
    pub l1_timestamp: u64,
}

/// A transaction that was submitted on L1.
#[derive(Debug, Clone)]
pub struct ForcedEntry {
    /// Its number in the queue.
    pub index: u64,
    /// The queue's record of it.
    pub transaction: ForcedTransaction,
    /// The transaction as it stands in an L2 block.
    pub raw: Bytes,
    /// Number of the L1 block.
    pub l1_block: u64,
}

/// An L2 block that L1 has taken.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// Number of the L2 block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The input of EXECUTE that holds it, alone or in a batch; `None` if it ends in blobs and the block was
    /// known, so that no consensus client was asked for them.
    pub input: Option<Bytes>,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// The L1 transaction.
    pub transaction: B256,
}

/// Events of one L1 block.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) messages: Vec<SentMessage>,
    pub(crate) forced: Vec<ForcedEntry>,
    pub(crate) advanced: Vec<Advanced>,
    /// Numbers of the forced transactions that are dealt with for good.
    pub(crate) discharged: Vec<u64>,
}

impl Events {
    /// Reads the logs of a block in their order. `trace` finds the calldata of calls of the rollup inside a
    /// transaction that does not call it itself, `assemble` what an input with references stands for, and `blobs`
    /// those of a transaction with these versioned hashes, which are kept for some weeks alone: of blocks that
    /// are `known` they are not asked for.
    pub(crate) fn read(
        deployment: &Deployment,
        header: &L1Header,
        transactions: &[L1Transaction],
        trace: impl Fn(B256) -> Result<Vec<Bytes>, RollupError>,
        assemble: impl Fn(Bytes) -> Result<Option<Bytes>, L1Error>,
        blobs: impl Fn(B256, &[B256]) -> Result<Vec<Bytes>, L1Error>,
        known: impl Fn(u64, &B256) -> bool,
    ) -> Result<Self, RollupError> {
        let mut events = Self::default();
        for transaction in transactions {
            let mut added = Vec::new();
            for log in &transaction.logs {
                if log.address == deployment.message_queue {
                    let sent = MessageSent::decode_log(log).ok();
                    if let Some(message) = sent.and_then(|sent| Message::from_event(&sent)) {
                        events.messages.push(SentMessage {
                            message,
                            l1_block: header.number,
                            l1_timestamp: header.timestamp,
                        });
                    }
                } else if log.address == deployment.forced {
                    if let Ok(submitted) = ForcedSubmitted::decode_log(log) {
                        events.forced.push(ForcedEntry {
                            index: submitted.index,
                            transaction: submitted.transaction.clone(),
                            raw: submitted.raw.clone(),
                            l1_block: header.number,
                        });
                    }
                } else if log.address == deployment.rollup
                    && let Ok(block) = BlockAdded::decode_log(log)
                    // The constructor names the first block, which no node has to execute.
                    && block.blockHash != deployment.genesis_hash
                {
                    added.push((block.number, block.blockHash));
                }
                // The queue itself says what has become of its entries.
                if log.address == deployment.forced
                    && let Ok(dealt) = ForcedDischarged::decode_log(log)
                    && dealt.outcome != Outcome::NoRoom as u8
                {
                    events.discharged.push(dealt.index);
                }
            }
            let (l1_block, transaction_hash) = (header.number, transaction.hash);
            if !transaction.blob_hashes.is_empty()
                && added.iter().all(|(number, hash)| known(*number, hash))
            {
                events.advanced.extend(added.into_iter().map(|(number, hash)| Advanced {
                    number,
                    hash,
                    input: None,
                    l1_block,
                    transaction: transaction_hash,
                }));
            } else if !added.is_empty() {
                let inputs = inputs(deployment.rollup, transaction, &trace, &assemble, &blobs)?;
                events.advanced.extend(matched(added, &inputs, l1_block, transaction_hash)?);
            }
        }
        Ok(events)
    }
}

/// The inputs that a transaction has given to `advance`, in order.
fn inputs(
    rollup: Address,
    transaction: &L1Transaction,
    trace: &impl Fn(B256) -> Result<Vec<Bytes>, RollupError>,
    assemble: &impl Fn(Bytes) -> Result<Option<Bytes>, L1Error>,
    blobs: &impl Fn(B256, &[B256]) -> Result<Vec<Bytes>, L1Error>,
) -> Result<Vec<Bytes>, RollupError> {
    let calls = match transaction.to == Some(rollup) {
        true => vec![transaction.input.clone()],
        false => trace(transaction.hash)?,
    };
    let calls = calls.iter().filter_map(|data| advanceCall::abi_decode(data).ok());
    let given = calls.flat_map(|call| call.inputs);
    let given: Vec<_> =
        given.filter_map(|input| assemble(input).transpose()).collect::<Result<_, _>>()?;
    let hashes = &transaction.blob_hashes;
    if hashes.is_empty() {
        return Ok(given);
    }
    let blobs = blobs(transaction.hash, hashes)?;
    Ok(given.iter().filter_map(|input| whole_input(input, &blobs)).collect())
}

/// Brings together the blocks that L1 has named and the inputs that hold them. The order is the same;
/// inputs of calls that failed lie between.
fn matched(
    added: Vec<(u64, B256)>,
    inputs: &[Bytes],
    l1_block: u64,
    transaction: B256,
) -> Result<Vec<Advanced>, RollupError> {
    let mut held = inputs.iter().flat_map(|input| {
        let hashes = derivation::hashes_in(input);
        hashes.into_iter().map(move |hash| (hash, input))
    });
    added
        .into_iter()
        .map(|(number, hash)| {
            let found = held.find(|(held, _)| *held == hash);
            let (_, input) = found.ok_or(RollupError::DataMissing { transaction, number })?;
            Ok(Advanced { number, hash, input: Some(input.clone()), l1_block, transaction })
        })
        .collect()
}
