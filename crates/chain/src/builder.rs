//! Block building.

use crate::store::{Block, Changes, ExecutedBlock};
use crate::{
    BlockAttributes, BudgetPolicy, BudgetRequest, ChainError, ChainReader, InputUse, Rejection,
    State,
    candidates::Candidates,
    filler::{Attempt, BlockFiller, Bounds, IncludedTransactions, RecoveredTransaction, Rejected},
    header::check_header,
    record::WitnessRecorder,
    shortest_input,
};
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_evm::Evm as _;
use codec::OwnedWitness;
use executor::{
    BlockError, BlockExecution, BlockState, ChainSpec, Environment, EvmOverrides, ExecutionOutcome,
    Invalid, SYSTEM_CONTRACTS, StateSource, SystemContract, Transaction, check_system_code,
};
use revm::Database as _;
use stateless::check_access_list_size;
use wire::{ProtocolFork, StatelessInput};

/// Result of building a block.
#[derive(Debug, Clone)]
pub struct BlockBuilderOutcome {
    /// The block, with the transactions that were included, and with its witness if that was
    /// requested.
    pub executed: ExecutedBlock,
    /// Resources that its EXECUTE input uses, if its witness was requested.
    pub used: Option<InputUse>,
    /// Position and reason of each transaction that was not included, by ascending position.
    pub rejected: Vec<(usize, Rejection)>,
    /// Positions of the transactions that were executed but not included, for any reason.
    pub in_vain: Vec<usize>,
}

impl BlockBuilderOutcome {
    /// Returns the length of the [shortest](shortest_input) EXECUTE input for the block, if it
    /// exceeds `max` bytes. `read` is an upper bound for the length of the witness. Before Cancun
    /// there is no input.
    fn surplus_length(
        &self,
        spec: &ChainSpec,
        read: usize,
        max: usize,
    ) -> Result<Option<usize>, ChainError> {
        let ExecutedBlock { block, witness, .. } = &self.executed;
        let fork = spec.fork_at(block.header.timestamp);
        let Some(fork) = fork.filter(|fork| *fork >= ProtocolFork::Cancun) else { return Ok(None) };
        // The upper bound is usually sufficient and avoids hashing any node.
        let parents = witness.headers.last().cloned().into_iter().collect();
        let rest = OwnedWitness { headers: parents, ..OwnedWitness::default() };
        let (raw, chain_id) = (block.to_raw(), spec.chain_id());
        let request = block.as_request(&raw, fork).map_err(Invalid::from)?;
        let rest = StatelessInput { fork, request, witness: rest.view(), chain_id }.encoded_len();
        if rest + BATCH_OVERHEAD + read <= max {
            return Ok(None);
        }
        let input = shortest_input(block, fork, chain_id, witness);
        let length = input.map_err(Invalid::from)?.len();
        Ok((length > max).then_some(length))
    }
}

impl ChainReader {
    /// Builds a child of the head that includes the valid transactions among `transactions`, in
    /// order, and records the minimal witness for a verifier.
    ///
    /// Returns the block, and the position and reason of each transaction that was not included.
    /// The block becomes part of the chain with [`Chain::append`](crate::Chain::append).
    pub fn build(
        &self,
        attributes: &BlockAttributes,
        transactions: Vec<Transaction>,
    ) -> Result<(ExecutedBlock, Vec<(usize, Invalid)>), ChainError> {
        let (mut recovered, mut positions, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        let senders = self.config().cryptography().senders(&transactions);
        for (index, (transaction, sender)) in transactions.into_iter().zip(senders).enumerate() {
            match sender {
                Some(sender) => {
                    recovered.push(RecoveredTransaction {
                        transaction: transaction.into(),
                        sender,
                        signed: true,
                    });
                    positions.push(index);
                }
                None => rejected.push((index, Invalid::Signature { index })),
            }
        }
        let state = self.state();
        let header = state.open_header(attributes)?;
        let mut built = BlockBuilder::new(&state).build_recorded(
            &header,
            &attributes.withdrawals,
            &recovered,
        )?;
        let reasons = core::mem::take(&mut built.rejected).into_iter();
        rejected.extend(reasons.map(|(at, reason)| (positions[at], reason.into_invalid())));
        rejected.sort_by_key(|(index, _)| *index);
        Ok((built.executed, rejected))
    }
}

/// Builds children of a block on the state after it.
#[derive(Debug)]
pub struct BlockBuilder<'s> {
    state: &'s State,
}

