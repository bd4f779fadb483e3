//! Execution of the candidate transactions of a block under construction.

use crate::store::{Block, ExecuteDraw, Transaction};
use crate::{
    BlockBudget, ChainConfig, ChainError, Rejection, State,
    execute_tx::{self, ExecuteTxOutcome},
    gas_pool::GasPool,
    record::{Checkpoint, WitnessRecorder, WitnessSize},
    sender,
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip4895::Withdrawal;
use alloy_evm::Evm as _;
use alloy_primitives::{Address, map::AddressSet};
use executor::{
    BlockError, BlockExecution, BlockState, ExecutionOutcome, Invalid, StateSource, WorkGas,
};
use revm::{
    Database as _,
    context::result::{InvalidTransaction, ResultAndState},
};

/// A transaction that is offered to a builder.
#[derive(Debug, Clone)]
pub struct RecoveredTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Its sender.
    pub sender: Address,
    /// `true` if the sender signed it; otherwise the block is not
    /// [provable](crate::Block::provable).
    pub signed: bool,
}

impl RecoveredTransaction {
    /// Returns the transactions of a block, in order.
    pub fn of_block(block: &Block) -> impl Iterator<Item = Self> + '_ {
        let of_block = block.transactions.iter().zip(&block.senders);
        of_block.map(|(transaction, sender)| Self {
            transaction: transaction.clone(),
            sender: *sender,
            signed: true,
        })
    }
}

/// Inputs of an attempt to build a block.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a, 'c, 'w> {
    pub(crate) header: &'a Header,
    pub(crate) withdrawals: &'a [Withdrawal],
    /// Transactions, with their positions among all offered ones.
    pub(crate) offered: &'a [(usize, &'c RecoveredTransaction)],
    /// Limits of the block, if its witness is recorded.
    pub(crate) bounds: Option<Bounds<'a, 'w>>,
    /// Position of the first transaction that is no duty, and the maximum sum of the gas limits of
    /// those.
    pub(crate) share: Option<(usize, u64)>,
}

/// Budget of a block, and the record of its reads.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a, 'w> {
    pub(crate) recording: &'a WitnessRecorder<'w>,
    pub(crate) budget: &'a dyn BlockBudget,
}

impl Bounds<'_, '_> {
    fn checkpoint(&self) -> (Checkpoint, WorkGas) {
        (self.recording.checkpoint(), self.budget.work())
    }

    fn rewind(&self, (reads, work): (Checkpoint, WorkGas)) {
        self.recording.rewind(reads);
        self.budget.rewind_work(work);
    }
}

/// A transaction that was not included in the block.
pub(crate) struct Rejected {
    pub(crate) index: usize,
    pub(crate) reason: Rejection,
    /// `true` if the transaction was executed.
    pub(crate) executed: bool,
    /// `true` if reads of the transaction remain recorded that the block does not need.
    pub(crate) leaves_reads: bool,
}

/// Transactions included in the block so far.
pub(crate) struct IncludedTransactions {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) senders: Vec<Address>,
    /// EXECUTE gas that the transactions have drawn from allowances.
    pub(crate) draws: Vec<ExecuteDraw>,
    /// `true` if the senders signed all of them.
    pub(crate) all_signed: bool,
    /// Position of the last one among the offered transactions.
    pub(crate) last: Option<usize>,
}

/// Share of the block's gas for transactions that are no duties.
struct Share {
    /// Position of the first of these transactions, and the maximum sum of their gas limits.
    limit: Option<(usize, u64)>,
    /// Sum of the gas limits of those that are included.
    used: u64,
    /// `true` once one did not fit: a later one, with less gas, must not overtake it.
    is_full: bool,
}

impl Share {
    /// Returns the rejection of a transaction that exceeds the share. The first one is always
    /// within it, so that no transaction is too large for every block.
    fn refusal(&mut self, index: usize, transaction: &Transaction) -> Option<Rejection> {
        let (_, limit) = self.limit.filter(|(first, _)| index >= *first)?;
        let gas = self.used.saturating_add(transaction.gas_limit());
        self.is_full |= self.used > 0 && gas > limit;
        let reason = || format!("{gas} gas in the block with it, {limit} are allowed");
        self.is_full.then(|| Rejection::BlockFull(Invalid::Transaction { index, reason: reason() }))
    }

