//! Inputs of the next block, and the pending block built from them.

use crate::{MineRequest, NodeState, PoolTransaction};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, keccak256, map::AddressSet};
use chain::{
    BlockAttributes, BlockBuilder, BlockBuilderOutcome, BudgetPolicy, BudgetRequest, ChainError,
    InputUse, RecoveredTransaction, State,
};
use std::sync::Arc;
use variants::GasSchedule;

/// The block that would be built now, and the state after it.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The state after the block, with a separate store. [`State::block`] is the block.
    pub state: State,
    /// Use of the EXECUTE input budget, if the block has one.
    pub used: Option<InputUse>,
    /// Number of executable transactions that did not fit.
    pub waiting: usize,
    /// Request that the block was built for; `None` for an external block.
    pub(crate) key: Option<PendingKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingKey {
    header: B256,
    root: B256,
    pool: u64,
    /// Hashes of the transactions that precede those of the pool.
    first: Vec<B256>,
    pool_gas: Option<u64>,
    commands: u64,
}

/// Inputs of a new block, cloned from the node's state.
pub(crate) struct Draft {
    pub(crate) state: State,
    pub(crate) header: Header,
    withdrawals: Vec<Withdrawal>,
    pub(crate) first: Vec<RecoveredTransaction>,
    pub(crate) offered: Vec<Arc<PoolTransaction>>,
    /// Deprioritized senders, whose transactions are at the end of `offered`.
    set_back: AddressSet,
    pub(crate) budget: Arc<dyn BudgetPolicy>,
    request: BudgetRequest,
    pub(crate) schedule: GasSchedule,
    pool: u64,
    commands: u64,
}

impl Draft {
    /// Collects the inputs of the next block.
    pub(crate) fn new(node: &NodeState, request: &MineRequest) -> Result<Self, ChainError> {
        let state = node.chain.state();
        let parent = Arc::clone(state.block());
        let settings = &node.settings;
        let timestamp =
            request.timestamp.unwrap_or_else(|| node.clock.peek(parent.header.timestamp));
        let number = parent.header.number + 1;
        let attributes = BlockAttributes {
            timestamp,
            fee_recipient: settings.coinbase,
            prev_randao: keccak256([parent.hash.as_slice(), &number.to_be_bytes()].concat()),
            parent_beacon_block_root: request.parent_beacon_block_root,
            gas_limit: request.gas_target,
            extra_data: settings.extra_data.clone(),
            withdrawals: request.withdrawals.clone(),
            slot_number: number,
        };
        let header = node.next_header(&attributes)?;
        let offered = match &request.only {
            Some(hashes) => {
                hashes.iter().filter_map(|hash| node.pool.get(hash)).map(Arc::clone).collect()
            }
            None if node.pool.is_empty() => Vec::new(),
            None => {
                let base_fee = header.base_fee_per_gas.unwrap_or_default();
                let mut failed = None;
                let mut ready = node.pool.ready(base_fee, settings.order, |sender| {
                    let own = request.transactions.iter().filter(|first| first.sender == sender);
                    let behind = own.map(|first| first.transaction.nonce().saturating_add(1)).max();
                    // No valid transaction has the maximum nonce (EIP-2681), so none of this sender
                    // is executable.
                    let next = state.nonce(sender).unwrap_or_else(|error| {
                        failed.get_or_insert(error);
                        u64::MAX
                    });
                    next.max(behind.unwrap_or_default())
                });
                ready.retain(|offered| {
                    request
                        .transactions
                        .iter()
                        .all(|first| first.transaction.hash() != offered.hash())
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                ready.truncate(settings.max_transactions.unwrap_or(usize::MAX));
                ready
            }
        };
        let senders = offered.iter().map(|tx| tx.sender());
        let set_back = match &request.only {
            None => senders.filter(|sender| node.pool.is_set_back(*sender)).collect(),
            Some(_) => AddressSet::default(),
        };
        Ok(Self {
            state,
            header,
            withdrawals: attributes.withdrawals,
            first: request.transactions.clone(),
            offered,
            set_back,
            budget: Arc::clone(&settings.budget),
            request: BudgetRequest {
                reserved_bytes: request.reserved_bytes,
                owed: request.transactions.len(),
                set_back: None,
                is_strict: false,
                pool_gas: request.pool_gas,
            },
            schedule: settings.execute_gas,
            pool: node.pool.version(),
            commands: node.commands,
        })
    }

    /// Removes the only offered transaction, which is too expensive even alone, and offers all
    /// others among `all` again. From the second time on it offers none, because the builder's
    /// estimate is wrong.
    pub(crate) fn drop_too_expensive(&mut self, all: &[Arc<PoolTransaction>]) {
        let dropped = self.offered.pop().map(|tx| *tx.hash());
        if !self.request.is_strict {
            self.request.is_strict = true;
            self.offered = all.iter().filter(|tx| Some(*tx.hash()) != dropped).cloned().collect();
        }
    }

    pub(crate) fn key(&self) -> PendingKey {
        PendingKey {
            header: self.header.hash_slow(),
            root: self.state.root(),
            pool: self.pool,
            first: self.first.iter().map(|first| *first.transaction.hash()).collect(),
            pool_gas: self.request.pool_gas,
            commands: self.commands,
        }
    }

    /// Returns `true` if L1's limits bound the block.
    pub(crate) fn is_bounded(&self) -> bool {
        self.budget.limits().is_some()
    }

    /// Iterates over all candidate transactions, in order.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &RecoveredTransaction> {
        self.first.iter().chain(self.offered.iter().map(|offered| &offered.recovered))
    }

    /// Builds the block, including its witness if it will be verified or its input is bounded.
    pub(crate) fn build(&self, verify: bool) -> Result<BlockBuilderOutcome, ChainError> {
        let (header, withdrawals) = (&self.header, &self.withdrawals);
        let offered = self.transactions();
        let first_set_back =
            self.offered.iter().position(|tx| self.set_back.contains(&tx.sender()));
        let request = BudgetRequest {
            set_back: first_set_back.map(|position| self.first.len() + position),
            ..self.request
        };
        if verify || self.is_bounded() || self.request.pool_gas.is_some() {
            BlockBuilder::new(&self.state).build_within(
                header,
                withdrawals,
                offered,
                &*self.budget,
                request,
            )
        } else {
            BlockBuilder::new(&self.state).build(header, withdrawals, offered)
        }
    }
}
