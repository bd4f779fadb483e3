//! The JSON-RPC methods of the `rollup_` namespace.

pub(crate) mod admin;
pub(crate) mod error;
mod forced;
pub(crate) mod forward;
mod l1_fields;
mod messages;
mod paging;

use crate::{
    l1::cost::fields_at,
    l2::{block_input, signed_blocks::MAX_INPUTS},
    prefix::PublishedPrefix,
    sequencer::budget::budget,
    service::node_handle::NodeHandle,
    status::num_hash,
};
use alloy_eips::BlockId;
use alloy_primitives::{B256, Bytes};
use chain::Block;
use core::fmt::Display;
use forced::ForcedTransactions;
use messages::Messages;
use paging::Page;
use rpc::{
    Api, Args, Context, ErrorStyle, Number, Registry, RpcError, Telemetry, Workers, decode_pooled,
};
use rpc_types::{
    BlockCost, Direction, RollupConfig, SignedInput, SyncStatus, TransactionStatus, methods,
};
use std::sync::{Arc, atomic::Ordering};

/// Total length of inputs after which a response ends, in bytes. Its hexadecimal form is within the
/// response limit of public ports.
pub(crate) const MAX_INPUT_BYTES: usize = 8 << 20;

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

pub(crate) fn registry(context: Arc<RollupApi>, workers: Arc<Workers>) -> Registry<RollupApi> {
    let mut registry = Registry::new(context, workers, ErrorStyle::Geth);
    registry.inline(methods::SYNC_STATUS, |rollup, _| Ok(rollup.sync_status()));
    registry.inline(methods::CONFIG, |rollup, _| rollup.config());
    registry.execute(methods::GET_MESSAGE, |rollup, args| {
        let (direction, index) = (direction(args)?, number(args)?);
        Messages::new(rollup)?.get(direction, index)
    });
    registry.execute(methods::GET_MESSAGES, |rollup, args| {
        let direction = direction(args)?;
        let page = Page::new(args.or_default()?, false)?;
        Messages::new(rollup)?.page(direction, &page)
    });
    registry.read(methods::GET_FORCED, |rollup, args| {
        let index = number(args)?;
        ForcedTransactions::new(rollup)?.get(index)
    });
    registry.execute(methods::GET_FORCED_TRANSACTIONS, |rollup, args| {
        let page = Page::new(args.or_default()?, true)?;
        ForcedTransactions::new(rollup)?.page(&page)
    });
    registry.write(methods::SUBMIT, |rollup, args| rollup.submit(&args.required()?));
    registry.read(methods::TRANSACTION_STATUS, |rollup, args| {
        let hash = args.required()?;
        rollup.transaction_status(&hash)
    });
    registry.execute(methods::CLAIM_PROOF, |rollup, args| {
        let index = number(args)?;
        let fee_recipient = args.optional()?;
        Messages::new(rollup)?.claim_proof(index, fee_recipient)
    });
    registry.execute(methods::INPUTS_AFTER, |rollup, args| {
        let number = number(args)?;
        rollup.inputs_after(number)
    });
    registry.execute(methods::SIGNED_INPUTS_AFTER, |rollup, args| {
        let number = number(args)?;
        rollup.signed_inputs_after(number)
    });
    registry.read(methods::PREFIX, |rollup, args| {
        let number = number(args)?;
        let first = usize::try_from(self::number(args)?).unwrap_or(usize::MAX);
        let newest = rollup.shared.prefixes.newest();
        Ok(newest
            .filter(|prefix| prefix.number() == number)
            .and_then(|prefix| prefix.update(first)))
    });
    registry.execute(methods::BUDGET, |rollup, _| {
        let status = rollup.shared.status.lock();
        let backlog = status.submitter.as_ref().map(|submitter| submitter.backlog);
        drop(status);
        budget(rollup.api.node(), backlog).map_err(|error| RpcError::internal(error.to_string()))
    });
    registry.read(methods::BLOCK_COST, |rollup, args| rollup.block_cost(args.required()?));
    l1_fields::register(&mut registry);
    registry
}

/// Parses the next parameter as a number in hexadecimal or decimal.
fn number(args: &mut Args) -> Result<u64, RpcError> {
    let Number(number) = args.required()?;
    u64::try_from(number)
        .map_err(|_| RpcError::params(format!("{number} does not fit into 64 bits")))
}

