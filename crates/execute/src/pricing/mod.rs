//! Prices of calls.
//!
//! A schedule is one file here that implements [`Pricing`]; [`GasSchedule`] lists the named ones.
//! `docs/gas.md` defines what a schedule must cover and how to add one.

mod ethrex;
mod flat;
mod items;
mod work;

pub use ethrex::Ethrex;
pub use flat::Flat;
pub use items::Items;
pub(crate) use work::{CHEAP_MODEXP, EXPENSIVE_PRECOMPILES, P256VERIFY};

use alloy_consensus::Transaction as _;
use core::{fmt, ops::Deref, str::FromStr};
use stateless::{Transaction, UnderpricedWork};
use std::sync::Arc;
use wire::{BatchWitness, ExecutionWitness, StatelessInput};

/// Amounts that a call declares about the work that it asks for.
///
/// They follow from the offsets of the input and the decoded transactions: nothing has been hashed, recovered
/// or executed for them, and none of them is known to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeclaredGas {
    /// Bytes of calldata, with all that the dialect puts around the input.
    pub calldata: u64,
    /// Bytes of the payload request in the input.
    pub request_bytes: u64,
    /// Bytes of the witness in the input.
    pub witness_bytes: u64,
    /// Bytes by which the nodes of a batch grow as RLP, compared with the calldata.
    pub expansion_bytes: u64,
    /// Trie nodes in the witness.
    pub nodes: u64,
    /// Codes in the witness.
    pub codes: u64,
    /// Headers in the witness.
    pub headers: u64,
    /// Transactions in the payload.
    pub transactions: u64,
    /// Gas limit of the payload; for a batch, the sum over its blocks, plus [the own gas of each block after
    /// the first](crate::FURTHER_BLOCK_GAS).
    pub gas_limit: u64,
    /// Sum of the gas limits of its transactions, saturating; for a batch, the sum over its blocks, each
    /// limited by its own gas limit, plus the same own gas.
    pub transaction_gas: u64,
}

impl DeclaredGas {
    /// Returns the amounts of a call with `calldata` bytes of calldata, this input and its decoded
    /// transactions.
    pub fn of(calldata: usize, input: &StatelessInput<'_>, transactions: &[Transaction]) -> Self {
        Self::of_input(calldata, input).with_transactions(transactions)
    }

    /// Returns the amounts of a call before its transactions are decoded: all but their gas limits.
    pub fn of_input(calldata: usize, input: &StatelessInput<'_>) -> Self {
        Self {
            calldata: calldata as u64,
            request_bytes: input.request.encoded_len(input.fork) as u64,
            transactions: input.request.payload.transactions.len() as u64,
            gas_limit: input.request.payload.gas_limit,
            ..Self::of_witness(&input.witness)
        }
    }

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

    /// Adds the gas limits of the decoded transactions.
    #[must_use]
    pub fn with_transactions(self, transactions: &[Transaction]) -> Self {
        let transaction_gas = transactions
            .iter()
            .fold(0, |sum: u64, transaction| sum.saturating_add(transaction.gas_limit()));
        Self { transaction_gas, ..self }
    }

    /// Number of nodes, codes, headers and transactions.
    pub const fn items(&self) -> u64 {
        self.nodes
            .saturating_add(self.codes)
            .saturating_add(self.headers)
            .saturating_add(self.transactions)
    }

    /// Maximum gas that the block may use: its own limit, or the sum of its transactions' limits.
    pub fn gas_bound(&self) -> u64 {
        self.gas_limit.min(self.transaction_gas)
    }
}

/// A gas schedule: the price of a call, in gas.
///
/// A call has to hold [`bytes`](Self::bytes) before its calldata is read, [`input`](Self::input) before its
/// transactions are decoded, and [`reserve`](Self::reserve) before anything is hashed or executed. A success
/// is charged [`charge`](Self::charge), which never exceeds the reserve. No method may panic, for any
/// declared amounts.
pub trait Pricing: fmt::Debug + Send + Sync {
    /// Price of finding the parts of this much calldata.
    fn bytes(&self, calldata: u64) -> u64;

    /// Price of the whole input without the gas of its block, including its bytes. It is asked when the
    /// transactions are counted but not decoded.
    fn input(&self, declared: &DeclaredGas) -> u64 {
        self.bytes(declared.calldata)
    }

    /// Maximum price of the call, including its input.
    fn reserve(&self, declared: &DeclaredGas) -> u64;

    /// Price of a success whose block has used this much gas. A valid block uses no more than its
    /// [bound](DeclaredGas::gas_bound).
    fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64;

    /// Price of work that neither the gas of the block nor its bytes pay for. It is unknown in advance, so it
    /// is not part of the reserve: a call continues as long as it holds enough for this too. More gas of a
    /// precompile must not cost less.
    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        let _ = work;
        0
    }

    /// Part of all [`underpriced_work`](Self::underpriced_work) that is free for a block that uses this much
    /// gas. It must not grow faster than the gas.
    fn covered_work(&self, gas: u64) -> u64 {
        let _ = gas;
        0
    }
}

/// The named schedules. Any other [`Pricing`] can be used as well.
///
/// It parses and prints in the form of all tools: a name of [`Self::NAMED`], `BASE+PER_BYTE` for a [`Flat`]
/// schedule, and `BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM` for one by [`Items`] with other prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasSchedule {
    /// Reserves a bound and charges the actual use; the input is priced by item and byte.
    Items(Items),
    /// The same, with one price for all bytes of the input.
    Flat(Flat),
    /// The schedule of ethrex.
    Ethrex(Ethrex),
}

