//! L1's limits on the EXECUTE input of a block, and the remaining budget while the block is built.

use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Encodable2718 as _;
use chain::{
    BlockBudget, BudgetPolicy, BudgetRequest, ChainConfig, InputUse, LIST_OFFSET, Rejection,
    Transaction, WitnessSize,
};
use core::cell::Cell;
use execute::{DeclaredGas, Pricing, WorkCount, WorkGas};
use executor::{EvmOverrides, Invalid};
use revm::context::result::ResultAndState;
use std::sync::Arc;
use variants::GasSchedule;
use wire::ProtocolFork;

/// Limits on the EXECUTE input of each new block.
#[derive(Debug, Clone, Copy, Default)]
pub struct InputLimits {
    /// Maximum bytes of the input in its [shortest form](chain::shortest_input).
    pub bytes: Option<usize>,
    /// Maximum gas that EXECUTE may reserve or charge for the input.
    pub gas: Option<u64>,
    /// Minimum tip per byte by which a transaction lengthens the input, in wei. Counts its own
    /// bytes, and those of the state that it is the first to read. Duties are exempt.
    pub byte_price: u128,
    /// Current minimum tip per byte, in wei. A transaction that pays less waits for a block with a
    /// lower price, since the price may have risen after the transaction was accepted.
    pub present_byte_price: u128,
    /// Gas schedule of EXECUTE on the L1 that verifies the block.
    pub schedule: GasSchedule,
}

impl InputLimits {
    const fn has_byte_price(&self) -> bool {
        self.byte_price > 0 || self.present_byte_price > 0
    }
}

impl BudgetPolicy for InputLimits {
    fn limits(&self) -> Option<InputUse> {
        let is_bounded = self.bytes.is_some() || self.gas.is_some() || self.has_byte_price();
        let (bytes, gas) = (self.bytes.unwrap_or(usize::MAX), self.gas.unwrap_or(u64::MAX));
        is_bounded.then_some(InputUse { bytes, gas })
    }

    fn open<'b>(
        &self,
        config: &'b ChainConfig,
        header: &Header,
        request: BudgetRequest,
    ) -> Box<dyn BlockBudget + 'b> {
        Box::new(InputBudget::new(*self, config, header, request))
    }
}

/// Bytes of an input without nodes, codes and transactions: its fixed parts, the parent's header,
/// bloom filter and roots of the payload. Also covers reads after the last transaction, except the
/// siblings of removed values.
const INPUT_OVERHEAD: usize = 4_096;

/// Bytes of a full branch, the sibling node that computing a state root may need when a value is
/// removed.
const SIBLING: usize = 532 + LIST_OFFSET;

/// Part of [`INPUT_OVERHEAD`] that belongs to the payload.
const REQUEST_OVERHEAD: usize = 2_048;

/// Number of nodes read after the last transaction, without siblings of removed values.
const NODES_BEHIND: usize = 8;

/// Sums over a block's transactions, excluding the witness.
#[derive(Debug, Clone, Copy, Default)]
struct TxLoad {
    transactions: usize,
    /// Encoded bytes of the transactions.
    bytes: usize,
    /// Sum of the gas limits.
    gas: u64,
    /// Maximum number of values that the transactions remove from the state.
    removals: usize,
}

/// Lower bound on the input of any block with a given transaction.
#[derive(Debug, Clone, Copy)]
struct TxMinimum {
    /// Bytes with nodes in compact form.
    bytes: usize,
    /// Bytes with nodes as RLP.
    expanded: usize,
    /// Gas limit of the transaction.
    gas: u64,
}

impl TxMinimum {
    /// Returns the lower bound for a transaction that has grown the witness from `before` to `now`.
    fn of(transaction: &Transaction, before: WitnessSize, now: WitnessSize) -> Self {
        let bytes = own_bytes(transaction);
        Self {
            bytes: bytes + now.minimum.saturating_sub(before.minimum),
            expanded: bytes + now.expanded.saturating_sub(before.expanded),
            gas: transaction.gas_limit(),
        }
    }
}

