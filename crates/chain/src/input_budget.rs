//! Limits that L1 puts on the EXECUTE input of a block, and the part that is left while the block
//! is filled.

use crate::{
    ChainConfig, Rejection,
    record::{LIST_OFFSET, Size, WitnessRecorder},
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Encodable2718 as _;
use execute::{DeclaredGas, Pricing, WorkCount};
use executor::{EvmOverrides, Invalid, Transaction};
use revm::context::result::ResultAndState;
use std::sync::Arc;
use variants::GasSchedule;
use wire::ProtocolFork;

/// Bounds on the input of EXECUTE for a block that is built. A block without transactions may exceed them.
#[derive(Debug, Clone, Copy, Default)]
pub struct InputLimits {
    /// Most bytes of the input in its shortest form, see [`shortest_input`](crate::shortest_input).
    pub bytes: Option<usize>,
    /// Most gas that EXECUTE may ask for before it has done its work.
    pub gas: Option<u64>,
    /// Least that a transaction pays in tips for each byte that it makes the input longer, in wei: its own, and those
    /// of what it is the first to read.
    pub byte_price: u128,
    /// Number of leading transactions that the price does not apply to: those that the block owes.
    pub exempt: usize,
    /// Gas schedule of EXECUTE on the L1 that the block goes to.
    pub schedule: GasSchedule,
}

impl InputLimits {
    /// Returns `true` if any limit is set.
    pub const fn any(&self) -> bool {
        self.bytes.is_some() || self.gas.is_some() || self.byte_price > 0
    }
}

/// Upper bound of what the input of EXECUTE for a block takes, with a reserve for what is read
/// after the last transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InputUse {
    /// Bytes of the input in its shortest form.
    pub bytes: usize,
    /// Gas that EXECUTE asks for before it has done its work.
    pub gas: u64,
}

/// Bytes of an input beyond nodes, codes and transactions: its fixed parts, the parent's header, what
/// the bloom and the roots of a payload take. What is read behind the last transaction, beside what a
/// removed value takes, has its place here too.
const INPUT_OVERHEAD: usize = 4_096;

/// Bytes of the sibling that the root of a trie may want read where a value is removed: a full branch.
const SIBLING: usize = 532 + LIST_OFFSET;

/// The part of that which is the payload's.
const REQUEST_OVERHEAD: usize = 2_048;

/// Nodes that are read behind the last transaction, beside those siblings.
const NODES_BEHIND: usize = 8;

/// Data that the transactions of a block add to its input, apart from the witness.
#[derive(Debug, Clone, Copy, Default)]
struct TxLoad {
    transactions: usize,
    /// Bytes of the transactions.
    bytes: usize,
    /// Sum of their gas limits.
    gas: u64,
    /// Values that they remove from the state, at most.
    removals: usize,
}

/// Lower bound of the input of any block that contains a given transaction.
#[derive(Debug, Clone, Copy)]
struct TxMinimum {
    /// Bytes, those of nodes in compact form.
    bytes: usize,
    /// Bytes, those of nodes as RLP.
    expanded: usize,
    /// Its gas limit.
    gas: u64,
}

impl TxMinimum {
    /// Lower bound for a transaction that has grown the input from `before` to `now`.
    fn of(transaction: &Transaction, before: Size, now: Size) -> Self {
        let bytes = own_bytes(transaction);
        Self {
            bytes: bytes + now.least.saturating_sub(before.least),
            expanded: bytes + now.expanded.saturating_sub(before.expanded),
            gas: transaction.gas_limit(),
        }
    }
}

/// Budget of an input while its block is filled.
pub(crate) struct InputBudget<'r, 's> {
    limits: InputLimits,
    recording: &'r WitnessRecorder<'s>,
    work: WorkCount<'r>,
    pricing: Arc<dyn Pricing>,
    block_gas_limit: u64,
    base_fee: u64,
}

impl<'r, 's> InputBudget<'r, 's> {
    pub(crate) fn new(
        limits: InputLimits,
        config: &'r ChainConfig,
        header: &Header,
        recording: &'r WitnessRecorder<'s>,
    ) -> Self {
        // Before Cancun nothing is verified, and nothing asked for.
        let fork = config.spec.fork_at(header.timestamp);
        let fork = fork.filter(|fork| *fork >= ProtocolFork::Cancun);
        let limits = if fork.is_some() { limits } else { InputLimits::default() };
        let pricing: Arc<dyn Pricing> = limits.schedule.into();
        let work = WorkCount::new(&pricing, config);
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        Self { limits, recording, work, pricing, block_gas_limit: header.gas_limit, base_fee }
    }

