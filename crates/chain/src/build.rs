//! Building blocks.

use crate::{Block, Chain, ChainError, NewBlock, import::seal, record::Recording};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, Transaction as _, proofs};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use stateless::{
    BlockExecution, BlockState, ExecutedBlock, Invalid, Transaction, check_access_list_size,
    next_base_fee, next_excess_blob_gas, recover_sender,
};
use wire::ProtocolFork;

/// What a builder is free to choose.
#[derive(Debug, Clone, Default)]
pub struct BlockAttributes {
    /// Seconds; later than the parent's.
    pub timestamp: u64,
    /// Who gets the tips.
    pub fee_recipient: Address,
    /// Randomness.
    pub prev_randao: B256,
    /// The anchor of an L2.
    pub parent_beacon_block_root: B256,
    /// Gas limit to move towards, as far as one block may; `None` keeps the parent's.
    pub gas_limit: Option<u64>,
    /// At most 32 bytes.
    pub extra_data: Bytes,
    /// Withdrawals; an L2 has none.
    pub withdrawals: Vec<Withdrawal>,
    /// Slot number (EIP-7843); Amsterdam and later.
    pub slot_number: u64,
}

impl Chain {
    /// Builds a child of the head from those of `transactions` that can stand in it, in order.
    ///
    /// Returns the block and, for each transaction left out, its position and the reason. The block
    /// becomes part of the chain with [`Chain::append`].
    pub fn build(
        &self,
        attributes: &BlockAttributes,
        transactions: Vec<Transaction>,
    ) -> Result<(NewBlock, Vec<(usize, Invalid)>), ChainError> {
        let parent = &self.head().header;
        let (header, fork) = self.open_header(parent, attributes)?;
        let mut candidates = Vec::with_capacity(transactions.len());
        let mut left_out = Vec::new();
        for (index, transaction) in transactions.into_iter().enumerate() {
            match recover_sender(&transaction) {
                Some(sender) => candidates.push((index, transaction, sender)),
                None => left_out.push((index, Invalid::Signature { index })),
            }
        }
        // A transaction that is tried and left out has read state that the block does not need, so
        // the record of what the block reads starts afresh once it is known what stands in it.
        loop {
            let recording = Recording::new(self.store(), parent);
            let mut rejected = Vec::new();
            let sealed = self.try_build(
                &header,
                fork,
                attributes,
                &recording,
                &candidates,
                |index, reason| rejected.push((index, reason)),
            )?;
            if rejected.is_empty() {
                let witness = recording.into_witness();
                let chain_id = self.config().spec.chain_id();
                let (block, nodes, codes) = sealed;
                left_out.sort_by_key(|(index, _)| *index);
                return Ok((NewBlock { block, fork, chain_id, witness, nodes, codes }, left_out));
            }
            candidates.retain(|(index, ..)| rejected.iter().all(|(left, _)| left != index));
            left_out.append(&mut rejected);
        }
    }

    /// The header of a child of `parent`, as far as it is known before execution.
    fn open_header(
        &self,
        parent: &Header,
        attributes: &BlockAttributes,
    ) -> Result<(Header, ProtocolFork), ChainError> {
        let spec = &self.config().spec;
        let timestamp = attributes.timestamp;
        let fork = spec
            .fork_at(timestamp)
            .filter(|fork| *fork >= ProtocolFork::Cancun)
            .ok_or(ChainError::NoFork(timestamp))?;
        let blob_params = spec.blob_params_at(timestamp).ok_or(ChainError::NoFork(timestamp))?;
        let header = Header {
            parent_hash: self.head().hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.fee_recipient,
            number: parent.number + 1,
            gas_limit: next_gas_limit(parent.gas_limit, attributes.gas_limit),
            timestamp,
            extra_data: attributes.extra_data.clone(),
            mix_hash: attributes.prev_randao,
            base_fee_per_gas: Some(next_base_fee(parent)?),
            withdrawals_root: Some(proofs::calculate_withdrawals_root(&attributes.withdrawals)),
            excess_blob_gas: Some(next_excess_blob_gas(parent, fork, &blob_params)?),
            parent_beacon_block_root: Some(attributes.parent_beacon_block_root),
            slot_number: (fork >= ProtocolFork::Amsterdam).then_some(attributes.slot_number),
            ..Default::default()
        };
        Ok((header, fork))
    }

