//! Events of a rollup's contracts on L1.

use crate::{
    L1Error, RollupError, derivation,
    l1::{L1Header, L1Transaction, blobs::whole_input},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use contracts::{
    Deployment, Message,
    bindings::{
        IForcedInbox::{ForcedDischarged, ForcedSubmitted, ForcedTransaction},
        IL1MessageQueue::MessageSent,
        INativeRollup::{self, BlockAdded, Outcome, advanceCall},
    },
    kept::References,
};
use wire::SchemaId;

/// Most inputs that are tried in the calldata of a transaction to another contract. Of more, a trace tells.
const MAX_CANDIDATES: usize = 64;

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
    /// transaction that neither calls it itself nor has the inputs in its calldata, `assemble` what an input with
    /// references stands for, and `blobs` those of a transaction with these versioned hashes, which are kept for some
    /// weeks alone. Of blocks that are `known`, from the unsafe feed for instance, neither traces nor blobs are asked
    /// for.
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
            let (mut added, mut input_hashes) = (Vec::new(), Vec::new());
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
                } else if log.address == deployment.rollup
                    && let Ok(advanced) = INativeRollup::Advanced::decode_log(log)
                {
                    input_hashes.push(advanced.inputsHash);
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
            let needs_more =
                !transaction.blob_hashes.is_empty() || transaction.to != Some(deployment.rollup);
            if needs_more && added.iter().all(|(number, hash)| known(*number, hash)) {
                events.advanced.extend(added.into_iter().map(|(number, hash)| Advanced {
                    number,
                    hash,
                    input: None,
                    l1_block,
                    transaction: transaction_hash,
                }));
            } else if !added.is_empty() {
                let rollup = deployment.rollup;
                let inputs = inputs(rollup, transaction, &input_hashes, &trace, &assemble, &blobs)?;
                events.advanced.extend(matched(added, &inputs, l1_block, transaction_hash)?);
            }
        }
        Ok(events)
    }
}

/// The inputs that a transaction has given to `advance`, in order. `input_hashes` are those that the rollup has logged.
fn inputs(
    rollup: Address,
    transaction: &L1Transaction,
    input_hashes: &[B256],
    trace: &impl Fn(B256) -> Result<Vec<Bytes>, RollupError>,
    assemble: &impl Fn(Bytes) -> Result<Option<Bytes>, L1Error>,
    blobs: &impl Fn(B256, &[B256]) -> Result<Vec<Bytes>, L1Error>,
) -> Result<Vec<Bytes>, RollupError> {
    let is_direct = transaction.to == Some(rollup);
    let found = match is_direct {
        true => None,
        false => inputs_within(&transaction.input, input_hashes, assemble)?,
    };
    let given = match found {
        Some(inputs) => inputs,
        None => {
            let calls = match is_direct {
                true => vec![transaction.input.clone()],
                false => trace(transaction.hash)?,
            };
            let calls = calls.iter().filter_map(|data| advanceCall::abi_decode(data).ok());
            let given = calls.flat_map(|call| call.inputs);
            given.filter_map(|input| assemble(input).transpose()).collect::<Result<_, _>>()?
        }
    };
    let hashes = &transaction.blob_hashes;
    if hashes.is_empty() {
        return Ok(given);
    }
    let blobs = blobs(transaction.hash, hashes)?;
    Ok(given.iter().filter_map(|input| whole_input(input, &blobs)).collect())
}

/// Finds in the calldata of a transaction to another contract the inputs that it has passed on to the rollup: byte
/// strings with their length in front, as every ABI has them, whose rolling hash the rollup has logged. `None` if some of
/// the hashes have none, because the contract has the bytes from elsewhere or has changed them.
fn inputs_within(
    data: &Bytes,
    input_hashes: &[B256],
    assemble: &impl Fn(Bytes) -> Result<Option<Bytes>, L1Error>,
) -> Result<Option<Vec<Bytes>>, L1Error> {
    let mut candidates = Vec::new();
    for candidate in byte_strings(data).take(MAX_CANDIDATES) {
        if let Some(input) = assemble(candidate)? {
            candidates.push((keccak256(&input), input));
        }
    }
    let mut inputs = Vec::new();
    for expected in input_hashes {
        let Some(run) = run_of(&candidates, *expected) else { return Ok(None) };
        inputs.extend(run.iter().map(|(_, input)| input.clone()));
    }
    Ok((!inputs.is_empty()).then_some(inputs))
}

/// Returns the candidates behind one another that have this rolling hash.
fn run_of(candidates: &[(B256, Bytes)], expected: B256) -> Option<&[(B256, Bytes)]> {
    (0..candidates.len()).find_map(|first| {
        let mut hash = B256::ZERO;
        let last = candidates[first..].iter().position(|(input, _)| {
            hash = keccak256([hash, *input].concat());
            hash == expected
        })?;
        Some(&candidates[first..=first + last])
    })
}

/// Byte strings in calldata that begin as an input of EXECUTE does, with their length in the word in front.
fn byte_strings(data: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    const WORD: usize = 32;
    (WORD..data.len()).filter_map(|start| {
        let length = U256::from_be_slice(&data[start - WORD..start]);
        let end = usize::try_from(length).ok()?.checked_add(start)?;
        (end <= data.len() && is_input(&data[start..end])).then(|| data.slice(start..end))
    })
}

/// Returns `true` if bytes begin as an input of EXECUTE does, or as one with references.
fn is_input(bytes: &[u8]) -> bool {
    let is_known = |schema: SchemaId| schema.fork().is_some() || schema.batch_fork().is_some();
    SchemaId::of(bytes).is_ok_and(is_known)
        || References::of(bytes).is_ok_and(|references| references.is_some())
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
