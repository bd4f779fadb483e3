//! What L1 can carry of a block, and what is left of that while the block is filled.

use crate::{
    ChainConfig, Rejection,
    record::{LIST_OFFSET, Recording},
};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Encodable2718 as _;
use execute::{DeclaredGas, Execute, Pricing, WorkCount};
use executor::{EvmOverrides, Invalid, Transaction};
use revm::context::result::ResultAndState;
use std::sync::Arc;
use wire::ProtocolFork;

/// Bounds on the input of EXECUTE for a block that is built. A block without transactions may exceed them.
#[derive(Debug, Clone, Copy, Default)]
pub struct InputLimits {
    /// Most bytes of the input.
    pub bytes: Option<usize>,
    /// Most gas that EXECUTE may ask for before it has done its work.
    pub gas: Option<u64>,
}

impl InputLimits {
    /// Whether there are any.
    pub const fn any(&self) -> bool {
        self.bytes.is_some() || self.gas.is_some()
    }
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

/// What the transactions of a block bring into its input, beside what they read.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    transactions: usize,
    /// Bytes of the transactions.
    bytes: usize,
    /// Sum of their gas limits.
    gas: u64,
    /// Values that they remove from the state, at most.
    removals: usize,
}

/// What an input may still take while its block is filled.
pub(crate) struct Room<'r, 's> {
    limits: InputLimits,
    recording: &'r Recording<'s>,
    work: WorkCount<'r>,
    pricing: Arc<dyn Pricing>,
    block_gas_limit: u64,
}

impl<'r, 's> Room<'r, 's> {
    pub(crate) fn new(
        limits: InputLimits,
        config: &'r ChainConfig,
        header: &Header,
        recording: &'r Recording<'s>,
    ) -> Self {
        // Before Cancun nothing is verified, and nothing asked for.
        let fork = config.spec.fork_at(header.timestamp);
        let fork = fork.filter(|fork| *fork >= ProtocolFork::Cancun);
        let limits = if fork.is_some() { limits } else { InputLimits::default() };
        let pricing = Execute::on(fork.unwrap_or(ProtocolFork::Cancun)).gas;
        let work = WorkCount::new(&pricing, config);
        Self { limits, recording, work, pricing, block_gas_limit: header.gas_limit }
    }

    /// The rules of the chain; where EXECUTE's gas is bounded, dear work is counted.
    pub(crate) fn overrides<'x>(&'x self, config: &'x ChainConfig) -> &'x dyn EvmOverrides {
        if self.limits.gas.is_some() { self.work.overrides() } else { config }
    }

