//! The JSON-RPC methods of the `rollup_` namespace.

pub(crate) mod admin;
pub(crate) mod error;
pub(crate) mod forward;
mod l1_fields;

use crate::{
    l1::{cost::fields_at, queue::KnownMessage},
    l2::{
        block_input,
        contracts::{covered_by, relayed_after},
        signed_blocks::{MAX_INPUTS, SignedInput},
    },
    sequencer::budget::budget,
    service::node_handle::NodeHandle,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes};
use chain::{Block, ChainReader};
use contracts::{
    ClaimError, L2_MESSENGER, Message, claim_calldata, kept_slot, logged_message, sent_slot,
};
use core::fmt::Display;
use rpc::{
    Api, Args, Context, ErrorStyle, Number, Registry, RpcError, Telemetry, Workers, decode_pooled,
};
use rpc_types::{BlockCost, RollupConfig, SyncStatus, TransactionStatus};
use serde::Serialize;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// Total length of inputs after which a response ends, in bytes. Its hexadecimal form stays within
/// the size limit of public ports.
const MAX_INPUT_BYTES: usize = 8 << 20;

/// State shared by all `rollup_` methods.
#[derive(Debug)]
pub(crate) struct RollupApi {
    pub(crate) api: Api,
    pub(crate) shared: Arc<NodeHandle>,
}

impl Context for RollupApi {
    fn telemetry(&self) -> Option<&Telemetry> {
        self.api.telemetry()
    }

    fn reads_may_wait(&self) -> bool {
        self.api.reads_may_wait()
    }
}

/// State of an L1→L2 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum MessageState {
    /// On L1 only.
    Sent,
    /// Covered by the head's anchor.
    Anchored,
    /// Delivered or refunded.
    Relayed,
    /// The delivery failed; anyone can retry it.
    Failed,
    /// Stored on the L2 without an attempt to deliver it; anyone can deliver it.
    Parked,
}

/// State of a forced transaction.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ForcedStatus {
    /// Transaction hash; `null`, like the L1 block, if it was discharged so long ago that the node
    /// has dropped it.
    hash: Option<B256>,
    /// L1 block in which it was submitted.
    l1_block: Option<u64>,
    /// `true` once it is discharged on L1.
    discharged: bool,
    /// L2 block that includes it, if there is one.
    l2_block: Option<u64>,
}

pub(crate) fn registry(context: Arc<RollupApi>, workers: Arc<Workers>) -> Registry<RollupApi> {
    let mut methods = Registry::new(context, workers, ErrorStyle::Geth);
    methods.inline("rollup_syncStatus", |rollup, _| Ok(rollup.sync_status()));
    methods.inline("rollup_config", |rollup, _| rollup.config());
    methods.read("rollup_messageStatus", |rollup, args| {
        let index = number(args)?;
        rollup.message_status(index)
    });
    methods.read("rollup_forcedStatus", |rollup, args| {
        let index = number(args)?;
        rollup.forced_status(index)
    });
    methods.write("rollup_submit", |rollup, args| rollup.submit(&args.required()?));
    methods.read("rollup_transactionStatus", |rollup, args| {
        let hash = args.required()?;
        rollup.transaction_status(&hash)
    });
    methods.execute("rollup_claimProof", |rollup, args| {
        let index = number(args)?;
        let (fee_recipient, sent_in) = (args.optional()?, args.optional()?);
        rollup.claim(index, fee_recipient, sent_in.map(|Number(number)| number.saturating_to()))
    });
    methods.execute("rollup_inputsAfter", |rollup, args| {
        let number = number(args)?;
        rollup.inputs_after(number)
    });
    methods.execute("rollup_signedInputsAfter", |rollup, args| {
        let number = number(args)?;
        rollup.signed_inputs_after(number)
    });
    methods.execute("rollup_budget", |rollup, _| {
        let status = rollup.shared.status.lock();
        let backlog = status.submitter.as_ref().map(|submitter| submitter.backlog);
        drop(status);
        budget(rollup.api.node(), backlog).map_err(|error| RpcError::internal(error.to_string()))
    });
    methods.read("rollup_blockCost", |rollup, args| rollup.block_cost(args.required()?));
    l1_fields::register(&mut methods);
    methods
}

/// Parses the next parameter as a number in hexadecimal or decimal.
fn number(args: &mut Args) -> Result<u64, RpcError> {
    let Number(number) = args.required()?;
    u64::try_from(number)
        .map_err(|_| RpcError::params(format!("{number} does not fit into 64 bits")))
}

impl RollupApi {
    fn sync_status(&self) -> SyncStatus {
        self.shared.status(self.api.node()).into()
    }