impl<'s> BlockBuilder<'s> {
    /// Creates a builder of children of the block of `state`.
    pub const fn new(state: &'s State) -> Self {
        Self { state }
    }

    /// Builds a block that includes the valid transactions among `transactions`, in order, without
    /// recording a witness. `header` comes from [`State::open_header`] and the block's attributes;
    /// a header that the rules forbid makes a block that is not [provable](Block::provable).
    pub fn build<'c>(
        &self,
        header: &Header,
        withdrawals: &[Withdrawal],
        transactions: impl IntoIterator<Item = &'c RecoveredTransaction>,
    ) -> Result<BlockBuilderOutcome, ChainError> {
        let mut candidates = Candidates::new(transactions);
        loop {
            let mut rejected = Vec::new();
            let offered = candidates.offered();
            let attempt = Attempt { header, withdrawals, offered, bounds: None, share: None };
            let (built, surplus) = self.execute(self.state, attempt, &mut rejected)?;
            rejected.extend(surplus);
            if !candidates.remove(rejected) {
                let (rejected, in_vain) = candidates.into_rejected();
                return Ok(BlockBuilderOutcome { rejected, in_vain, ..built });
            }
        }
    }

    /// Builds a block and its witness.
    pub fn build_recorded<'c>(
        &self,
        header: &Header,
        withdrawals: &[Withdrawal],
        transactions: impl IntoIterator<Item = &'c RecoveredTransaction>,
    ) -> Result<BlockBuilderOutcome, ChainError> {
        self.build_within(header, withdrawals, transactions, &(), BudgetRequest::default())
    }

    /// Builds a block and its witness within a budget. A block without transactions may exceed it.
    ///
    /// A transaction that exceeds the budget alone in a block is [too large](Rejection::TooLarge):
    /// no block can include it. A transaction that turns out not to fit is removed together with
    /// its recorded reads, and building continues. Building restarts only if the reads for the
    /// state root, after the last transaction, make the block too long.
    pub fn build_within<'c>(
        &self,
        header: &Header,
        withdrawals: &[Withdrawal],
        transactions: impl IntoIterator<Item = &'c RecoveredTransaction>,
        policy: &dyn BudgetPolicy,
        mut request: BudgetRequest,
    ) -> Result<BlockBuilderOutcome, ChainError> {
        let mut candidates = Candidates::new(transactions);
        loop {
            let recording = WitnessRecorder::new(self.state);
            let mut rejected = Vec::new();
            let budget = policy.open(&self.state.config, header, request);
            let bounds = Some(Bounds { recording: &recording, budget: &*budget });
            let share = request.pool_gas.map(|gas| (request.owed, gas));
            let offered = candidates.offered();
            let attempt = Attempt { header, withdrawals, offered, bounds, share };
            let (mut built, surplus) = self.execute(&recording, attempt, &mut rejected)?;
            rejected.extend(surplus);
            if candidates.remove(rejected) {
                continue;
            }
            let max_bytes = budget.max_bytes();
            let read = recording.size().maximum;
            built.executed.witness = recording.into_witness()?;
            let surplus = |max| built.surplus_length(&self.state.config.spec, read, max);
            let length = max_bytes.map(surplus).transpose()?.flatten();
            match max_bytes.zip(length) {
                Some((max, length)) if !candidates.offered().is_empty() => {
                    candidates.shorten(length, max, &mut request);
                }
                _ => {
                    let (rejected, in_vain) = candidates.into_rejected();
                    return Ok(BlockBuilderOutcome { rejected, in_vain, ..built });
                }
            }
        }
    }

    /// Builds a block from the valid transactions among the offered ones, and adds the others to
    /// `rejected`. Also returns the transaction to exclude if the block cannot be sealed with it
    /// and has to be rebuilt.
    fn execute<S: StateSource>(
        &self,
        source: &S,
        attempt: Attempt<'_, '_, '_>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<(BlockBuilderOutcome, Option<Rejected>), ChainError> {
        let Attempt { header, withdrawals, offered, bounds, .. } = attempt;
        let spec = &self.state.config.spec;
        let mut state = BlockState::new(source, self.state.root);
        if header.slot_number.is_some() {
            state = state.with_access_list();
        }
        let environment = Environment { header, ommers: &[], withdrawals, spec };
        let overrides = bounds
            .map_or(self.state.config() as &dyn EvmOverrides, |bounds| bounds.budget.overrides());
        let mut execution = BlockExecution::begin(&mut state, environment, overrides)?;
        if bounds.is_some_and(|bounds| bounds.budget.is_bounded()) {
            prefetch_contracts(execution.evm_mut().db_mut(), spec.fork_at(header.timestamp))?;
        }
        let mut filler = BlockFiller::new(self.state, attempt, execution);
        for (index, offered) in offered.iter().copied() {
            filler.offer(index, offered, rejected)?;
        }
        let used = bounds.map(|bounds| bounds.budget.used(bounds.recording.size()));
        let (executed, included) = filler.finish()?;
        // The gas limit must pay for the access list too (EIP-7928).
        let surplus = match (check_access_list_size(&executed, header.gas_limit), included.last) {
            (Ok(()), _) => None,
            (Err(reason), None) => return Err(reason.into()),
            (Err(reason), Some(index)) => {
                let alone = included.transactions.len() == 1;
                let reason =
                    if alone { Rejection::Invalid(reason) } else { Rejection::BlockFull(reason) };
                Some(Rejected { index, reason, executed: true, leaves_reads: true })
            }
        };
        let executed = self.sealed(state, attempt, executed, included)?;
        let (rejected, in_vain) = (Vec::new(), Vec::new());
        Ok((BlockBuilderOutcome { executed, used, rejected, in_vain }, surplus))
    }

    /// Creates the block of executed transactions, and its changes to the store.
    fn sealed<S: StateSource>(
        &self,
        mut state: BlockState<'_, S>,
        attempt: Attempt<'_, '_, '_>,
        executed: ExecutionOutcome,
        included: IncludedTransactions,
    ) -> Result<ExecutedBlock, ChainError> {
        let Attempt { header, withdrawals, .. } = attempt;
        let IncludedTransactions { transactions, senders, draws, all_signed, .. } = included;
        let parent = self.state;
        let spec = &parent.config.spec;
        let mut provable = all_signed
            && parent.root == parent.block.header.state_root
            && parent.fork_backend.is_none()
            && parent.config.is_verifiable();
        if let Some(fork) = spec.fork_at(header.timestamp) {
            provable &=
                is_canonical(check_system_code(&mut state, fork, parent.config.system_code))?;
        }
        let mut changes = Changes { preimages: state.changed(), ..Changes::default() };
        let post = state.into_post_state(|node| changes.put_node(node))?;
        changes.codes = post.codes;
        let header =
            crate::store::close_header(&executed, header.clone(), &transactions, post.root);
        provable &= check_header(&header, &parent.block.header, spec).is_ok();
        let withdrawals = withdrawals.to_vec();
        let mut block = Block::sealed(header, transactions, senders, withdrawals, executed);
        block.execute_draws = draws;
        block.provable = provable;
        block.total_difficulty = parent.block.total_difficulty;
        block.pre_state_root = parent.root;
        Ok(ExecutedBlock::new(block, changes, spec))
    }
}

/// Performs the reads that are due at the end of every block before the transactions, so that they
/// are counted.
fn prefetch_contracts<S: StateSource>(
    state: &mut BlockState<'_, S>,
    fork: Option<ProtocolFork>,
) -> Result<(), BlockError> {
    let called = |contract: &&SystemContract| {
        !contract.optional && fork.is_some_and(|fork| fork >= contract.since)
    };
    for contract in SYSTEM_CONTRACTS.iter().filter(called) {
        if let Some(account) = state.basic(contract.address)? {
            state.code_by_hash(account.code_hash)?;
        }
    }
    Ok(())
}

/// Returns `true` if a verifier accepts the code at the system addresses.
fn is_canonical(checked: Result<(), BlockError>) -> Result<bool, BlockError> {
    match checked {
        Ok(()) => Ok(true),
        Err(BlockError::Invalid(Invalid::SystemCode { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Bytes of a batch of one block in addition to the block's own input without nodes: the offset of
/// the request, and the number of nodes.
const BATCH_OVERHEAD: usize = 8;