/// Parses the next parameter as the direction of a message.
fn direction(args: &mut Args) -> Result<Direction, RpcError> {
    let got: String = args.required()?;
    match got.as_str() {
        "l1ToL2" => Ok(Direction::L1ToL2),
        "l2ToL1" => Ok(Direction::L2ToL1),
        _ => {
            let expected = ["l1ToL2", "l2ToL1"];
            let data = Some(serde_json::json!({ "got": got, "expected": expected }));
            let error = RpcError::params("unknown direction, expected l1ToL2 or l2ToL1");
            Err(RpcError { data, ..error })
        }
    }
}

impl RollupApi {
    fn sync_status(&self) -> SyncStatus {
        self.shared.status(self.api.node())
    }

    fn config(&self) -> Result<RollupConfig, RpcError> {
        let config = self.shared.config.lock().clone();
        let config =
            config.ok_or_else(|| RpcError::server("the rollup's rules have not been read"))?;
        Ok(RollupConfig { client_version: self.api.options().client_version.clone(), ..config })
    }

    /// Accepts a transaction forwarded by another node, if this node is the sequencer.
    fn submit(&self, raw: &Bytes) -> Result<B256, RpcError> {
        // Reject rather than forward, because nodes that forward to each other would form a loop.
        if !self.shared.makes_blocks.load(Ordering::Relaxed) {
            let message = "this node is not the sequencer: transaction rejected";
            return Err(RpcError::new(rpc_types::codes::role::NOT_SEQUENCER, message));
        }
        self.shared.require_own_keys()?;
        rpc::submit(&self.api, decode_pooled(raw)?)
    }

    /// Returns the status of a transaction; `None` if this node does not know it, or no longer has
    /// the reason why it was dropped.
    fn transaction_status(&self, hash: &B256) -> Result<Option<TransactionStatus>, RpcError> {
        let chain = self.api.chain();
        if let Some((found, index)) = chain.transaction(hash)? {
            let (safe, finalized, sent) = {
                let status = self.shared.status.lock();
                let submitter = status.submitter.as_ref();
                let sent = submitter
                    .and_then(|submitter| Some((submitter.posted_head?, submitter.in_flight)));
                (status.safe_head.number, status.finalized_head.number, sent)
            };
            let number = found.header.number;
            let block = num_hash(found.num_hash());
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
            let l1 = on_l1.map(|posted| fields_at(&posted, &found, index));
            return Ok(Some(TransactionStatus::Posted { block, finalized, l1 }));
        }
        if let Some(prefix) = self.shared.prefixes.newest()
            && prefix.prefix.promised.header.parent == chain.head().hash
            && let Some(index) = prefix.position(hash)
        {
            return Ok(Some(preconfirmed(&prefix, index)));
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

    /// Returns the L1 transaction of a block and its cost; `None` for a block that is not on L1.
    fn block_cost(&self, id: BlockId) -> Result<Option<BlockCost>, RpcError> {
        let Some(block) = self.api.find_block(id)? else { return Ok(None) };
        Ok(self.shared.on_l1(&self.api.chain(), &block)?)
    }

    fn inputs_after(&self, number: u64) -> Result<Vec<Bytes>, RpcError> {
        Ok(self.blocks_after(number)?.into_iter().map(|(_, input)| input).collect())
    }

    /// Returns the inputs with the signatures that this node has made or received.
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
        let deadline = self.api.call_deadline();
        for number in number.saturating_add(1)..=last {
            let Some(block) = chain.canonical_block(number)? else { break };
            let input = block_input::input_of(&chain, &block).map_err(internal)?;
            bytes += input.len();
            inputs.push((block, input));
            // Checked after adding the input: an input that alone exceeds a limit must still be
            // served, or no follower could continue. Each block is executed again for its witness.
            if bytes > MAX_INPUT_BYTES || deadline.check().is_err() {
                break;
            }
        }
        Ok(inputs)
    }
}

/// Returns the state of a transaction in a signed prefix.
fn preconfirmed(prefix: &PublishedPrefix, index: usize) -> TransactionStatus {
    let message = &prefix.prefix.promised.message;
    TransactionStatus::Preconfirmed {
        block: rpc_types::BlockNumHash { number: prefix.number(), hash: message.block_hash },
        index: index as u64,
        l1_block: message.l1_block,
        header: prefix.prefix.header.clone(),
        signature: prefix.signature.into(),
    }
}

fn internal(error: impl Display) -> RpcError {
    RpcError::internal(error.to_string())
}
