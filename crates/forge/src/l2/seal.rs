//! Block building.

use super::{
    abi::{
        IL2::{
            Block as Request, Log, Receipt, Rejected, Sealed, Transaction as Described,
            receiptsCall,
        },
        StoredBody, StoredState,
    },
    draft, fork_of,
    sign::Signer,
    store::{Loaded, head, load, save},
    whole_state::WholeState,
};
use crate::{ForgeError, Workspace};
use alloy_consensus::{Transaction as _, Typed2718};
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use alloy_sol_types::SolCall;
use chain::{Block, BlockAttributes, Replay, State, halt_reason, revert_reason};
use revm::{context::result::ExecutionResult, inspector::NoOpInspector};
use std::sync::Arc;
use variants::DraftBlock;

/// Interval, in blocks, at which the whole state is stored, to bound the time of loading a long
/// chain.
const WHOLE_EVERY: u64 = 32;
/// Number of ancestors that BLOCKHASH reaches.
const BLOCKHASH_REACH: usize = 256;

/// Builds a block on the parent that the request names, and stores it.
pub(super) fn seal(
    workspace: &Workspace,
    request: &Request,
    described: &[Described],
) -> Result<Sealed, ForgeError> {
    let fork = match request.schema {
        0 => None,
        schema => Some(fork_of(schema)?),
    };
    let mut loaded = load(workspace, request.parentHash, fork)?;
    let schema = if request.schema == 0 { loaded.schema } else { request.schema };
    let is_draft = draft::is_draft(schema);
    if is_draft != draft::is_draft(loaded.schema) {
        return Err(ForgeError::Refused(
            "headers of the EIP-8079 draft have burned fees, so no chain goes from it to another form or back"
                .to_owned(),
        ));
    }
    if is_draft {
        let values = DraftBlock { anchor: request.anchor, ..Default::default() };
        loaded.chain.configure(|config| config.set_extension(Arc::new(values)));
    }
    let chain = &loaded.chain;
    let mut signer = Signer::new(chain, fork_of(schema)?);
    let transactions = described
        .iter()
        .enumerate()
        .map(|(index, described)| signer.sign(index, described))
        .collect::<Result<Vec<_>, _>>()?;

    let parent = &chain.head().header;
    if request.timestamp <= parent.timestamp {
        return Err(ForgeError::Refused(format!(
            "timestamp {} is not later than {}, that of the parent",
            request.timestamp, parent.timestamp
        )));
    }
    let attributes = BlockAttributes {
        timestamp: request.timestamp,
        fee_recipient: request.feeRecipient,
        prev_randao: request.prevRandao,
        parent_beacon_block_root: request.anchor,
        gas_limit: (request.gasLimit != 0).then_some(request.gasLimit),
        extra_data: request.extraData.clone(),
        withdrawals: Vec::new(),
        slot_number: if request.slotNumber == 0 { parent.number + 1 } else { request.slotNumber },
    };
    let (mut new, rejected) =
        chain.build(&attributes, transactions).map_err(|error| match error {
            error if error.is_internal() => ForgeError::Chain(error),
            error => ForgeError::Refused(error.to_string()),
        })?;
    if let Some((index, reason)) = rejected.first()
        && !request.leaveOutInvalid
    {
        let words = reason.to_string();
        let reason = words.strip_prefix(&format!("transaction {index}: ")).unwrap_or(&words);
        return Err(ForgeError::Refused(format!(
            "transaction {index}{} cannot stand in this block: {reason}; take it out of the queue, or \
             set leaveOutInvalid",
            sender_of(&described[*index])
        )));
    }
    let (header, input) = if is_draft {
        draft::seal(&mut new, request.anchor, &loaded.headers)?
    } else {
        let input = new.input().map_err(|error| ForgeError::Refused(error.to_string()))?;
        (alloy_rlp::encode(&new.block.header).into(), input)
    };
    let (nodes, codes) = (new.nodes().cloned().collect(), new.codes().collect());
    let failures = failures(&loaded.chain.state(), &new.block)?;
    let block = loaded.chain.append(new)?;
    let mut state = StoredState {
        distance: loaded.distance + 1,
        chainId: loaded.chain_id,
        schema,
        header,
        ancestors: Vec::new(),
        nodes,
        codes,
    };
    if state.distance == WHOLE_EVERY {
        make_whole(&loaded, &mut state)?;
    }
    let body = StoredBody {
        input: input.into(),
        receipts: receiptsCall::abi_encode_returns(&receipts(&block, failures)).into(),
    };
    save(workspace, &block.hash, &state, &body)?;
    Ok(Sealed {
        head: head(&block.header, block.hash, loaded.chain_id, schema),
        input: body.input,
        transactionHashes: block.transactions.iter().map(|tx| *tx.hash()).collect(),
        rejected: rejected
            .into_iter()
            .map(|(index, reason)| Rejected {
                index: U256::from(index),
                reason: reason.to_string(),
            })
            .collect(),
    })
}

