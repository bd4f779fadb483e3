//! Derivation of the L2's inputs from L1 blocks.
//!
//! [`derive()`] is a pure function of an L1 block, its verified logs, and data that was fetched
//! before. It reads no clock and sends no requests. If some data is missing, it returns a [`RequiredData`];
//! the caller fetches the data and derives the block again.

use crate::{
    ClaimedMessage, DataAvailability, Events, ForcedDischarge, ForcedEntry, L1Header,
    L1Transaction, PostedBlock, RequiredData, SentMessage,
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, Log};
use alloy_sol_types::SolEvent as _;
use codec::{blob_tail::Trailer, with_empty_witness};
use contracts::{
    Deployment, Message, advance_inputs,
    bindings::{
        IForcedInbox::{ForcedDischarged, ForcedSubmitted},
        IL1MessageQueue::{
            MessageClaimed, MessageRefunded, MessageSent, QueuePaused, QueueResumed,
        },
        INativeRollup::{Advanced as AdvancedLog, BlockAdded, Forwarded, Outcome},
    },
    code_reference::{CodeReference, References},
};
use execute::{Dialect as _, PrecompileCall};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use variants::ExecuteTail;
use wire::Input;

/// Result of deriving an L1 block.
#[derive(Debug, Clone)]
pub enum Derived {
    /// All of the rollup's events in the block.
    Complete(Events),
    /// The first piece of data that is missing.
    Missing(RequiredData),
}

/// None of a transaction's inputs contains an L2 block that it has added. L1 cannot have accepted
/// such a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no input of L1 transaction {transaction} contains L2 block {number}, which it added")]
pub struct DataMissing {
    /// Transaction hash.
    pub transaction: B256,
    /// Number of the L2 block.
    pub number: u64,
}

/// Derives an L1 block from its transactions with logs of the rollup's contracts, in order. If all
/// L2 blocks of a transaction are known (`is_known`), e.g. from the unsafe feed, its inputs are not
/// needed. This avoids requests for blobs, which consensus clients drop after some weeks.
///
/// # Errors
///
/// [`DataMissing`] if a transaction does not contain an L2 block that it has added.
pub fn derive(
    deployment: &Deployment,
    header: &L1Header,
    transactions: &[L1Transaction],
    data: &impl DataAvailability,
    is_known: impl Fn(u64, &B256) -> bool,
) -> Result<Derived, DataMissing> {
    let mut events = Events::default();
    for transaction in transactions {
        let mut added = Vec::new();
        for log in &transaction.logs {
            add_log(deployment, header, transaction.hash, log, &mut events, &mut added);
        }
        if added.is_empty() {
            continue;
        }
        let mut blocks = posted(&added, header.number, transaction);
        let has_blobs = !transaction.blob_hashes.is_empty();
        if !has_blobs || !blocks.iter().all(|block| is_known(block.number, &block.hash)) {
            match inputs(deployment.rollup, transaction, data) {
                Ok(inputs) => {
                    let inputs = match deployment.verification.allows_prefixes() {
                        true => inputs.into_iter().map(completed).collect(),
                        false => inputs,
                    };
                    set_inputs(&mut blocks, &inputs)?;
                }
                Err(need) => return Ok(Derived::Missing(need)),
            }
        }
        events.advanced.extend(blocks);
    }
    Ok(Derived::Complete(events))
}

/// Adds the event of a log to `events`, and the number and hash of an L2 block to `added`.
fn add_log(
    deployment: &Deployment,
    header: &L1Header,
    l1_transaction: B256,
    log: &Log,
    events: &mut Events,
    added: &mut Vec<BlockNumHash>,
) {
    if log.address == deployment.message_queue {
        let sent = MessageSent::decode_log(log).ok();
        if let Some(message) = sent.and_then(|sent| Message::from_event(&sent)) {
            let (l1_block, l1_timestamp) = (header.number, header.timestamp);
            events.messages.push(SentMessage { message, l1_block, l1_timestamp, l1_transaction });
        }
        add_claim(log, header.number, l1_transaction, events);
    } else if log.address == deployment.forced {
        if let Ok(submitted) = ForcedSubmitted::decode_log(log) {
            events.forced.push(ForcedEntry {
                index: submitted.index,
                transaction: submitted.transaction.clone(),
                raw: submitted.raw.clone(),
                l1_block: header.number,
                l1_transaction,
            });
        }
    } else if log.address == deployment.rollup
        && let Ok(block) = BlockAdded::decode_log(log)
        // The constructor logs the genesis block, which has no input.
        && block.blockHash != deployment.genesis_hash
    {
        added.push(BlockNumHash::new(block.number, block.blockHash));
    }
    // Discharges are logged by the queue, not by the rollup.
    if log.address == deployment.forced
        && let Ok(discharged) = ForcedDischarged::decode_log(log)
        && discharged.outcome != Outcome::NoRoom as u8
    {
        events
            .discharged
            .push(ForcedDischarge { index: discharged.index, outcome: discharged.outcome });
    }
}

