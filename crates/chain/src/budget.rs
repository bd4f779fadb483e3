//! Limits on a block that its builder enforces in addition to those of the protocol.

use crate::store::Transaction;
use crate::{ChainConfig, Rejection, record::WitnessSize};
use alloy_consensus::Header;
use core::fmt;
use executor::{EvmOverrides, WorkGas};
use revm::context::result::ResultAndState;

/// Resources that the EXECUTE input of a block uses, or their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputUse {
    /// Length of the input in its [shortest form](crate::shortest_input), in bytes.
    pub bytes: usize,
    /// Gas that EXECUTE requires before it executes.
    pub gas: u64,
}

/// Properties of a block that its budget depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct BudgetRequest {
    /// Bytes to keep free in the input, for other data in the L1 transaction.
    pub reserved_bytes: usize,
    /// Number of leading transactions that the block must include; these need not pay for their
    /// bytes.
    pub owed: usize,
    /// Position of the first transaction of deprioritized senders, whose transactions were executed
    /// before without being included. They have a separate limit for such executions, so that they
    /// cannot use up the budget of other senders.
    pub set_back: Option<usize>,
    /// `true` to leave out a transaction that may not fit even alone in the block. Otherwise the
    /// first one is included if it may fit, and found not to fit only once the block is complete,
    /// without any other transaction.
    pub is_strict: bool,
    /// Maximum sum of the gas limits of included transactions that are not duties; `None` for no
    /// limit. The first that exceeds it ends the block, unless it would be the first one included.
    pub pool_gas: Option<u64>,
}

/// Limits on the blocks that a node builds. A block without transactions may exceed them.
pub trait BudgetPolicy: fmt::Debug + Send + Sync {
    /// Returns the limits of a block; `None` if blocks are unbounded.
    fn limits(&self) -> Option<InputUse>;

    /// Returns the tip per gas with which a transfer currently pays for its share of the limits, in
    /// wei.
    fn suggested_tip(&self) -> u128 {
        0
    }

    /// Opens the budget of a block.
    fn open<'b>(
        &self,
        config: &'b ChainConfig,
        header: &Header,
        request: BudgetRequest,
    ) -> Box<dyn BlockBudget + 'b>;
}

/// Budget of a block under construction. The builder consults it before and after each transaction.
pub trait BlockBudget {
    /// Returns the EVM overrides of the block: those of its chain, with a counter of underpriced
    /// work if the budget needs one.
    fn overrides(&self) -> &dyn EvmOverrides;

    /// Returns the maximum length of the block's input in its [shortest
    /// form](crate::shortest_input), in bytes; `None` if it is unbounded.
    fn max_bytes(&self) -> Option<usize>;

    /// Returns `true` if a limit applies to the block. The builder then performs the reads that are
    /// due at the end of every block before the transactions, so that they are counted.
    fn is_bounded(&self) -> bool;

    /// Returns the reason if a transaction does not fit even if it reads no state. `size` is that
    /// of the witness so far.
    fn before(
        &self,
        index: usize,
        transaction: &Transaction,
        size: WitnessSize,
    ) -> Option<Rejection>;

    /// Charges an executed transaction, which has grown the witness from `before` to `now`, or
    /// returns the reason why it does not fit.
    fn after(
        &self,
        index: usize,
        transaction: &Transaction,
        before: WitnessSize,
        now: WitnessSize,
        executed: &ResultAndState,
    ) -> Option<Rejection>;

    /// Returns the price of the counted work so far.
    fn work(&self) -> WorkGas;

    /// Resets the counted work to an earlier value: the work since then is not part of the block.
    fn rewind_work(&self, work: WorkGas);

    /// Returns the resources that the block uses so far, with a witness of this size.
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

    fn work(&self) -> WorkGas {
        WorkGas::default()
    }

    fn rewind_work(&self, _: WorkGas) {}

    fn used(&self, _: WitnessSize) -> InputUse {
        InputUse::default()
    }
}
