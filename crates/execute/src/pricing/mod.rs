//! Prices of calls.
//!
//! A schedule is a type that implements [`Pricing`]: [`Items`] is the default one, the `variants`
//! crate has others. `docs/gas.md` defines what a schedule must cover and how to add one.

mod items;
pub mod work;

pub use items::Items;
pub(crate) use work::{BLAKE2F, CHEAP_MODEXP, EXPENSIVE_PRECOMPILES, P256VERIFY};

use core::fmt;
use stateless::UnderpricedWork;
use wire::{BatchWitness, ExecutionWitness};

/// Amounts of work that a call declares.
///
/// They follow from the offsets of the input and the decoded transactions: nothing has been hashed,
/// recovered or executed yet, and none of them has been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeclaredGas {
    /// Bytes of calldata, including what the dialect adds to the input.
    pub calldata: u64,
    /// Bytes of the payload request in the input.
    pub request_bytes: u64,
    /// Bytes of the witness in the input.
    pub witness_bytes: u64,
    /// Bytes by which the nodes of a batch are longer as RLP than in the calldata.
    pub expansion_bytes: u64,
    /// Trie nodes in the witness.
    pub nodes: u64,
    /// Codes in the witness.
    pub codes: u64,
    /// Headers in the witness.
    pub headers: u64,
    /// Transactions in the payload.
    pub transactions: u64,
    /// Gas limit of the payload; for a batch, the sum over its blocks, plus [the own gas of each
    /// block after the first](crate::FURTHER_BLOCK_GAS).
    pub gas_limit: u64,
    /// Sum of the gas limits of its transactions, saturating; for a batch, the sum over its blocks,
    /// each limited by its own gas limit, plus the same own gas.
    pub transaction_gas: u64,
}

impl DeclaredGas {
    /// Returns the amounts of a witness.
    pub(crate) fn of_witness(witness: &ExecutionWitness<'_>) -> Self {
        Self {
            witness_bytes: witness.encoded_len() as u64,
            nodes: witness.state.len() as u64,
            codes: witness.codes.len() as u64,
            headers: witness.headers.len() as u64,
            ..Self::default()
        }
    }

    /// Returns the amounts of a batch's witness.
    pub(crate) fn of_batch_witness(witness: &BatchWitness<'_>) -> Self {
        let state = &witness.state;
        Self {
            witness_bytes: witness.encoded_len() as u64,
            expansion_bytes: state.expanded_len().saturating_sub(state.stream().len()) as u64,
            nodes: state.len() as u64,
            codes: witness.codes.len() as u64,
            headers: witness.headers.len() as u64,
            ..Self::default()
        }
    }

    /// Returns the number of nodes, codes, headers and transactions.
    pub const fn items(&self) -> u64 {
        self.nodes
            .saturating_add(self.codes)
            .saturating_add(self.headers)
            .saturating_add(self.transactions)
    }

    /// Returns the maximum gas that the block may use: its own limit, or the sum of its
    /// transactions' limits.
    pub fn gas_bound(&self) -> u64 {
        self.gas_limit.min(self.transaction_gas)
    }
}

/// Gas schedule of EXECUTE.
///
/// The gas of a call must be at least [`bytes`](Self::bytes) before its calldata is read,
/// [`input`](Self::input) before its transactions are decoded, and [`reserve`](Self::reserve)
/// before anything is hashed or executed. A successful call is charged [`charge`](Self::charge),
/// which never exceeds the reserve. No method may panic for any declared amount.
pub trait Pricing: fmt::Debug + Send + Sync {
    /// Price of locating the parts of this much calldata.
    fn bytes(&self, calldata: u64) -> u64;

    /// Price of the whole input, including its bytes but not the gas of its block. It is computed
    /// once the transactions are counted, before they are decoded.
    fn input(&self, declared: &DeclaredGas) -> u64 {
        self.bytes(declared.calldata)
    }

    /// Maximum price of the call, including its input.
    fn reserve(&self, declared: &DeclaredGas) -> u64;

    /// Price of a successful call whose block has used `gas_used` gas. A valid block uses no more
    /// than its [bound](DeclaredGas::gas_bound).
    fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64;

    /// Price of work that neither the gas of the block nor its bytes pay for. The amount is unknown
    /// in advance, so it is not part of the reserve: a call continues as long as its gas also
    /// covers this. The price must not decrease with the gas of a precompile.
    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        let _ = work;
        0
    }

    /// Part of all [`underpriced_work`](Self::underpriced_work) that is free for a block that uses
    /// this much gas. It must not grow faster than the gas.
    fn covered_work(&self, gas: u64) -> u64 {
        let _ = gas;
        0
    }
}