    /// Counts an included transaction.
    fn take(&mut self, index: usize, transaction: &Transaction) {
        if self.limit.is_some_and(|(first, _)| index >= first) {
            self.used = self.used.saturating_add(transaction.gas_limit());
        }
    }
}

/// A block in execution, to which the offered transactions that fit are added.
pub(crate) struct BlockFiller<'a, 'w, 'x, 's, S: StateSource> {
    execution: BlockExecution<'x, 's, S>,
    config: &'a ChainConfig,
    bounds: Option<Bounds<'a, 'w>>,
    gas_pool: GasPool,
    share: Share,
    /// Senders with a transaction that must wait for a later block, and whose later transactions
    /// must wait as well.
    waiting: AddressSet,
    /// State of the parent, for reads of senders that are not recorded.
    unrecorded: BlockState<'a, State>,
    included: IncludedTransactions,
}

impl<'a, 'w, 'x, 's, S: StateSource> BlockFiller<'a, 'w, 'x, 's, S> {
    pub(crate) fn new(
        parent: &'a State,
        attempt: Attempt<'a, '_, 'w>,
        execution: BlockExecution<'x, 's, S>,
    ) -> Self {
        Self {
            execution,
            config: parent.config(),
            bounds: attempt.bounds,
            gas_pool: GasPool::new(parent, attempt.header, attempt.withdrawals),
            share: Share { limit: attempt.share, used: 0, is_full: false },
            waiting: AddressSet::default(),
            unrecorded: parent.open(),
            included: IncludedTransactions {
                transactions: Vec::new(),
                senders: Vec::new(),
                draws: Vec::new(),
                all_signed: true,
                last: None,
            },
        }
    }

    /// Includes a transaction in the block, or adds it to the rejected ones.
    pub(crate) fn offer(
        &mut self,
        index: usize,
        offered: &RecoveredTransaction,
        rejected: &mut Vec<Rejected>,
    ) -> Result<(), ChainError> {
        let refusal = self.admit(index, offered)?;
        let executed = refusal.is_none();
        let (refusal, leaves_reads) = match refusal {
            Some(reason) => (Some(reason), false),
            None => self.run(index, offered)?,
        };
        if let Some(reason) = refusal {
            rejected.push(Rejected { index, reason, executed, leaves_reads });
        }
        Ok(())
    }

    /// Checks a transaction before it runs, and returns the reason if it cannot be included.
    fn admit(
        &mut self,
        index: usize,
        RecoveredTransaction { transaction, sender, .. }: &RecoveredTransaction,
    ) -> Result<Option<Rejection>, ChainError> {
        if self.waiting.contains(sender) {
            let reason = "an earlier transaction of the sender did not fit".to_owned();
            return Ok(Some(Rejection::BlockFull(Invalid::Transaction { index, reason })));
        }
        if let Some(reason) = self.share.refusal(index, transaction) {
            return Ok(Some(reason));
        }
        let shortage = self.execution.shortage(transaction.gas_limit());
        if let Err(reason) = self.gas_pool.check(index, transaction, shortage) {
            if matches!(reason, Rejection::BlockFull(_)) {
                self.waiting.insert(*sender);
            }
            return Ok(Some(reason));
        }
        if let Some(reason) = self.check_allowance(index, transaction)? {
            if !reason.is_final() {
                self.waiting.insert(*sender);
            }
            return Ok(Some(reason));
        }
        let size = self.size();
        if let Some(reason) =
            self.bounds.and_then(|bounds| bounds.budget.before(index, transaction, size))
        {
            self.waiting.insert(*sender);
            return Ok(Some(reason));
        }
        let evm = self.execution.evm_mut();
        let account = match evm.db().known(*sender) {
            Some(account) => account,
            None => self.unrecorded.basic(*sender)?,
        };
        let account = account.unwrap_or_default();
        if let Some(reason) = sender::refusal(evm.cfg_env(), transaction, &account) {
            let reason = Invalid::Transaction { index, reason: reason.to_string() };
            let is_early = account.nonce < transaction.nonce();
            return Ok(Some(if is_early {
                Rejection::BlockFull(reason)
            } else {
                Rejection::Invalid(reason)
            }));
        }
        // Checked after nonce and balance, which may reject permanently, while a later block may
        // have a lower base fee. The sender's later nonces are not executable without this one, but
        // another transaction with this nonce may pay enough.
        let is_below = transaction.max_fee_per_gas() < u128::from(evm.block().basefee);
        if is_below && !evm.cfg_env().disable_base_fee {
            let reason = InvalidTransaction::GasPriceLessThanBasefee.to_string();
            return Ok(Some(Rejection::BlockFull(Invalid::Transaction { index, reason })));
        }
        Ok(None)
    }

