//! Checks and execution of the blocks of other builders.

use crate::store::{Block, Changes, ExecutedBlock, Transaction};
use crate::{
    ChainError, ChainReader, State,
    config::pending_merge,
    execute_tx,
    header::{check_header, check_ommers},
    record::WitnessRecorder,
};
use alloy_consensus::{Header, proofs};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::Encodable as _;
use alloy_trie::root::ordered_trie_root_with_encoder;
use codec::RawBlock;
use executor::{EvmOverrides as _, ExecutionOutcome, Invalid, StateSource, check_transactions};
use stateless::{RlpSize, VerifyOptions, process_block};

/// A block with recovered senders that has passed all checks possible without executing it. A
/// separate type, so that only checked blocks can be executed, and no block without results of
/// execution leaves this module.
pub(crate) struct RecoveredBlock {
    parent: State,
    block: Block,
}

impl RecoveredBlock {
    /// Makes the checks of [`Self::new`] on the state after the block's parent in this chain.
    pub(crate) fn on(
        chain: &ChainReader,
        raw: &RawBlock,
        ommers: &[Header],
        senders: Option<&[Address]>,
    ) -> Result<Self, ChainError> {
        let parent = raw.header.parent_hash;
        let found = chain.find_block(&parent)?;
        let parent = found.ok_or(ChainError::UnknownParent { block: raw.hash, parent })?;
        Self::new(chain.state_after(&parent), raw, ommers, senders)
    }

    /// Makes all checks of a child of the block of `state` that are possible without executing it.
    /// `senders` are those of the transactions, if known.
    pub(crate) fn new(
        state: State,
        raw: &RawBlock,
        ommers: &[Header],
        senders: Option<&[Address]>,
    ) -> Result<Self, ChainError> {
        let (header, parent) = (&raw.header, &state.block);
        // A block after the terminal total difficulty follows the rules of the merge.
        let mut spec = state.config().spec.clone();
        if let Some(total) = pending_merge(&spec)
            && parent.total_difficulty >= total
        {
            spec = spec.merged_at(header.number);
        }
        let withdrawals = raw.withdrawals();
        check_body(raw, ommers, &withdrawals)?;
        check_header(header, &parent.header, &spec)?;
        if spec.is_paris_active_at_block(header.number) {
            commitment("ommers hash", header.ommers_hash, alloy_consensus::EMPTY_OMMER_ROOT_HASH)?;
        }
        check_ommers(ommers, parent, &**state.store(), &spec)?;
        let transactions = raw
            .transactions
            .iter()
            .enumerate()
            .map(|(index, bytes)| {
                Transaction::decode(bytes)
                    .map_err(|reason| Invalid::MalformedTransaction { index, reason })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let ethereum = Transaction::all_ethereum(&transactions);
        if let Some(fork) = spec.fork_at(header.timestamp) {
            RlpSize::check(
                header.length(),
                raw.transactions.iter().map(AsRef::as_ref),
                &withdrawals,
                fork,
            )?;
            // The executor makes the same check, but later.
            if let Some(transactions) = &ethereum {
                check_transactions(transactions, header.gas_limit, fork)?;
            }
        }
        let senders = match senders {
            Some(senders) => senders.to_vec(),
            None => {
                let found: Vec<_> = match &ethereum {
                    Some(transactions) => state.config().cryptography().senders(transactions),
                    None => transactions.iter().map(Transaction::sender).collect(),
                };
                let numbered = found.into_iter().enumerate();
                numbered
                    .map(|(index, sender)| sender.ok_or(Invalid::Signature { index }))
                    .collect::<Result<_, _>>()?
            }
        };
        let mut config = state.config().clone();
        config.spec = spec;
        // Use the state root in the parent's header, which excludes later edits.
        let root = parent.header.state_root;
        let none = ExecutionOutcome::default();
        let mut block = Block::sealed(header.clone(), transactions, senders, withdrawals, none);
        block.ommers = ommers.to_vec();
        block.total_difficulty = parent.total_difficulty + header.difficulty;
        block.pre_state_root = root;
        let parent = State { config: config.into(), root, ..state };
        Ok(Self { parent, block })
    }

    /// Executes the block on the state after its parent, and records the witness.
    pub(crate) fn execute_recorded(self) -> Result<ExecutedBlock, ChainError> {
        let parent = self.parent.clone();
        let recording = WitnessRecorder::new(&parent);
        let executed = self.execute(&recording)?;
        Ok(ExecutedBlock { witness: recording.into_witness()?, ..executed })
    }

    /// Executes the block on the state after its parent.
    pub(crate) fn execute_on_parent(self) -> Result<ExecutedBlock, ChainError> {
        let parent = self.parent.clone();
        self.execute(&parent)
    }

    /// Executes the block and compares the claims of its header with the result.
    pub(crate) fn execute<S: StateSource>(self, source: &S) -> Result<ExecutedBlock, ChainError> {
        let Self { parent, mut block } = self;
        let (config, environment) = (parent.config(), parent.environment(&block));
        let (mut changes, mut draws) = (Changes::default(), Vec::new());
        let options = VerifyOptions {
            system_code: config.system_code,
            evm: config,
            ..VerifyOptions::default()
        };
        let (executed, post) = process_block(
            source,
            environment,
            parent.root,
            &options,
            |state, environment, after| {
                let (executed, drawn) = execute_tx::execute_block(
                    state,
                    environment,
                    config,
                    &block.transactions,
                    |index| Ok(block.senders[index]),
                    after,
                )?;
                draws = drawn;
                Ok(executed)
            },
            |_| {},
            |node| changes.put_node(node),
        )?;
        changes.codes = post.codes;
        block = block.with_outcome(executed);
        block.execute_draws = draws;
        Ok(ExecutedBlock::new(block, changes, &config.spec))
    }
}

fn commitment(what: &'static str, got: B256, expected: B256) -> Result<(), Invalid> {
    (got == expected).then_some(()).ok_or(Invalid::Commitment { what, got, expected })
}

/// Checks that the header commits to the body.
fn check_body(
    raw: &RawBlock,
    ommers: &[Header],
    withdrawals: &[Withdrawal],
) -> Result<(), Invalid> {
    let header = &raw.header;
    let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
    let transactions_root = ordered_trie_root_with_encoder(&raw.transactions, put);
    commitment("transactions root", header.transactions_root, transactions_root)?;
    let ommers_hash = proofs::calculate_ommers_root(ommers);
    commitment("ommers hash", header.ommers_hash, ommers_hash)?;
    let root = raw.withdrawals.as_ref().map(|_| proofs::calculate_withdrawals_root(withdrawals));
    commitment(
        "withdrawals root",
        header.withdrawals_root.unwrap_or_default(),
        root.unwrap_or_default(),
    )
}
