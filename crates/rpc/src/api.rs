//! State shared by all RPC methods, and the resolution of block ids.

use crate::{
    Context, Deadline, FailureStyle, RequestLimits, RpcError, Telemetry,
    installed_filters::Filters, subscription_permits::SubscriptionPermits,
};
use alloy_eips::{BlockId, BlockNumberOrTag, RpcBlockHash};
use alloy_primitives::{B256, Bytes};
use chain::{Block, ChainReader, MAX_EXECUTION_GAS, State};
use node::{Forkchoice, Node, NodeState};
use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Forwards raw transactions to another node, such as the sequencer.
pub trait SendElsewhere: core::fmt::Debug + Send + Sync {
    /// Sends a raw transaction to the other node and returns its answer, or `None` if this node
    /// should accept the transaction itself. The call may block on the other node, so sends must
    /// not run on the threads that serve connections.
    fn send(&self, raw: &Bytes) -> Option<Result<B256, RpcError>>;
}

/// Options of the API.
#[derive(Debug, Clone)]
pub struct RpcOptions {
    /// Result of `web3_clientVersion`.
    pub client_version: String,
    /// Gas cap for a call, an estimate, or all calls of a simulation together.
    pub gas_cap: u64,
    /// `true` to run a call in the environment of its block: the block's gas limit if the request
    /// sets no gas, the block's base fee if it sets no fee, and a gas cap of at least the block's
    /// gas limit. Otherwise, as in geth, the call gets `gas_cap` and a base fee of 0.
    pub block_environment: bool,
    /// Client whose error codes and messages are used for failed calls.
    pub failure_style: FailureStyle,
    /// Time after which an unpolled filter is removed.
    pub filter_lifetime: Duration,
    /// Maximum number of logs in one response.
    pub max_logs: usize,
    /// `true` to write sender addresses as lower-case object keys, because some clients look them
    /// up in lower case.
    pub plain_senders: bool,
    /// Block whose state an estimate uses if the request names none.
    pub estimate_at: BlockNumberOrTag,
    /// Flag of the node that lifts the gas cap of a transaction; errors name it.
    pub gas_cap_flag: Option<&'static str>,
    /// `true` to accept blob proofs from before EIP-7594 where the fork requires cell proofs. The
    /// node then computes the cell proofs, which is too slow for public nodes.
    pub old_sidecars: bool,
    /// `true` if the first poll of a log filter with a `fromBlock` returns the logs of existing
    /// blocks.
    pub past_logs: bool,
    /// Node that receives raw transactions instead of this one, if any.
    pub elsewhere: Option<Arc<dyn SendElsewhere>>,
    /// Limits of each request.
    pub limits: RequestLimits,
    /// Console output and metrics of the node.
    pub telemetry: Arc<Telemetry>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            client_version: concat!("enshrine/v", env!("CARGO_PKG_VERSION")).to_owned(),
            gas_cap: 50_000_000,
            block_environment: false,
            failure_style: FailureStyle::Geth,
            filter_lifetime: Duration::from_secs(5 * 60),
            max_logs: 1_000_000,
            plain_senders: false,
            estimate_at: BlockNumberOrTag::Latest,
            gas_cap_flag: None,
            old_sidecars: false,
            past_logs: false,
            elsewhere: None,
            limits: RequestLimits::default(),
            telemetry: Arc::default(),
        }
    }
}

/// Maximum number of addresses and topics of all filters and subscriptions, some 64 bytes each.
const MAX_FILTER_ITEMS: usize = 1 << 20;

/// Node and options that all RPC methods share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    node: Arc<Node>,
    options: Arc<RpcOptions>,
    pub(crate) filters: Arc<Filters>,
    /// Permits for subscriptions, shared by all connections.
    pub(crate) subscriptions: Arc<SubscriptionPermits>,
    /// Permits for subscriptions that send at the same time: on half of the cores, so that requests
    /// are processed on the others.
    pub(crate) notifying: Arc<Semaphore>,
    /// Permits for the addresses and topics of all filters and subscriptions.
    filter_items: Arc<Semaphore>,
}

impl Context for Api {
    fn reads_may_wait(&self) -> bool {
        self.node().is_being_changed() || self.node().read(|node| node.chain.is_forked())
    }

    fn telemetry(&self) -> Option<&Telemetry> {
        Some(&self.options().telemetry)
    }
}

impl Api {
    /// Creates the API of a node.
    pub fn new(node: Arc<Node>, options: RpcOptions) -> Self {
        let filters = Arc::new(Filters::new(options.filter_lifetime, options.limits.trace_bytes));
        let subscriptions = SubscriptionPermits::new(options.limits.subscriptions);
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let notifying = Arc::new(Semaphore::new((cores / 2).max(1)));
        let filter_items = Arc::new(Semaphore::new(MAX_FILTER_ITEMS));
        Self { node, options: Arc::new(options), filters, subscriptions, notifying, filter_items }
    }

    /// Reserves capacity for a filter with this number of addresses and topics.
    pub(crate) fn reserve_filter_items(
        &self,
        items: usize,
    ) -> Result<OwnedSemaphorePermit, RpcError> {
        let count = u32::try_from(items).unwrap_or(u32::MAX);
        Arc::clone(&self.filter_items).try_acquire_many_owned(count).map_err(|_| {
            RpcError::server(format!(
                "all filters have {MAX_FILTER_ITEMS} addresses and topics: uninstall some"
            ))
        })
    }