    /// Returns the reason if the block does not sell the allowance of a transaction. If the price
    /// is above its fee cap, the transaction waits for a later block.
    fn check_allowance(
        &mut self,
        index: usize,
        transaction: &Transaction,
    ) -> Result<Option<Rejection>, ChainError> {
        let Some((market, allowance)) = self.config.market_for(transaction) else {
            return Ok(None);
        };
        let price = (market.price)(&mut self.unrecorded)?;
        let sold = market.check(&allowance, price, self.execution.tally().settled());
        Ok(sold.err().map(|refusal| {
            let reason = Invalid::Transaction { index, reason: refusal.to_string() };
            match refusal.is_final() {
                true => Rejection::Invalid(reason),
                false => Rejection::BlockFull(reason),
            }
        }))
    }

    /// Runs a transaction. Returns the reason if it was not included, and `true` if reads of it
    /// remain recorded.
    fn run(
        &mut self,
        index: usize,
        RecoveredTransaction { transaction, sender, signed }: &RecoveredTransaction,
    ) -> Result<(Option<Rejection>, bool), ChainError> {
        let bounds = self.bounds;
        let mark = self.execution.evm_mut().db_mut().mark();
        let before = bounds.map(|bounds| bounds.checkpoint());
        let size = self.size();
        let mut unfit = None;
        let execution = &mut self.execution;
        let keep = |executed: &ResultAndState| {
            unfit = bounds.and_then(|Bounds { recording, budget }| {
                budget.after(index, transaction, size, recording.size(), executed)
            });
            unfit.is_none()
        };
        let outcome = execute_tx::transact_if(execution, self.config, transaction, *sender, keep);
        if let Ok(ExecuteTxOutcome::Kept(draw)) = outcome {
            self.gas_pool.take(transaction);
            self.share.take(index, transaction);
            self.included.all_signed &= *signed;
            self.included.transactions.push(transaction.clone());
            self.included.senders.push(*sender);
            self.included.draws.extend(draw);
            self.included.last = Some(index);
            return Ok((None, false));
        }
        if self.execution.evm_mut().db_mut().forget_reads(mark)
            && let Some((bounds, before)) = bounds.zip(before)
        {
            bounds.rewind(before);
        }
        let leaves_reads =
            bounds.map(|bounds| bounds.recording.checkpoint()) != before.map(|(reads, _)| reads);
        let reason = match outcome {
            Ok(_) => unfit.map(|reason| match reason {
                Rejection::BlockFull(reason) => Rejection::Unfit(reason),
                other => other,
            }),
            Err(BlockError::Invalid(reason)) if !matches!(reason, Invalid::State(_)) => {
                return Ok((Some(Rejection::Invalid(reason)), leaves_reads));
            }
            Err(error) => return Err(error.into()),
        };
        if matches!(reason, Some(Rejection::Unfit(_))) {
            self.waiting.insert(*sender);
        }
        Ok((reason, leaves_reads))
    }

    /// Returns the size of the witness so far.
    fn size(&self) -> WitnessSize {
        self.bounds.map(|bounds| bounds.recording.size()).unwrap_or_default()
    }

    /// Ends the execution of the block.
    pub(crate) fn finish(self) -> Result<(ExecutionOutcome, IncludedTransactions), ChainError> {
        Ok((self.execution.finish()?, self.included))
    }
}
