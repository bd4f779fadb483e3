//! Making blocks.

use crate::{Event, Node, NodeError, NodeState, PoolTransaction};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, keccak256};
use chain::{Block, BlockAttributes, BuiltBlock, ChainError, Rejection, State};
use stateless::BlockError;
use std::{sync::Arc, time::Duration};
use wire::{OwnedWitness, ProtocolFork, StatelessInput};

/// How a block is to be made.
#[derive(Debug, Clone, Default)]
pub struct MineRequest {
    /// Its timestamp; `None` for what the clock shows.
    pub timestamp: Option<u64>,
    /// The transactions that it takes, if they can stand in it; `None` for those that are ready.
    pub only: Option<Vec<B256>>,
    /// Its withdrawals.
    pub withdrawals: Vec<Withdrawal>,
    /// Its anchor.
    pub parent_beacon_block_root: B256,
}

/// The block that would be made now, and the state after it.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The state after the block, over a store of its own. [`State::block`] is the block.
    pub state: State,
    /// What was asked when it was made.
    key: PendingKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PendingKey {
    header: B256,
    root: B256,
    pool: u64,
}

/// All that a block is made from, taken out of the node.
struct Draft {
    state: State,
    header: Header,
    withdrawals: Vec<Withdrawal>,
    offered: Vec<Arc<PoolTransaction>>,
    pool: u64,
}

impl NodeState {
    /// What the next block is made from.
    fn draft(&self, request: &MineRequest) -> Result<Draft, ChainError> {
        let state = self.chain.state();
        let parent = Arc::clone(state.block());
        let settings = &self.settings;
        let timestamp =
            request.timestamp.unwrap_or_else(|| self.clock.peek(parent.header.timestamp));
        let number = parent.header.number + 1;
        let attributes = BlockAttributes {
            timestamp,
            fee_recipient: settings.coinbase,
            prev_randao: keccak256([parent.hash.as_slice(), &number.to_be_bytes()].concat()),
            parent_beacon_block_root: request.parent_beacon_block_root,
            gas_limit: None,
            extra_data: settings.extra_data.clone(),
            withdrawals: request.withdrawals.clone(),
            slot_number: number,
        };
        let header = self.next_header(&attributes)?;
        let offered = match &request.only {
            Some(hashes) => {
                hashes.iter().filter_map(|hash| self.pool.get(hash)).map(Arc::clone).collect()
            }
            None if self.pool.is_empty() => Vec::new(),
            None => {
                let base_fee = header.base_fee_per_gas.unwrap_or_default();
                self.pool.ready(base_fee, settings.order, |sender| {
                    state.nonce(sender).unwrap_or(u64::MAX)
                })
            }
        };
        Ok(Draft {
            state,
            header,
            withdrawals: attributes.withdrawals,
            offered,
            pool: self.pool.version(),
        })
    }
}

impl Draft {
    fn key(&self) -> PendingKey {
        PendingKey { header: self.header.hash_slow(), root: self.state.root(), pool: self.pool }
    }

    /// Builds the block, with its witness if it is to be verified.
    fn build(&self, verify: bool) -> Result<BuiltBlock, ChainError> {
        let transactions = self.offered.iter().map(|offered| &offered.recovered);
        if verify {
            self.state.build_recorded(&self.header, &self.withdrawals, transactions)
        } else {
            self.state.build(&self.header, &self.withdrawals, transactions)
        }
    }
}