/// Adds the event of a log of the message queue about a claim or a pause.
fn add_claim(log: &Log, l1_block: u64, l1_transaction: B256, events: &mut Events) {
    let claimed = |index: u64, is_refunded: bool| ClaimedMessage {
        index,
        is_refunded,
        l1_block,
        l1_transaction,
    };
    if let Ok(event) = MessageClaimed::decode_log(log) {
        events.claimed.push(claimed(event.index, false));
    } else if let Ok(event) = MessageRefunded::decode_log(log) {
        events.claimed.push(claimed(event.index, true));
    } else if let Ok(event) = QueuePaused::decode_log(log) {
        events.pauses.push(event.until);
    } else if QueueResumed::decode_log(log).is_ok() {
        events.pauses.push(0);
    }
}

/// Returns the inputs that a transaction has passed to `advance`, in order.
fn inputs(
    rollup: Address,
    transaction: &L1Transaction,
    data: &impl DataAvailability,
) -> Result<Vec<Bytes>, RequiredData> {
    let calls = advance_calls(rollup, transaction);
    let inputs = all_assembled(calls.iter().filter_map(advance_inputs).flatten().collect(), data)?;
    let inputs = match &transaction.execute {
        Some(execute) => joined(inputs, &ExecuteTail::of(Arc::clone(execute))),
        None => inputs,
    };
    let hashes = &transaction.blob_hashes;
    if hashes.is_empty() {
        return Ok(inputs);
    }
    let blobs: Option<Vec<Bytes>> = hashes.iter().map(|hash| data.blob(hash).cloned()).collect();
    let blobs = blobs.ok_or_else(|| RequiredData::Blobs(transaction.hash, hashes.clone()))?;
    Ok(inputs.iter().filter_map(|input| whole_input(input, &blobs)).collect())
}

/// Returns the calldata of each call to `advance` in a transaction, in order. The rollup logs it
/// before `Advanced`, unless the call is the transaction itself.
fn advance_calls(rollup: Address, transaction: &L1Transaction) -> Vec<Bytes> {
    let (mut calls, mut forwarded) = (Vec::new(), None);
    for log in transaction.logs.iter().filter(|log| log.address == rollup) {
        if let Ok(event) = Forwarded::decode_log(log) {
            forwarded = Some(event.data.data);
        } else if AdvancedLog::decode_log(log).is_ok() {
            calls.push(forwarded.take().unwrap_or_else(|| transaction.input.clone()));
        }
    }
    calls
}

/// Assembles inputs, without those whose references do not resolve. All missing codes are needed at
/// once, because the block is derived again after they are fetched.
fn all_assembled(
    inputs: Vec<Bytes>,
    data: &impl DataAvailability,
) -> Result<Vec<Bytes>, RequiredData> {
    let references = inputs.iter().filter_map(|input| References::of(input).ok()?);
    let accounts = references.flat_map(|reference| reference.accounts().collect::<Vec<_>>());
    let missing: BTreeSet<_> =
        accounts.filter(|account| data.kept_code(account).is_none()).collect();
    if !missing.is_empty() {
        return Err(RequiredData::Codes(missing));
    }
    let kept_at = |account| Ok(data.kept_code(&account).flatten().cloned());
    inputs.into_iter().filter_map(|input| assembled(input, kept_at).transpose()).collect()
}

/// Joins heads of inputs with the witness of the enclosing transaction of type `0x05`. An input
/// that is not a head of the transaction's block is returned unchanged, since it may be a complete
/// input.
fn joined(inputs: Vec<Bytes>, tail: &ExecuteTail) -> Vec<Bytes> {
    let join = |input: Bytes| {
        let call = PrecompileCall { calldata: &input, blob_hashes: &[] };
        match tail.input(&call) {
            Ok(whole) => whole.into_owned().into(),
            Err(_) => input,
        }
    };
    inputs.into_iter().map(join).collect()
}