    fn config(&self) -> Result<RollupConfig, RpcError> {
        let config = self.shared.config.lock().clone();
        let config = config.ok_or_else(|| RpcError::server("the rollup's rules are not read"))?;
        Ok(RollupConfig { client_version: self.api.options().client_version.clone(), ..config })
    }

    fn message_status(&self, index: u64) -> Result<MessageState, RpcError> {
        let view = self.shared.view.lock().clone();
        let known = view.as_ref().map_or(KnownMessage::Unknown, |it| it.messages().find(index));
        let hash = match known {
            KnownMessage::Hash(hash) => hash,
            KnownMessage::Settled => return Ok(MessageState::Relayed),
            KnownMessage::Forgotten => {
                let text = format!(
                    "message {index} is too old: this node no longer knows whether it was delivered, refunded or kept for a retry"
                );
                return Err(RpcError::params(text));
            }
            KnownMessage::Unknown => {
                let sent = view.map_or(0, |view| view.messages().len());
                let text = format!("message {index} was not sent: there are {sent}");
                return Err(RpcError::params(text));
            }
        };
        let chain = self.api.chain();
        let head = chain.head();
        if index >= relayed_after(&chain, head).map_err(internal)? {
            let anchored = covered_by(&chain, head).map_err(internal)?;
            return Ok(if index < anchored { MessageState::Anchored } else { MessageState::Sent });
        }
        let kept = chain.storage(L2_MESSENGER, kept_slot(hash))?;
        Ok(match kept.as_limbs()[0] {
            1 => MessageState::Failed,
            2 => MessageState::Parked,
            _ => MessageState::Relayed,
        })
    }

    fn forced_status(&self, index: u64) -> Result<ForcedStatus, RpcError> {
        let view = self.shared.view.lock().clone();
        let there = view.as_ref().map_or(0, |view| view.forced_len());
        let Some(view) = view.filter(|_| index < there) else {
            let text = format!("forced transaction {index} was not submitted: there are {there}");
            return Err(RpcError::params(text));
        };
        let entry = view.forced_from(index).next();
        let hash = entry.map(|entry| entry.transaction.hash);
        let included = match &hash {
            Some(hash) => self.api.chain().transaction(hash)?,
            None => None,
        };
        Ok(ForcedStatus {
            hash,
            l1_block: entry.map(|entry| entry.l1_block),
            discharged: index < view.forced_next(),
            l2_block: included.map(|(block, _)| block.header.number),
        })
    }

    /// Accepts a transaction forwarded by another node, if this node makes blocks.
    fn submit(&self, raw: &Bytes) -> Result<B256, RpcError> {
        // Rejected and not forwarded: nodes that forward to each other would form a loop.
        if !self.shared.makes_blocks.load(Ordering::Relaxed) {
            let message = "this node is not the sequencer: transaction rejected";
            return Err(RpcError::new(forward::NOT_SEQUENCER, message));
        }
        self.shared.require_own_keys()?;
        self.api.submit(decode_pooled(raw)?)
    }

    /// State of a transaction; `None` if this node does not know it, or no longer has the reason
    /// why it was dropped.
    fn transaction_status(&self, hash: &B256) -> Result<Option<TransactionStatus>, RpcError> {
        let chain = self.api.chain();
        if let Some((found, index)) = chain.transaction(hash)? {
            let (safe, finalized, sent) = {
                let status = self.shared.status.lock();
                let submitter = status.submitter.as_ref();
                let sent = submitter.and_then(|it| Some((it.posted_head?, it.in_flight)));
                (status.safe_head.number, status.finalized_head.number, sent)
            };
            let number = found.header.number;
            let block = rpc_types::BlockNumHash { number, hash: found.hash };
            let finalized = number <= finalized;
            if number > safe {
                let submitted = sent.filter(|(posted_head, _)| number <= *posted_head);
                return Ok(Some(match submitted {
                    Some((_, l1_transaction_hash)) => {
                        TransactionStatus::Submitted { block, l1_transaction_hash }
                    }
                    None => TransactionStatus::Included { block },
                }));
            }
            let on_l1 = self.shared.on_l1(&chain, &found)?;
            let l1 = on_l1.map(|it| fields_at(&it, &found, index));
            return Ok(Some(TransactionStatus::Posted { block, finalized, l1 }));
        }
        let is_deferred = self.shared.requeued.lock().iter().any(|(waiting, _)| waiting == hash);
        Ok(self.api.node().read(|node| {
            if is_deferred || node.pool.get(hash).is_some() {
                return Some(TransactionStatus::Pending);
            }
            let reason = node.pool.drop_reason(hash)?.to_string();
            Some(TransactionStatus::Dropped { reason })
        }))
    }

    /// L1 transaction of a block and its cost; `None` for a block that is not on L1.
    fn block_cost(&self, id: BlockId) -> Result<Option<BlockCost>, RpcError> {
        let Some(block) = self.api.find_block(id)? else { return Ok(None) };
        Ok(self.shared.on_l1(&self.api.chain(), &block)?)
    }