impl Node {
    /// Makes a block and appends it.
    pub fn mine(&self, request: &MineRequest) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        self.mine_locked(request)
    }

    /// Makes a block if there is a transaction that can stand in it.
    pub(crate) fn mine_ready(&self) -> Result<Option<Arc<Block>>, NodeError> {
        let _one = self.mining.lock();
        let request = MineRequest::default();
        if self.inner.read().draft(&request)?.offered.is_empty() {
            return Ok(None);
        }
        self.mine_locked(&request).map(Some)
    }

    fn mine_locked(&self, request: &MineRequest) -> Result<Arc<Block>, NodeError> {
        // Nobody else writes while the lock of mining is held, so readers can go on while
        // the block is executed.
        let draft = self.inner.read().draft(request)?;
        let verify = self.inner.read().settings.verify_blocks;
        let built = draft.build(verify)?;
        if let Some(witness) = &built.witness
            && built.executed.block.provable
        {
            verify_from_witness(&draft.state, &built.executed.block, witness)?;
        }
        let impossible: Vec<B256> = built
            .rejected
            .iter()
            .filter(|(_, reason)| matches!(reason, Rejection::Invalid(_)))
            .map(|(index, _)| *draft.offered[*index].hash())
            .collect();
        let mut node = self.inner.write();
        let block = node.chain.append(built.executed)?;
        node.clock.used(block.header.timestamp);
        node.header_policy.made(&block.header);
        for hash in &impossible {
            node.pool.remove(hash);
        }
        for (transaction, sender) in block.transactions.iter().zip(&block.senders) {
            if let Some(mined) = node.pool.remove(transaction.hash())
                && let Some(sidecar) = &mined.sidecar
            {
                node.sidecars.insert(*transaction.hash(), Arc::clone(sidecar));
            }
            node.pool.forget_below(*sender, transaction.nonce().saturating_add(1));
        }
        if let Err(error) = node.prune() {
            tracing::warn!(%error, "old states stay: they could not be forgotten");
        }
        drop(node);
        self.emit(Event::Head { removed: Vec::new(), added: vec![Arc::clone(&block)] });
        Ok(block)
    }

    /// The block that would be made now, and the state after it.
    pub fn pending(&self) -> Result<Pending, NodeError> {
        let mut cached = self.pending.lock();
        let draft = self.inner.read().draft(&MineRequest::default())?;
        let key = draft.key();
        if let Some(pending) = cached.as_ref().filter(|pending| pending.key == key) {
            return Ok(pending.clone());
        }
        let built = draft.build(false)?;
        let pending = Pending { state: draft.state.after(built.executed)?, key };
        *cached = Some(pending.clone());
        Ok(pending)
    }

    /// Makes blocks at intervals, as long as the settings say so. Runs until the node is gone.
    pub async fn run(self: Arc<Self>) {
        let node = Arc::downgrade(&self);
        let mut changed = self.mining_changed.subscribe();
        let mut interval = self.read(|node| node.settings.mining.interval());
        drop(self);
        loop {
            let due = tokio::time::sleep(interval.unwrap_or(Duration::from_secs(3_600)));
            tokio::select! {
                () = due, if interval.is_some() => {
                    let Some(node) = node.upgrade() else { return };
                    // A block that fails is tried again at the next interval; who asks for one
                    // by RPC is told why.
                    let mined = tokio::task::spawn_blocking(move || node.mine(&MineRequest::default()));
                    drop(mined.await);
                }
                result = changed.changed() => {
                    if result.is_err() {
                        return;
                    }
                }
            }
            let Some(node) = node.upgrade() else { return };
            interval = node.read(|node| node.settings.mining.interval());
        }
    }
}

/// Verifies a block as EXECUTE would: from what it reads and nothing else.
fn verify_from_witness(
    parent: &State,
    block: &Block,
    witness: &OwnedWitness,
) -> Result<(), NodeError> {
    let config = parent.config();
    let unverified = |reason: String| NodeError::Unverified { number: block.header.number, reason };
    let Some(fork) = config.spec.fork_at(block.header.timestamp) else { return Ok(()) };
    if fork < ProtocolFork::Cancun {
        return Ok(());
    }
    let calldata = block
        .input(fork, config.spec.chain_id(), witness)
        .map_err(|error| unverified(error.to_string()))?;
    let input = StatelessInput::decode(&calldata).map_err(|error| unverified(error.to_string()))?;
    let options = stateless::Options { evm: config, ..Default::default() };
    stateless::UncheckedBlock::decode(&input)
        .map_err(BlockError::from)
        .and_then(|block| block.verify(&config.spec, options, |_| {}))
        .map(|_| ())
        .map_err(|error| unverified(error.to_string()))
}