/// Resolves an input's code references with the codes of accounts on L1. An input without
/// references is returned unchanged. Returns `None` if references are malformed or do not resolve,
/// since the contract cannot have accepted such an input.
///
/// # Errors
///
/// The first error of looking up a code.
pub fn assembled<E>(
    input: Bytes,
    kept_at: impl Fn(Address) -> Result<Option<CodeReference>, E>,
) -> Result<Option<Bytes>, E> {
    let references = match References::of(&input) {
        Ok(None) => return Ok(Some(input)),
        Ok(Some(references)) => references,
        Err(_) => return Ok(None),
    };
    let mut codes = BTreeMap::new();
    for account in references.accounts() {
        if !codes.contains_key(&account)
            && let Some(found) = kept_at(account)?
        {
            codes.insert(account, found);
        }
    }
    let whole = references.assemble(|account| codes.get(&account));
    if let Err(reason) = &whole {
        tracing::warn!(%reason, "ignored L1 input with unresolved code references");
    }
    Ok(whole.ok().map(Bytes::from))
}

/// Returns the blocks that the rollup has logged in a transaction, without inputs.
fn posted(
    added: &[BlockNumHash],
    l1_block: u64,
    l1_transaction: &L1Transaction,
) -> Vec<PostedBlock> {
    let &L1Transaction { hash: transaction, cost, .. } = l1_transaction;
    let (Some(&BlockNumHash { number: first, .. }), Some(&last)) = (added.first(), added.last())
    else {
        return Vec::new();
    };
    let block = |&BlockNumHash { number, hash }: &BlockNumHash| PostedBlock {
        number,
        hash,
        l1_block,
        transaction,
        first,
        last,
        cost,
        input: None,
    };
    added.iter().map(block).collect()
}

/// Sets the inputs that contain the blocks of a transaction. Both have the same order.
fn set_inputs(blocks: &mut [PostedBlock], inputs: &[Bytes]) -> Result<(), DataMissing> {
    let mut contained = inputs.iter().flat_map(|input| {
        let hashes = hashes_in(input);
        hashes.into_iter().map(move |hash| (hash, input))
    });
    for block in blocks {
        let PostedBlock { number, transaction, .. } = *block;
        let found = contained.find(|(hash, _)| *hash == block.hash);
        let (_, input) = found.ok_or(DataMissing { transaction, number })?;
        block.input = Some(input.clone());
    }
    Ok(())
}

/// Returns the hashes of the blocks in an EXECUTE input, in order; empty if it cannot be decoded.
pub fn hashes_in(bytes: &[u8]) -> Vec<B256> {
    let decoded = Input::decode(bytes);
    let hashes = |decoded: Input<'_>| {
        decoded.requests().iter().map(|request| request.payload.block_hash).collect()
    };
    decoded.map(hashes).unwrap_or_default()
}

/// Appends an empty witness to an input that ends where its witness would start: a node executes
/// blocks on its own state and does not need one. Any other input is returned unchanged.
fn completed(input: Bytes) -> Bytes {
    with_empty_witness(&input).map_or(input, Bytes::from)
}

/// Joins the head of an EXECUTE input with its tail in the blobs of its transaction. Returns `None`
/// if EXECUTE cannot have accepted the input, since any caller of the rollup can choose the
/// calldata.
fn whole_input(input: &[u8], blobs: &[Bytes]) -> Option<Bytes> {
    let (head, trailer) = Trailer::split(input).ok()?;
    let own = blobs.get(trailer.blobs())?;
    trailer.pieces(head).ok()?.join(own).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::blob_tail::{MIN_HEAD, to_blobs};

    #[test]
    fn malformed_blob_inputs_are_ignored() {
        let input = vec![7; MIN_HEAD + 1_000];
        let (head, tail) = input.split_at(MIN_HEAD);
        let blobs: Vec<Bytes> =
            [&b"other"[..], tail].iter().flat_map(|part| to_blobs(part)).map(Bytes::from).collect();
        let shortened = |tail: &[u8], first| {
            [head, &Trailer::new(tail.len(), first).unwrap().encode()].concat()
        };
        assert_eq!(whole_input(&shortened(tail, 1), &blobs).unwrap(), input);
        assert_eq!(whole_input(&shortened(&[], 0), &blobs).unwrap().as_ref(), head);
        // Without a trailer, with missing blobs, and with blobs that do not contain the tail.
        assert_eq!(whole_input(&input, &blobs), None);
        assert_eq!(whole_input(&shortened(tail, 2), &blobs), None);
        assert_eq!(whole_input(&shortened(tail, 1), &blobs[..1]), None);
        assert_eq!(whole_input(&shortened(&tail[1..], 1), &blobs), None);
    }
}