    #[allow(clippy::type_complexity, reason = "the parts of one new block")]
    fn try_build(
        &self,
        header: &Header,
        fork: ProtocolFork,
        attributes: &BlockAttributes,
        recording: &Recording<'_>,
        candidates: &[(usize, Transaction, Address)],
        mut reject: impl FnMut(usize, Invalid),
    ) -> Result<(Block, Vec<(B256, Bytes)>, Vec<(B256, revm::bytecode::Bytecode)>), ChainError>
    {
        let config = self.config();
        let mut state = BlockState::new(recording, self.head().header.state_root);
        if fork >= ProtocolFork::Amsterdam {
            state = state.with_access_list();
        }
        let install = |precompiles: &mut _| config.install(precompiles);
        let mut execution = BlockExecution::begin(
            &mut state,
            header,
            &attributes.withdrawals,
            fork,
            &config.spec,
            install,
        )?;
        let (mut transactions, mut senders) = (Vec::new(), Vec::new());
        let max_blob_gas = config
            .spec
            .blob_params_at(header.timestamp)
            .map_or(0, |params| params.max_blob_gas_per_block());
        let mut blob_gas = 0;
        for (index, transaction, sender) in candidates {
            // revm knows the limit of a transaction, not that of a block.
            let with_this = blob_gas + transaction.blob_gas_used().unwrap_or_default();
            if with_this > max_blob_gas {
                let reason = format!("{with_this} blob gas with it, a block has {max_blob_gas}");
                reject(*index, Invalid::Transaction { index: *index, reason });
                continue;
            }
            match execution.transact(transaction, *sender) {
                Ok(()) => {
                    blob_gas = with_this;
                    transactions.push(transaction.clone());
                    senders.push(*sender);
                }
                Err(Invalid::State(error)) => return Err(ChainError::Store(error)),
                Err(reason) => reject(*index, reason),
            }
        }
        let executed = execution.finish()?;
        if let Err(reason) = check_access_list_size(&executed, header.gas_limit) {
            // The gas limit must pay for the access list too (EIP-7928): the block is full.
            let Some((index, ..)) = candidates.last() else { return Err(reason.into()) };
            reject(*index, reason);
        }
        let mut nodes = Vec::new();
        let post = state
            .into_post_state(|(hash, node)| nodes.push((hash, Bytes::copy_from_slice(node))))
            .map_err(ChainError::Store)?;
        let header = close_header(header.clone(), &transactions, &executed, post.root);
        let withdrawals = attributes.withdrawals.clone();
        let block = seal(header, transactions, senders, withdrawals, executed);
        Ok((block, nodes, post.codes))
    }
}

/// Fills in what execution has shown.
fn close_header(
    mut header: Header,
    transactions: &[Transaction],
    executed: &ExecutedBlock,
    state_root: B256,
) -> Header {
    let (receipts_root, logs_bloom) = executed.receipts_root_and_bloom();
    header.state_root = state_root;
    header.transactions_root = proofs::calculate_transaction_root(transactions);
    header.receipts_root = receipts_root;
    header.logs_bloom = logs_bloom;
    header.gas_used = executed.gas_used;
    header.blob_gas_used = Some(executed.blob_gas_used);
    header.requests_hash = executed.requests.as_ref().map(|requests| requests.requests_hash());
    header.block_access_list_hash = executed.block_access_list.as_ref().map(keccak256);
    header
}

/// The gas limit of the next block: as close to the target as one block may go.
fn next_gas_limit(parent: u64, target: Option<u64>) -> u64 {
    let step = (parent / 1024).saturating_sub(1);
    let target = target.unwrap_or(parent).max(5_000);
    target.clamp(parent.saturating_sub(step), parent.saturating_add(step))
}