/// Gas of transactions that were executed but then removed from the block, because they did not
/// fit, can never fit, or paid too little. Counted by class of gas limits.
///
/// Each class may spend a quarter of the block's gas limit, and exceed it by one transaction, so
/// that transactions with a high gas limit cannot use up the attempts of those with a lower one. A
/// plain transfer only reads two accounts, so if it does not fit, the block is full.
struct WastedGas {
    block_gas_limit: u64,
    /// Gas that a class may spend.
    allowed: u64,
    spent: [Cell<u64>; Self::CLASSES],
}

impl WastedGas {
    const CLASSES: usize = 5;
    /// Gas of a plain transfer.
    const TRANSFER: u64 = 21_000;

    /// `share` is the gas that the counted transactions may use, if it is less than the block's.
    fn new(block_gas_limit: u64, share: Option<u64>) -> Self {
        let allowed = (block_gas_limit / 4).min(share.unwrap_or(u64::MAX));
        Self { block_gas_limit, allowed, spent: [const { Cell::new(0) }; Self::CLASSES] }
    }

    /// Returns the gas spent by the class of this gas limit.
    fn spent(&self, gas_limit: u64) -> &Cell<u64> {
        let limit = self.block_gas_limit;
        let bounds = [Self::TRANSFER, limit / 256, limit / 64, limit / 16];
        let class = bounds.iter().position(|bound| gas_limit <= *bound);
        &self.spent[class.unwrap_or(Self::CLASSES - 1)]
    }

    fn is_spent(&self, gas_limit: u64) -> bool {
        self.spent(gas_limit).get() > self.allowed
    }

    fn spend(&self, gas_limit: u64, gas_used: u64) {
        let spent = self.spent(gas_limit);
        spent.set(spent.get().saturating_add(gas_used));
    }
}

/// Budget of an input while the builder fills its block.
struct InputBudget<'c> {
    limits: InputLimits,
    /// Number of leading transactions that are duties.
    owed: usize,
    /// Position of the first transaction of a deprioritized sender.
    set_back: usize,
    /// `true` if a transaction that may not fit is left out even if it is alone.
    is_strict: bool,
    config: &'c ChainConfig,
    work: WorkCount<'c>,
    pricing: Arc<dyn Pricing>,
    block_gas_limit: u64,
    base_fee: u64,
    /// Sums over the included transactions.
    load: Cell<TxLoad>,
    /// Gas of executed transactions that were then removed: of duties and transactions of replaced
    /// blocks, of deprioritized senders, and of all others. Separate, so that none can use up the
    /// limit of another.
    in_vain: [WastedGas; 3],
}

impl<'c> InputBudget<'c> {
    fn new(
        mut limits: InputLimits,
        config: &'c ChainConfig,
        header: &Header,
        request: BudgetRequest,
    ) -> Self {
        // EXECUTE does not verify blocks before Cancun, so they have no limits.
        let fork = config.spec.fork_at(header.timestamp);
        if fork.is_none_or(|fork| fork < ProtocolFork::Cancun) {
            limits = InputLimits::default();
        }
        // Reserve space for the calldata that is posted in addition to the input, which counts
        // against the same limit.
        limits.bytes = limits.bytes.map(|max| max.saturating_sub(request.reserved_bytes));
        let pricing: Arc<dyn Pricing> = limits.schedule.into();
        Self {
            limits,
            owed: request.owed,
            set_back: request.set_back.unwrap_or(usize::MAX),
            is_strict: request.is_strict,
            config,
            work: WorkCount::new(&pricing, config),
            pricing,
            block_gas_limit: header.gas_limit,
            base_fee: header.base_fee_per_gas.unwrap_or_default(),
            load: Cell::default(),
            in_vain: [None, request.pool_gas, request.pool_gas]
                .map(|share| WastedGas::new(header.gas_limit, share)),
        }
    }