    /// The rules of the chain; if the gas of EXECUTE is bounded, with a counter of underpriced work.
    pub(crate) fn overrides<'x>(&'x self, config: &'x ChainConfig) -> &'x dyn EvmOverrides {
        if self.limits.gas.is_some() { self.work.overrides() } else { config }
    }

    /// Returns `true` if a limit applies to the block.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.limits.any()
    }

    pub(crate) const fn recording(&self) -> &'r WitnessRecorder<'s> {
        self.recording
    }

    pub(crate) const fn work(&self) -> &WorkCount<'r> {
        &self.work
    }

    /// Reason why a block with this additional load does not fit, if it does not. `own` is the
    /// lower bound of any block with that transaction.
    fn refusal(&self, index: usize, load: TxLoad, own: TxMinimum) -> Option<Rejection> {
        let size = self.recording.size();
        let is_alone = load.transactions == 1;
        // What there is at least decides for good, and what it may come to for this block.
        let least = if is_alone { own.bytes.max(size.least + load.bytes) } else { own.bytes };
        let invalid = |reason| Invalid::Transaction { index, reason };
        if let Some(max) = self.limits.bytes {
            let reason =
                |length| invalid(format!("{length} bytes of input with it, {max} are allowed"));
            if least > max {
                return Some(Rejection::TooLarge(reason(least)));
            }
            let likely = size.most + load.bytes + behind(load);
            if !is_alone && likely > max {
                return Some(Rejection::BlockFull(reason(likely)));
            }
        }
        if let Some(max) = self.limits.gas {
            let reason =
                |gas| invalid(format!("EXECUTE asks for {gas} gas with it, {max} are allowed"));
            let asked = match is_alone {
                true => self.asked(&size, size.expanded + load.bytes, load, 0),
                false => self.asked_of_any(own),
            };
            if asked > max {
                return Some(Rejection::TooLarge(reason(asked)));
            }
            let asked = self.likely_asked(&size, load);
            if !is_alone && asked > max {
                return Some(Rejection::BlockFull(reason(asked)));
            }
        }
        None
    }

    /// Reason why a transaction that has used so much gas pays too little for its bytes, if it
    /// does.
    fn debt(
        &self,
        index: usize,
        transaction: &Transaction,
        own: TxMinimum,
        gas_used: u64,
    ) -> Option<Rejection> {
        if index < self.limits.exempt {
            return None;
        }
        let tip = transaction.effective_tip_per_gas(self.base_fee).unwrap_or_default();
        let paid = tip.saturating_mul(gas_used.into());
        let owed = self.limits.byte_price.saturating_mul(own.bytes as u128);
        (paid < owed).then(|| {
            let bytes = own.bytes;
            let reason = format!("it pays {paid} wei in tips for {bytes} bytes, {owed} are asked");
            Rejection::Underpaid(Invalid::Transaction { index, reason })
        })
    }

    /// Gas that EXECUTE may come to ask for.
    fn likely_asked(&self, size: &Size, load: TxLoad) -> u64 {
        let bytes = size.expanded + LIST_OFFSET * size.nodes + load.bytes + behind(load);
        self.asked(size, bytes, load, NODES_BEHIND + load.removals)
    }

    /// Gas that EXECUTE asks for an input of so many bytes, its nodes as RLP, which has so many nodes beside
    /// those that were read.
    fn asked(&self, size: &Size, bytes: usize, load: TxLoad, further_nodes: usize) -> u64 {
        let fixed = if further_nodes > 0 { REQUEST_OVERHEAD } else { 0 };
        let declared = DeclaredGas {
            calldata: bytes as u64,
            request_bytes: (load.bytes + fixed) as u64,
            witness_bytes: bytes.saturating_sub(load.bytes + fixed) as u64,
            nodes: (size.nodes + further_nodes) as u64,
            codes: size.codes as u64,
            headers: size.headers,
            transactions: load.transactions as u64,
            gas_limit: self.block_gas_limit,
            transaction_gas: load.gas,
            ..DeclaredGas::default()
        };
        let covered = self.pricing.covered_work(declared.gas_bound());
        self.pricing.reserve(&declared).saturating_add(self.work.spent().saturating_sub(covered))
    }

    /// The same of any input with a transaction of which this is known.
    fn asked_of_any(&self, own: TxMinimum) -> u64 {
        let declared = DeclaredGas {
            calldata: own.expanded as u64,
            transactions: 1,
            gas_limit: self.block_gas_limit,
            transaction_gas: own.gas,
            ..DeclaredGas::default()
        };
        self.pricing.reserve(&declared)
    }
}