    /// Calldata of `L1MessageQueue.claim` for an L2→L1 message, with a proof against the newest L2
    /// block on L1. The fee is paid to `fee_recipient`, or else to the message's target. If the
    /// search for the message takes too long, `sent_in` has to be the block that sent it.
    fn claim(
        &self,
        index: u64,
        fee_recipient: Option<Address>,
        sent_in: Option<u64>,
    ) -> Result<Bytes, RpcError> {
        let chain = self.api.chain();
        let safe = self.shared.status.lock().safe_head.number;
        let block = chain.canonical_block(safe)?;
        let block = block.ok_or_else(|| RpcError::server("the safe block is not known"))?;
        let time = self.api.options().limits.call_time;
        let message = find_message(&chain, safe, index, sent_in, time)?;
        let proof = chain.prove(&block, L2_MESSENGER, &[sent_slot(index)])?;
        let fee_recipient = fee_recipient.unwrap_or(message.to);
        Ok(claim_calldata(&message, block.header.number, proof, fee_recipient))
    }

    fn inputs_after(&self, number: u64) -> Result<Vec<Bytes>, RpcError> {
        Ok(self.blocks_after(number)?.into_iter().map(|(_, input)| input).collect())
    }

    /// The inputs with those signatures that this node has made or received.
    fn signed_inputs_after(&self, number: u64) -> Result<Vec<SignedInput>, RpcError> {
        let signed = |(block, input): (Arc<Block>, Bytes)| SignedInput {
            input,
            signature: self.shared.signed.get(&block.hash),
        };
        Ok(self.blocks_after(number)?.into_iter().map(signed).collect())
    }

    fn blocks_after(&self, number: u64) -> Result<Vec<(Arc<Block>, Bytes)>, RpcError> {
        let chain = self.api.chain();
        let head = chain.head().header.number;
        let last = number.saturating_add(MAX_INPUTS).min(head);
        let (mut inputs, mut bytes) = (Vec::new(), 0);
        for number in number.saturating_add(1)..=last {
            let Some(block) = chain.canonical_block(number)? else { break };
            let input = block_input::input_of(&chain, &block).map_err(internal)?;
            bytes += input.len();
            inputs.push((block, input));
            // Checked after adding the input: an input that exceeds the limit alone must still be
            // served, or no follower could continue.
            if bytes > MAX_INPUT_BYTES {
                break;
            }
        }
        Ok(inputs)
    }
}

fn internal(error: impl Display) -> RpcError {
    RpcError::internal(error.to_string())
}

/// Finds an L2→L1 message in the logs of block `sent_in`, or else of the blocks up to `newest`,
/// searched backwards for at most `time`.
fn find_message(
    chain: &ChainReader,
    newest: u64,
    index: u64,
    sent_in: Option<u64>,
    time: Duration,
) -> Result<Message, RpcError> {
    let begun = Instant::now();
    let last = sent_in.map_or(newest, |number| number.min(newest));
    let unknown = |from: u64| {
        let message = format!("no block from {from} to {last} has message {index} to L1");
        RpcError::server(message)
    };
    for number in (chain.first_number()..=last).rev() {
        let Some(block) = chain.canonical_block(number)? else { return Err(unknown(number + 1)) };
        let logs = block.executed.receipts.iter().flat_map(|receipt| &receipt.logs);
        let sent = logs.filter(|log| log.address == L2_MESSENGER);
        let mut is_past = sent_in.is_some();
        for logged in sent.map(|log| logged_message(log, index)) {
            match logged {
                Ok(message) => return Ok(message),
                // Messages are numbered in order, so a lower index means that older blocks lack it.
                Err(ClaimError::Index { got, expected }) => is_past |= got < expected,
                Err(_) => {}
            }
        }
        if is_past {
            return Err(unknown(number));
        }
        if begun.elapsed() > time {
            let advice = "give the number of the block that sent it as third parameter";
            return Err(RpcError::server(format!("{}: {advice}", unknown(number).message)));
        }
    }
    Err(unknown(chain.first_number()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn documentation_lists_registered_methods() {
        let registered = |text: &'static str| -> Vec<_> {
            let (text, _) = text.split_once("#[cfg(test)]").unwrap();
            text.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
        };
        let document = include_str!("../../../../docs/methods.md");
        let listed: Vec<_> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `rollup_"))
            .filter_map(|line| line.split('`').next())
            .map(|name| format!("rollup_{name}"))
            .collect();
        let known = registered(include_str!("mod.rs"));
        let known: Vec<_> = known.into_iter().filter(|name| name.starts_with("rollup_")).collect();
        assert_eq!(listed, known);
    }
}