    /// Like [`Self::reserve_filter_items`]; removes a filter with as many, if all are in use.
    pub(crate) fn reserve_items_of_filter(
        &self,
        items: usize,
    ) -> Result<OwnedSemaphorePermit, RpcError> {
        match self.reserve_filter_items(items) {
            // Another request may use the permits meanwhile.
            Err(_) if self.filters.remove_unpolled(items) => self.reserve_filter_items(items),
            reserved => reserved,
        }
    }

    /// Returns the shared node.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Returns a reader of the chain that takes no lock.
    pub fn chain(&self) -> ChainReader {
        self.node.read(|node| node.chain.reader().clone())
    }

    /// Returns the deadline of a call that starts now.
    pub fn call_deadline(&self) -> Deadline {
        Deadline::after(self.options.limits.call_time)
    }

    /// Returns the options of the API.
    pub fn options(&self) -> &RpcOptions {
        &self.options
    }

    /// Returns the gas cap of a call in a block with this gas limit: at most
    /// [`MAX_EXECUTION_GAS`], since the block's limit can be any number.
    pub(crate) fn gas_cap(&self, block_limit: u64) -> u64 {
        let RpcOptions { gas_cap, block_environment, .. } = *self.options;
        let cap = if block_environment { gas_cap.max(block_limit) } else { gas_cap };
        cap.min(MAX_EXECUTION_GAS)
    }

    /// Returns the number of the block that a tag refers to; `None` for the pending block.
    fn number(node: &NodeState, tag: BlockNumberOrTag) -> Option<u64> {
        let head = node.chain.head().header.number;
        let behind = |epochs: u64| {
            let blocks = node.settings.slots_in_an_epoch.saturating_mul(epochs);
            head.saturating_sub(blocks)
                .max(node.chain.first_number())
                .max(node.settings.final_number.min(head))
        };
        let stays = |epochs: u64, known: fn(Forkchoice) -> u64| {
            node.forkchoice.map_or_else(|| behind(epochs), |choice| known(choice).min(head))
        };
        match tag {
            BlockNumberOrTag::Latest => Some(head),
            BlockNumberOrTag::Safe => Some(stays(1, |choice| choice.safe)),
            BlockNumberOrTag::Finalized => Some(stays(2, |choice| choice.finalized)),
            BlockNumberOrTag::Earliest => Some(node.chain.first_number()),
            BlockNumberOrTag::Number(number) => Some(number),
            BlockNumberOrTag::Pending => None,
        }
    }

    /// Returns the number of the canonical block that a tag refers to; head + 1 for the pending
    /// block.
    pub fn number_of(&self, tag: BlockNumberOrTag) -> u64 {
        self.node.read(|node| {
            Self::number(node, tag).unwrap_or_else(|| node.chain.head().header.number + 1)
        })
    }

    /// Returns the block with this number or tag, if it exists.
    ///
    /// # Errors
    ///
    /// [`PRUNED_HISTORY`](crate::codes::PRUNED_HISTORY) for a block before the first one that the
    /// node stores.
    pub fn block_by_number(&self, tag: BlockNumberOrTag) -> Result<Option<Arc<Block>>, RpcError> {
        if tag.is_pending() {
            return Ok(Some(Arc::clone(self.node.pending()?.state.block())));
        }
        self.node.read(|node| {
            let Some(number) = Self::number(node, tag) else { return Ok(None) };
            let found = node.chain.canonical_block(number)?;
            if found.is_none() {
                self.require_history(number, node.chain.first_number())?;
            }
            Ok(found)
        })
    }

    /// Returns an error for a missing block that is older than the first stored one, e.g. after a
    /// start from a snapshot. anvil has no pruned blocks, so its style never returns this error.
    pub(crate) fn require_history(&self, number: u64, first: u64) -> Result<(), RpcError> {
        if number < first && self.options.failure_style == FailureStyle::Geth {
            return Err(RpcError::pruned_history(number, first));
        }
        Ok(())
    }

    /// Returns the block with this hash, if it exists.
    pub fn block_by_hash(&self, hash: B256) -> Result<Option<Arc<Block>>, RpcError> {
        Ok(self.chain().find_block(&hash)?)
    }

    /// Looks up a block by its id.
    pub fn find_block(&self, id: BlockId) -> Result<Option<Arc<Block>>, RpcError> {
        match id {
            BlockId::Number(tag) => self.block_by_number(tag),
            BlockId::Hash(RpcBlockHash { block_hash, require_canonical }) => {
                let Some(block) = self.block_by_hash(block_hash)? else { return Ok(None) };
                let number = block.header.number;
                if require_canonical == Some(true)
                    && self.chain().canonical_hash(number)? != Some(block_hash)
                {
                    return Err(RpcError::server("hash is not currently canonical"));
                }
                Ok(Some(block))
            }
        }
    }

    /// Looks up a block by its id; an unknown block is an error.
    pub fn block(&self, id: BlockId) -> Result<Arc<Block>, RpcError> {
        self.find_block(id)?.ok_or_else(|| match id {
            BlockId::Hash(hash) => {
                RpcError::server(format!("header for hash {} not found", hash.block_hash))
            }
            BlockId::Number(_) => RpcError::server("header not found"),
        })
    }

    /// Returns the state after a block.
    pub fn state(&self, id: BlockId) -> Result<State, RpcError> {
        match id {
            BlockId::Number(BlockNumberOrTag::Latest) => Ok(self.node.state()),
            BlockId::Number(BlockNumberOrTag::Pending) => Ok(self.node.pending()?.state),
            id => {
                let block = self.block(id)?;
                Ok(self.node.read(|node| node.state_after(&block))?)
            }
        }
    }
}