    /// Returns the counter of wasted gas for the transaction at this position.
    const fn in_vain(&self, index: usize) -> &WastedGas {
        let [of_duties, of_set_back, of_others] = &self.in_vain;
        if index < self.owed {
            of_duties
        } else if index >= self.set_back {
            of_set_back
        } else {
            of_others
        }
    }

    /// Returns the load with one more transaction.
    fn with(&self, transaction: &Transaction, removals: usize) -> TxLoad {
        let load = self.load.get();
        TxLoad {
            transactions: load.transactions + 1,
            bytes: load.bytes + own_bytes(transaction),
            // EXECUTE reserves the gas limits, since the gas used is only known after execution.
            gas: load.gas.saturating_add(transaction.gas_limit()),
            removals: load.removals + removals,
        }
    }

    /// Returns the rejection of a transaction if the block with it, of this load and witness size,
    /// does not fit. `own` is the lower bound for any block with the transaction.
    fn refusal(
        &self,
        index: usize,
        load: TxLoad,
        own: TxMinimum,
        size: WitnessSize,
    ) -> Option<Rejection> {
        // A duty is tried in any case.
        let is_alone = load.transactions == 1 && (index < self.owed || !self.is_strict);
        // The lower bound rejects the transaction permanently; the upper bound rejects it for this
        // block only.
        let min_bytes = if is_alone { own.bytes.max(size.minimum + load.bytes) } else { own.bytes };
        let invalid = |reason| Invalid::Transaction { index, reason };
        if let Some(max) = self.limits.bytes {
            let reason =
                |length| invalid(format!("{length} bytes of input with it, {max} are allowed"));
            if min_bytes > max {
                return Some(Rejection::TooLarge(reason(min_bytes)));
            }
            let likely = size.maximum + load.bytes + behind(load);
            if !is_alone && likely > max {
                return Some(Rejection::BlockFull(reason(likely)));
            }
        }
        if let Some(max) = self.limits.gas {
            let reason = |gas| {
                invalid(format!("EXECUTE needs {gas} gas with it, but at most {max} are allowed"))
            };
            let gas = match is_alone {
                true => self.input_gas(&size, size.expanded + load.bytes, load, 0),
                false => self.min_gas(own),
            };
            if gas > max {
                return Some(Rejection::TooLarge(reason(gas)));
            }
            let gas = self.likely_gas(&size, load);
            if !is_alone && gas > max {
                return Some(Rejection::BlockFull(reason(gas)));
            }
        }
        None
    }

    /// Returns the rejection of a transaction if it pays too little for its bytes with this gas. It
    /// is final below [`InputLimits::byte_price`], and otherwise until the current price falls.
    /// Duties are exempt.
    fn debt(
        &self,
        index: usize,
        transaction: &Transaction,
        own: TxMinimum,
        gas_used: u64,
    ) -> Option<Rejection> {
        if index < self.owed {
            return None;
        }
        let tip = transaction.effective_tip_per_gas(self.base_fee).unwrap_or_default();
        let paid = tip.saturating_mul(gas_used.into());
        let bytes = own.bytes;
        let owed = |price: u128| price.saturating_mul(bytes as u128);
        let reason = |owed| {
            let reason = format!("it pays {paid} wei in tips for {bytes} bytes, expected {owed}");
            Invalid::Transaction { index, reason }
        };
        let InputLimits { byte_price, present_byte_price, .. } = self.limits;
        if paid < owed(byte_price) {
            return Some(Rejection::Underpaid(reason(owed(byte_price))));
        }
        (paid < owed(present_byte_price))
            .then(|| Rejection::BlockFull(reason(owed(present_byte_price))))
    }