/// Makes the record of the head self-contained: with the whole state and the ancestors.
fn make_whole(loaded: &Loaded, state: &mut StoredState) -> Result<(), ForgeError> {
    let (store, head) = (loaded.chain.store(), loaded.chain.head());
    let whole = WholeState::collect(&**store, head.header.state_root)?
        .ok_or(ForgeError::StateIncomplete(head.hash))?;
    (state.nodes, state.codes) = whole.into_parts();
    // The loaded headers belong to the blocks before the new one.
    state.ancestors = loaded.headers.values().rev().take(BLOCKHASH_REACH).cloned().collect();
    state.distance = 0;
    Ok(())
}

/// Returns the sender of a transaction for an error message; empty for a raw transaction, whose
/// sender has no name.
fn sender_of(described: &Described) -> String {
    if described.from.is_empty() { String::new() } else { format!(" of {}", described.from) }
}

/// Output and failure reason of a transaction; both are empty on success.
#[derive(Debug, Clone, Default)]
struct Failure {
    output: Bytes,
    reason: String,
}

/// Executes a child of the block at `parent` again if a transaction in it has failed, because
/// receipts do not contain the reason.
fn failures(parent: &State, block: &Block) -> Result<Vec<Failure>, ForgeError> {
    let mut all = vec![Failure::default(); block.transactions.len()];
    if block.executed.receipts.iter().all(|receipt| receipt.success) {
        return Ok(all);
    }
    let mut state = parent.open();
    let mut replay = Replay::new(parent, &mut state, block, NoOpInspector)?;
    for failure in &mut all {
        let reason = replay.inspect(|_, _, _, done| Ok::<_, ForgeError>(why(&done.result)))?;
        *failure = reason.unwrap_or_default();
    }
    Ok(all)
}

fn why(result: &ExecutionResult) -> Failure {
    match result {
        ExecutionResult::Success { .. } => Failure::default(),
        ExecutionResult::Revert { output, .. } => {
            let reason = match (revert_reason(output), output.first_chunk::<4>()) {
                (Some(reason), _) => reason,
                (None, Some(selector)) => format!("custom error 0x{}", hex::encode(selector)),
                (None, None) => "reverted without a reason".to_owned(),
            };
            Failure { output: output.clone(), reason }
        }
        ExecutionResult::Halt { reason, .. } => {
            Failure { output: Bytes::new(), reason: halt_reason(reason) }
        }
    }
}

/// Returns the receipts of the block's transactions.
fn receipts(block: &Block, failures: Vec<Failure>) -> Vec<Receipt> {
    let mut before = 0;
    let all = block.transactions.iter().zip(&block.senders).zip(&block.executed.receipts);
    all.zip(failures)
        .map(|(((transaction, sender), receipt), Failure { output, reason })| {
            let gas_used = receipt.cumulative_gas_used - before;
            before = receipt.cumulative_gas_used;
            let (to, created) = match transaction.kind() {
                TxKind::Call(to) => (to, Address::ZERO),
                TxKind::Create => (Address::ZERO, sender.create(transaction.nonce())),
            };
            Receipt {
                transactionHash: *transaction.hash(),
                kind: transaction.ty(),
                success: receipt.success,
                from: *sender,
                to,
                created,
                gasUsed: gas_used,
                cumulativeGasUsed: receipt.cumulative_gas_used,
                logs: receipt
                    .logs
                    .iter()
                    .map(|log| Log {
                        emitter: log.address,
                        topics: log.topics().to_vec(),
                        data: log.data.data.clone(),
                    })
                    .collect(),
                output,
                reason,
            }
        })
        .collect()
}