/// A block that is filled within its budget.
pub(crate) struct BudgetTracker<'f, 'r, 's> {
    budget: Option<&'f InputBudget<'r, 's>>,
    load: TxLoad,
    /// Gas of transactions that were executed and taken back.
    in_vain: u64,
}

impl<'f, 'r, 's> BudgetTracker<'f, 'r, 's> {
    pub(crate) const fn new(budget: Option<&'f InputBudget<'r, 's>>) -> Self {
        let load = TxLoad { transactions: 0, bytes: 0, gas: 0, removals: 0 };
        Self { budget, load, in_vain: 0 }
    }

    fn with(&self, transaction: &Transaction, removals: usize) -> TxLoad {
        TxLoad {
            transactions: self.load.transactions + 1,
            bytes: self.load.bytes + own_bytes(transaction),
            gas: self.load.gas.saturating_add(transaction.gas_limit()),
            removals: self.load.removals + removals,
        }
    }

    /// Use of the budget by the block in its present state.
    pub(crate) fn used(&self) -> Option<InputUse> {
        let budget = self.budget?;
        let size = budget.recording.size();
        let bytes = size.most + self.load.bytes + behind(self.load);
        Some(InputUse { bytes, gas: budget.likely_asked(&size, self.load) })
    }

    /// Reason why a transaction does not fit even if it reads nothing, if it does not.
    pub(crate) fn gas_shortfall(
        &self,
        index: usize,
        transaction: &Transaction,
    ) -> Option<Rejection> {
        let budget = self.budget?;
        if self.in_vain > budget.block_gas_limit {
            let reason = "too much was executed in vain for this block".to_owned();
            return Some(Rejection::BlockFull(Invalid::Transaction { index, reason }));
        }
        let own = TxMinimum::of(transaction, Size::default(), Size::default());
        // It uses no more gas than its limit.
        budget
            .refusal(index, self.with(transaction, 0), own)
            .or_else(|| budget.debt(index, transaction, own, transaction.gas_limit()))
    }

    /// Takes a transaction that was executed and has read all that was recorded since the record had this
    /// size, or says why it does not fit.
    pub(crate) fn take(
        &mut self,
        index: usize,
        transaction: &Transaction,
        before: Size,
        executed: &ResultAndState,
    ) -> Option<Rejection> {
        let Some(budget) = self.budget else {
            self.load = self.with(transaction, 0);
            return None;
        };
        let load = self.with(transaction, removals(executed));
        let own = TxMinimum::of(transaction, before, budget.recording.size());
        let refusal = budget
            .refusal(index, load, own)
            .or_else(|| budget.debt(index, transaction, own, executed.result.tx_gas_used()));
        if refusal.is_some() {
            self.in_vain = self.in_vain.saturating_add(executed.result.tx_gas_used());
        } else {
            self.load = load;
        }
        refusal
    }
}

/// Bytes that may come behind the last transaction.
const fn behind(load: TxLoad) -> usize {
    INPUT_OVERHEAD + SIBLING * load.removals
}

/// Bytes of a transaction in an input.
fn own_bytes(transaction: &Transaction) -> usize {
    transaction.encode_2718_len() + LIST_OFFSET
}

/// Values that a transaction removes from the state, at most.
fn removals(executed: &ResultAndState) -> usize {
    let of_account = |account: &revm::state::Account| {
        let slots = account.storage.values();
        let cleared = slots.filter(|slot| slot.is_changed() && slot.present_value.is_zero());
        let is_gone = account.is_selfdestructed() || account.is_empty();
        // What was not there before has no place to be removed from.
        cleared.count() + usize::from(is_gone && !account.is_loaded_as_not_existing())
    };
    executed.state.values().map(of_account).sum()
}