    /// Estimates the EXECUTE gas at the end of the block, including reads after the last
    /// transaction.
    fn likely_gas(&self, size: &WitnessSize, load: TxLoad) -> u64 {
        let bytes = size.expanded + LIST_OFFSET * size.nodes + load.bytes + behind(load);
        self.input_gas(size, bytes, load, NODES_BEHIND + load.removals)
    }

    /// Returns the EXECUTE gas of an input of this length, with nodes as RLP, and this number of
    /// further nodes.
    fn input_gas(
        &self,
        size: &WitnessSize,
        bytes: usize,
        load: TxLoad,
        further_nodes: usize,
    ) -> u64 {
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
        self.pricing
            .reserve(&declared)
            .saturating_add(self.work.work().peak.saturating_sub(covered))
    }

    /// Returns the lower bound on the EXECUTE gas of any input with this transaction.
    fn min_gas(&self, own: TxMinimum) -> u64 {
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

impl BlockBudget for InputBudget<'_> {
    fn overrides(&self) -> &dyn EvmOverrides {
        // Count work only if the gas of EXECUTE is bounded.
        if self.limits.gas.is_some() { self.work.overrides() } else { self.config }
    }

    fn max_bytes(&self) -> Option<usize> {
        self.limits.bytes
    }

    fn is_bounded(&self) -> bool {
        self.limits.limits().is_some()
    }

    fn before(
        &self,
        index: usize,
        transaction: &Transaction,
        size: WitnessSize,
    ) -> Option<Rejection> {
        if self.in_vain(index).is_spent(transaction.gas_limit()) {
            let reason = "too much gas was spent on transactions that did not fit".to_owned();
            return Some(Rejection::BlockFull(Invalid::Transaction { index, reason }));
        }
        let own = TxMinimum::of(transaction, WitnessSize::default(), WitnessSize::default());
        // Before execution, the gas limit is the upper bound of the gas used.
        self.refusal(index, self.with(transaction, 0), own, size)
            .or_else(|| self.debt(index, transaction, own, transaction.gas_limit()))
    }

    fn after(
        &self,
        index: usize,
        transaction: &Transaction,
        before: WitnessSize,
        now: WitnessSize,
        executed: &ResultAndState,
    ) -> Option<Rejection> {
        let load = self.with(transaction, removals(executed));
        let own = TxMinimum::of(transaction, before, now);
        let gas_used = executed.result.tx_gas_used();
        let refusal = self
            .refusal(index, load, own, now)
            .or_else(|| self.debt(index, transaction, own, gas_used));
        match refusal {
            Some(_) => self.in_vain(index).spend(transaction.gas_limit(), gas_used),
            None => self.load.set(load),
        }
        refusal
    }

    fn work(&self) -> WorkGas {
        self.work.work()
    }

    fn rewind_work(&self, work: WorkGas) {
        self.work.rewind(work);
    }

    fn used(&self, size: WitnessSize) -> InputUse {
        let load = self.load.get();
        let bytes = size.maximum + load.bytes + behind(load);
        InputUse { bytes, gas: self.likely_gas(&size, load) }
    }
}

/// Returns the maximum number of bytes that are added to the input after the last transaction.
const fn behind(load: TxLoad) -> usize {
    INPUT_OVERHEAD + SIBLING * load.removals
}

/// Returns the length of an encoded transaction in an input, in bytes.
fn own_bytes(transaction: &Transaction) -> usize {
    transaction.encode_2718_len() + LIST_OFFSET
}

/// Returns the maximum number of values that a transaction removes from the state.
fn removals(executed: &ResultAndState) -> usize {
    let of_account = |account: &revm::state::Account| {
        let slots = account.storage.values();
        let cleared = slots.filter(|slot| slot.is_changed() && slot.present_value.is_zero());
        let is_gone = account.is_selfdestructed() || account.is_empty();
        // An account that did not exist before is not removed from the trie.
        cleared.count() + usize::from(is_gone && !account.is_loaded_as_not_existing())
    };
    executed.state.values().map(of_account).sum()
}