impl GasSchedule {
    /// The default schedule.
    pub const DEFAULT: Self = Self::Items(Items::DEFAULT);
    /// The default [`Flat`] schedule.
    pub const FLAT: Self = Self::Flat(Flat::DEFAULT);
    /// The default [`Ethrex`] schedule.
    pub const ETHREX: Self = Self::Ethrex(Ethrex::DEFAULT);
    /// All named schedules.
    pub const NAMED: [(&str, Self); 3] =
        [("default", Self::DEFAULT), ("flat", Self::FLAT), ("ethrex", Self::ETHREX)];
}

impl Default for GasSchedule {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Deref for GasSchedule {
    type Target = dyn Pricing;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Items(schedule) => schedule,
            Self::Flat(schedule) => schedule,
            Self::Ethrex(schedule) => schedule,
        }
    }
}

impl From<GasSchedule> for Arc<dyn Pricing> {
    fn from(schedule: GasSchedule) -> Self {
        match schedule {
            GasSchedule::Items(schedule) => Arc::new(schedule),
            GasSchedule::Flat(schedule) => Arc::new(schedule),
            GasSchedule::Ethrex(schedule) => Arc::new(schedule),
        }
    }
}

/// A text that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "gas schedule {0:?} is not known; write default, flat, ethrex, BASE+PER_BYTE or \
     BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM"
)]
pub struct UnknownSchedule(String);

impl FromStr for GasSchedule {
    type Err = UnknownSchedule;

    fn from_str(line: &str) -> Result<Self, UnknownSchedule> {
        if let Some((_, schedule)) = Self::NAMED.into_iter().find(|(name, _)| *name == line) {
            return Ok(schedule);
        }
        let unknown = || UnknownSchedule(line.to_owned());
        // `parse` would accept a leading sign; splitting at it leaves none.
        let prices = line.split('+').map(|price| price.parse().map_err(|_| unknown()));
        match *prices.collect::<Result<Vec<u64>, _>>()? {
            [base, per_byte] => Ok(Self::Flat(Flat { base, per_byte })),
            [base, request_byte, witness_byte, item] => {
                Ok(Self::Items(Items { base, request_byte, witness_byte, item }))
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for GasSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, schedule)| schedule == self) {
            return f.write_str(name);
        }
        match self {
            Self::Items(Items { base, request_byte, witness_byte, item }) => {
                write!(f, "{base}+{request_byte}+{witness_byte}+{item}")
            }
            Self::Flat(Flat { base, per_byte }) => write!(f, "{base}+{per_byte}"),
            Self::Ethrex(Ethrex { per_byte }) => write!(f, "ethrex, {per_byte} per byte"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_amounts_of_any_size_do_not_overflow() {
        let absurd = DeclaredGas {
            calldata: u64::MAX,
            request_bytes: u64::MAX,
            witness_bytes: u64::MAX,
            expansion_bytes: u64::MAX,
            nodes: u64::MAX,
            codes: u64::MAX,
            headers: u64::MAX,
            transactions: u64::MAX,
            gas_limit: u64::MAX,
            transaction_gas: u64::MAX,
        };
        for (name, schedule) in GasSchedule::NAMED {
            assert_eq!(schedule.bytes(u64::MAX), u64::MAX, "{name}");
            assert_eq!(schedule.input(&absurd), u64::MAX, "{name}");
            assert_eq!(schedule.reserve(&absurd), u64::MAX, "{name}");
            assert_eq!(schedule.charge(&absurd, u64::MAX), u64::MAX, "{name}");
        }
    }

    #[test]
    fn no_schedule_charges_more_than_it_reserves_nor_asks_for_less_at_a_later_step() {
        for (name, schedule) in GasSchedule::NAMED {
            for (calldata, request_bytes, nodes) in [(0, 0, 0), (1, 0, 0), (100_000, 900, 99)] {
                for (gas_limit, transaction_gas) in [(0, 9), (9, 0), (30_000_000, 21_000)] {
                    let declared = DeclaredGas {
                        calldata,
                        request_bytes,
                        nodes,
                        gas_limit,
                        transaction_gas,
                        ..DeclaredGas::default()
                    };
                    let reserve = schedule.reserve(&declared);
                    assert!(reserve >= schedule.input(&declared), "{name}");
                    assert!(schedule.input(&declared) >= schedule.bytes(calldata), "{name}");
                    assert!(schedule.charge(&declared, declared.gas_bound()) <= reserve, "{name}");
                }
            }
        }
    }

    #[test]
    fn schedules_read_as_they_print_and_nothing_else_does() {
        let flat = GasSchedule::Flat(Flat { base: 100, per_byte: 3 });
        assert_eq!(flat.to_string(), "100+3");
        let items = Items { base: 100, request_byte: 3, witness_byte: 2, item: 50 };
        let items = GasSchedule::Items(items);
        assert_eq!(items.to_string(), "100+3+2+50");
        for schedule in GasSchedule::NAMED.map(|(_, named)| named).into_iter().chain([flat, items])
        {
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
        for line in [
            "",
            "25000",
            "25000+",
            "+16",
            "-1+16",
            "Default",
            "ethrex ",
            "1+2+3",
            "1++2",
            "1+2+3+4+5",
            "100,3",
        ] {
            let error = line.parse::<GasSchedule>().unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}