    /// Whether anything bounds the block.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.limits.any()
    }

    pub(crate) const fn recording(&self) -> &'r Recording<'s> {
        self.recording
    }

    pub(crate) const fn work(&self) -> &WorkCount<'r> {
        &self.work
    }

    /// Why a block with this much more does not fit, if it does not; `own` is what the input of any block
    /// with that transaction holds at least.
    fn refusal(&self, index: usize, load: Load, own: usize, own_gas: u64) -> Option<Rejection> {
        let least = self.recording.bytes() + load.bytes;
        let likely = least + INPUT_OVERHEAD + SIBLING * load.removals;
        let is_alone = load.transactions == 1;
        // What there is at least decides for good, and what it may come to for this block.
        let (least, likely) = if is_alone { (least.max(own), None) } else { (own, Some(likely)) };
        let invalid = |reason| Invalid::Transaction { index, reason };
        if let Some(max) = self.limits.bytes {
            let reason =
                |length| invalid(format!("{length} bytes of input with it, {max} are allowed"));
            if least > max {
                return Some(Rejection::TooLarge(reason(least)));
            }
            if let Some(likely) = likely.filter(|likely| *likely > max) {
                return Some(Rejection::NoRoom(reason(likely)));
            }
        }
        if let Some(max) = self.limits.gas {
            let reason =
                |gas| invalid(format!("EXECUTE asks for {gas} gas with it, {max} are allowed"));
            let asked = match is_alone {
                true => self.asked(least, load, 0),
                false => self.asked_of_any(own, own_gas),
            };
            if asked > max {
                return Some(Rejection::TooLarge(reason(asked)));
            }
            let asked = likely.map(|likely| self.asked(likely, load, NODES_BEHIND + load.removals));
            if let Some(asked) = asked.filter(|asked| *asked > max) {
                return Some(Rejection::NoRoom(reason(asked)));
            }
        }
        None
    }

    /// Gas that EXECUTE asks for an input of so many bytes, which has so many nodes beside those that were
    /// read.
    fn asked(&self, bytes: usize, load: Load, further_nodes: usize) -> u64 {
        let (nodes, codes, headers) = self.recording.items();
        let fixed = if further_nodes > 0 { REQUEST_OVERHEAD } else { 0 };
        let declared = DeclaredGas {
            calldata: bytes as u64,
            request_bytes: (load.bytes + fixed) as u64,
            witness_bytes: bytes.saturating_sub(load.bytes + fixed) as u64,
            nodes: (nodes + further_nodes) as u64,
            codes: codes as u64,
            headers,
            transactions: load.transactions as u64,
            gas_limit: self.block_gas_limit,
            transaction_gas: load.gas,
            ..DeclaredGas::default()
        };
        let covered = self.pricing.covered_work(declared.gas_bound());
        self.pricing.reserve(&declared).saturating_add(self.work.spent().saturating_sub(covered))
    }

    /// The same of any input with a transaction that has this gas limit, and brings so many bytes.
    fn asked_of_any(&self, bytes: usize, transaction_gas: u64) -> u64 {
        let calldata = bytes as u64;
        let gas_limit = self.block_gas_limit;
        let transactions = 1;
        let declared = DeclaredGas {
            calldata,
            transactions,
            gas_limit,
            transaction_gas,
            ..DeclaredGas::default()
        };
        self.pricing.reserve(&declared)
    }
}

/// A block that is filled within its room.
pub(crate) struct Filling<'f, 'r, 's> {
    room: Option<&'f Room<'r, 's>>,
    load: Load,
    /// Gas of transactions that were executed and taken back.
    in_vain: u64,
}

impl<'f, 'r, 's> Filling<'f, 'r, 's> {
    pub(crate) const fn new(room: Option<&'f Room<'r, 's>>) -> Self {
        let load = Load { transactions: 0, bytes: 0, gas: 0, removals: 0 };
        Self { room, load, in_vain: 0 }
    }

    fn with(&self, transaction: &Transaction, removals: usize) -> Load {
        Load {
            transactions: self.load.transactions + 1,
            bytes: self.load.bytes + own_bytes(transaction),
            gas: self.load.gas.saturating_add(transaction.gas_limit()),
            removals: self.load.removals + removals,
        }
    }

    /// Why there is no room for a transaction even if it reads nothing, if there is none.
    pub(crate) fn shortage(&self, index: usize, transaction: &Transaction) -> Option<Rejection> {
        let room = self.room?;
        if self.in_vain > room.block_gas_limit {
            let reason = "too much was executed in vain for this block".to_owned();
            return Some(Rejection::NoRoom(Invalid::Transaction { index, reason }));
        }
        let load = self.with(transaction, 0);
        room.refusal(index, load, own_bytes(transaction), transaction.gas_limit())
    }

    /// Takes a transaction that was executed and has read all that was recorded since there were `before`
    /// bytes, or says why it does not fit.
    pub(crate) fn take(
        &mut self,
        index: usize,
        transaction: &Transaction,
        before: usize,
        executed: &ResultAndState,
    ) -> Option<Rejection> {
        let Some(room) = self.room else {
            self.load = self.with(transaction, 0);
            return None;
        };
        let load = self.with(transaction, removals(executed));
        let own = room.recording.bytes().saturating_sub(before) + own_bytes(transaction);
        let refusal = room.refusal(index, load, own, transaction.gas_limit());
        if refusal.is_some() {
            self.in_vain = self.in_vain.saturating_add(executed.result.tx_gas_used());
        } else {
            self.load = load;
        }
        refusal
    }
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
        cleared.count() + usize::from(account.is_selfdestructed() || account.is_empty())
    };
    executed.state.values().map(of_account).sum()
}
