//! Bounds on a block beyond those of the protocol, which its builder asks about.

use crate::{ChainConfig, Rejection, record::WitnessSize};
use alloy_consensus::Header;
use core::fmt;
use executor::EvmOverrides;
use revm::context::result::ResultAndState;
use store::Transaction;

/// Use of a bounded resource by a block, or the most that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputUse {
    /// Bytes of the input in its [shortest form](crate::shortest_input).
    pub bytes: usize,
    /// Gas that EXECUTE asks for before it has done its work.
    pub gas: u64,
}

/// Circumstances of a block that its budget has to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct BudgetRequest {
    /// Bytes by which the input stays shorter than the bounds allow: they go to L1 beside it.
    pub reserved_bytes: usize,
    /// Number of leading transactions that the block owes, for which nothing is paid.
    pub owed: usize,
}

/// Bounds on the blocks that a node builds. A block without transactions may exceed them.
pub trait BudgetPolicy: fmt::Debug + Send + Sync {
    /// Returns the most that a block may use; `None` if blocks are unbounded.
    fn limits(&self) -> Option<InputUse>;

    /// Opens the budget of a block.
    fn open<'b>(
        &self,
        config: &'b ChainConfig,
        header: &Header,
        request: BudgetRequest,
    ) -> Box<dyn BlockBudget + 'b>;
}

/// Budget of a block under construction. The builder asks it before and after each transaction.
pub trait BlockBudget {
    /// Returns the rules under which the block runs: those of its chain, with a counter of work if
    /// need be.
    fn overrides(&self) -> &dyn EvmOverrides;

    /// Returns the maximum bytes of the block's input in its [shortest
    /// form](crate::shortest_input); `None` if they are unbounded.
    fn max_bytes(&self) -> Option<usize>;

    /// Returns `true` if a bound applies to the block. The builder then makes the reads that follow
    /// the transactions of every block first, so that they are counted.
    fn is_bounded(&self) -> bool;

    /// Returns the reason for which a transaction does not fit even if it reads nothing, if it does
    /// not. `size` is that of the witness so far.
    fn before(
        &self,
        index: usize,
        transaction: &Transaction,
        size: WitnessSize,
    ) -> Option<Rejection>;

    /// Takes a transaction that was executed and has grown the witness from `before` to `now`, or
    /// returns the reason for which it does not fit.
    fn after(
        &self,
        index: usize,
        transaction: &Transaction,
        before: WitnessSize,
        now: WitnessSize,
        executed: &ResultAndState,
    ) -> Option<Rejection>;

    /// Returns the price of the counted work so far.
    fn work(&self) -> u64;

    /// Resets the counted work to an earlier value: the work since then is not part of the block.
    fn rewind_work(&self, work: u64);

    /// Returns the use of the budget by the block in its present state, with a witness of this
    /// size.
    fn used(&self, size: WitnessSize) -> InputUse;
}

/// The policy of a node whose blocks are unbounded.
impl BudgetPolicy for () {
    fn limits(&self) -> Option<InputUse> {
        None
    }

    fn open<'b>(
        &self,
        config: &'b ChainConfig,
        _: &Header,
        _: BudgetRequest,
    ) -> Box<dyn BlockBudget + 'b> {
        Box::new(Unbounded(config))
    }
}

/// Budget of an unbounded block.
struct Unbounded<'c>(&'c ChainConfig);

impl BlockBudget for Unbounded<'_> {
    fn overrides(&self) -> &dyn EvmOverrides {
        self.0
    }

    fn max_bytes(&self) -> Option<usize> {
        None
    }

    fn is_bounded(&self) -> bool {
        false
    }

    fn before(&self, _: usize, _: &Transaction, _: WitnessSize) -> Option<Rejection> {
        None
    }

    fn after(
        &self,
        _: usize,
        _: &Transaction,
        _: WitnessSize,
        _: WitnessSize,
        _: &ResultAndState,
    ) -> Option<Rejection> {
        None
    }

    fn work(&self) -> u64 {
        0
    }

    fn rewind_work(&self, _: u64) {}

    fn used(&self, _: WitnessSize) -> InputUse {
        InputUse::default()
    }
}
