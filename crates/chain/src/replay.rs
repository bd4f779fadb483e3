//! Re-execution of blocks of the chain.

use crate::store::Block;
use crate::{ChainConfig, ChainError, State, execute_tx, record::WitnessRecorder};
use alloy_consensus::Transaction as _;
use alloy_evm::eth::EthEvmContext;
use alloy_primitives::B256;
use codec::OwnedWitness;
use executor::{BlockEvm, BlockExecution, BlockState};
use revm::{
    Inspector,
    context::{TxEnv, result::ResultAndState},
};

/// A block that is executed again on its original pre-state, transaction by transaction.
#[derive(Debug)]
pub struct Replay<'x, 's, I> {
    execution: BlockExecution<'x, 's, State, I>,
    config: &'x ChainConfig,
    block: &'x Block,
    next: usize,
}

impl<'x, 's, I> Replay<'x, 's, I>
where
    I: Inspector<EthEvmContext<&'x mut BlockState<'s, State>>>,
{
    /// Starts to execute a child of the block of `parent` again. `state` is the parent's state,
    /// [opened](State::open); the inspector observes the transactions of [`Self::inspect`].
    pub fn new(
        parent: &'x State,
        state: &'x mut BlockState<'s, State>,
        child: &'x Block,
        inspector: I,
    ) -> Result<Self, ChainError> {
        let (environment, config) = (parent.environment(child), parent.config());
        let mut execution = BlockExecution::begin_inspected(state, environment, config, inspector)?;
        // The chain may have had another chain id when the block was built.
        if let Some(id) = child.transactions.iter().find_map(|tx| tx.chain_id()) {
            execution.evm_mut().ctx_mut().cfg.chain_id = id;
        }
        Ok(Self { execution, config, block: child, next: 0 })
    }

    /// Runs the transactions before position `index` that have not run yet.
    pub fn run_to(&mut self, index: usize) -> Result<(), ChainError> {
        let block = self.block;
        let due = block.transactions.iter().zip(&block.senders).take(index).skip(self.next);
        for (transaction, sender) in due {
            let execution = &mut self.execution;
            execute_tx::transact_if(execution, self.config, transaction, *sender, |_| true)?;
            self.next += 1;
        }
        Ok(())
    }

    /// Runs the next transaction under the inspector; `observe` receives the result before it is
    /// committed. `None` if there is no further transaction.
    pub fn inspect<T, E: From<ChainError>>(
        &mut self,
        observe: impl FnOnce(
            usize,
            &mut BlockEvm<&'x mut BlockState<'s, State>, I>,
            &TxEnv,
            &ResultAndState,
        ) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let (index, block) = (self.next, self.block);
        let Some((transaction, sender)) =
            block.transactions.get(index).zip(block.senders.get(index))
        else {
            return Ok(None);
        };
        let execution = &mut self.execution;
        let observe = |evm: &mut _, env: &_, done: &_| {
            observe(index, evm, env, done).map_err(Stopped::Observer)
        };
        let done =
            execute_tx::inspect(execution, self.config, transaction, *sender, index, observe);
        self.next += 1;
        match done {
            Ok(observed) => Ok(Some(observed)),
            Err(Stopped::Observer(error)) => Err(error),
            Err(Stopped::Block(error)) => Err(ChainError::from(error).into()),
        }
    }
}

/// Executes a child of the block of `state` again, and returns its canonical witness: the minimum
/// for a verifier.
pub fn witness_of(state: &State, child: &Block) -> Result<OwnedWitness, ChainError> {
    witness_of_blocks(state, [child])
}

/// Returns the joint witness of a child of the block of `state` and its successors, each a child of
/// the previous one: the items that they read and have not written themselves.
pub(crate) fn witness_of_blocks<'b>(
    state: &State,
    blocks: impl IntoIterator<Item = &'b Block>,
) -> Result<OwnedWitness, ChainError> {
    let recording = WitnessRecorder::new(state);
    let (mut parent, mut root) = (state.block.hash, state.root);
    for block in blocks {
        let (hash, of_parent) = (block.hash, block.header.parent_hash);
        if of_parent != parent {
            return Err(ChainError::NoChild { block: hash, got: of_parent, expected: parent });
        }
        let post = follow(state, &recording, block, root)?;
        recording.follow(hash, post.nodes, post.codes);
        (parent, root) = (hash, post.root);
    }
    recording.into_witness()
}

/// Hashes of the nodes and codes that a block wrote, and the root of the state after it.
pub(crate) struct Followed {
    pub(crate) nodes: Vec<B256>,
    pub(crate) codes: Vec<B256>,
    root: B256,
}

/// Executes a block again on the state with this root, and records its reads. `before` is the state
/// before the first recorded block.
pub(crate) fn follow(
    before: &State,
    recording: &WitnessRecorder<'_>,
    block: &Block,
    root: B256,
) -> Result<Followed, ChainError> {
    let mut state = BlockState::new(recording, root);
    if block.header.slot_number.is_some() {
        state = state.with_access_list();
    }
    let (environment, transactions) = (before.environment(block), &block.transactions);
    let sender = |index: usize| Ok(block.senders[index]);
    let all = |_, _| Ok(());
    execute_tx::execute_block(&mut state, environment, before.config(), transactions, sender, all)?;
    let mut nodes = Vec::new();
    let post = state.into_post_state(|(node, _)| nodes.push(node))?;
    let codes = post.codes.into_iter().map(|(code, _)| code).collect();
    Ok(Followed { nodes, codes, root: post.root })
}

/// Reason why a replay stopped: an error of the replay or of the observer.
enum Stopped<E> {
    Block(executor::BlockError),
    Observer(E),
}

impl<E> From<executor::BlockError> for Stopped<E> {
    fn from(error: executor::BlockError) -> Self {
        Self::Block(error)
    }
}
