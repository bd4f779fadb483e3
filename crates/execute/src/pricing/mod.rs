//! What a call costs.
//!
//! A schedule is one file here that implements [`Pricing`]; [`GasSchedule`] lists those that have a
//! name. `docs/gas.md` says what a schedule must cover and how to add one.

mod ethrex;
mod flat;

pub use ethrex::Ethrex;
pub use flat::Flat;

use alloy_consensus::Transaction as _;
use core::{fmt, ops::Deref, str::FromStr};
use stateless::Transaction;
use std::sync::Arc;
use wire::StatelessInput;

/// What a call declares about the work that it asks for.
///
/// All of it is read off the offsets of the input and off the decoded transactions: nothing has been
/// hashed, recovered or executed to know it, and nothing of it is known to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeclaredGas {
    /// Bytes of calldata, with all that the dialect puts around the input.
    pub calldata: u64,
    /// Bytes of the payload request in the input.
    pub request_bytes: u64,
    /// Bytes of the witness in the input.
    pub witness_bytes: u64,
    /// Trie nodes in the witness.
    pub nodes: u64,
    /// Codes in the witness.
    pub codes: u64,
    /// Headers in the witness.
    pub headers: u64,
    /// Transactions in the payload.
    pub transactions: u64,
    /// Gas limit of the payload; of a batch, the sum of theirs, with [what each but the first takes
    /// itself](crate::FURTHER_BLOCK_GAS).
    pub gas_limit: u64,
    /// Sum of the gas limits of its transactions, saturating; of a batch, the sum over its blocks, none of
    /// which counts for more than its own gas limit, and the same on top.
    pub transaction_gas: u64,
}

impl DeclaredGas {
    /// What a call with this much calldata declares by its input and that input's transactions.
    pub fn of(calldata: usize, input: &StatelessInput<'_>, transactions: &[Transaction]) -> Self {
        let witness = &input.witness;
        Self {
            calldata: calldata as u64,
            request_bytes: input.request.encoded_len(input.fork) as u64,
            witness_bytes: witness.encoded_len() as u64,
            nodes: witness.state.len() as u64,
            codes: witness.codes.len() as u64,
            headers: witness.headers.len() as u64,
            transactions: transactions.len() as u64,
            gas_limit: input.request.payload.gas_limit,
            transaction_gas: transactions
                .iter()
                .fold(0, |sum, transaction| sum.saturating_add(transaction.gas_limit())),
        }
    }

    /// Most gas that the block may use: its own limit, or what its transactions may use together.
    pub fn gas_bound(&self) -> u64 {
        self.gas_limit.min(self.transaction_gas)
    }
}

/// How a call is charged, in gas.
///
/// A call has to hold [`bytes`](Self::bytes) before its calldata is looked at, and
/// [`reserve`](Self::reserve) before anything is hashed or executed; if it succeeds it is charged
/// [`charge`](Self::charge), and never more than the reserve. No method may panic, whatever is
/// declared.
pub trait Pricing: fmt::Debug + Send + Sync {
    /// What decoding this much calldata costs.
    fn bytes(&self, calldata: u64) -> u64;

    /// Bound of what the call may cost, its bytes included.
    fn reserve(&self, declared: &DeclaredGas) -> u64;

    /// What a success costs whose block has used this much gas. A valid block uses no more than its
    /// [bound](DeclaredGas::gas_bound).
    fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64;
}

/// The schedules that have a name. Any other [`Pricing`] serves as well.
///
/// It reads and prints as the tools write it: `default`, `ethrex`, or `BASE+PER_BYTE` for a
/// [`Flat`] schedule with other prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasSchedule {
    /// A bound is reserved, and what was used is charged.
    Flat(Flat),
    /// As ethrex charges.
    Ethrex(Ethrex),
}

impl GasSchedule {
    /// The default schedule.
    pub const DEFAULT: Self = Self::Flat(Flat::DEFAULT);
    /// As ethrex charges.
    pub const ETHREX: Self = Self::Ethrex(Ethrex::DEFAULT);
    /// All of them by name.
    pub const NAMED: [(&str, Self); 2] = [("default", Self::DEFAULT), ("ethrex", Self::ETHREX)];
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
            Self::Flat(schedule) => schedule,
            Self::Ethrex(schedule) => schedule,
        }
    }
}

impl From<GasSchedule> for Arc<dyn Pricing> {
    fn from(schedule: GasSchedule) -> Self {
        match schedule {
            GasSchedule::Flat(schedule) => Arc::new(schedule),
            GasSchedule::Ethrex(schedule) => Arc::new(schedule),
        }
    }
}

/// A line that names no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gas schedule {0:?} is not known; write default, ethrex or BASE+PER_BYTE")]
pub struct UnknownSchedule(String);

impl FromStr for GasSchedule {
    type Err = UnknownSchedule;

    fn from_str(line: &str) -> Result<Self, UnknownSchedule> {
        if let Some((_, schedule)) = Self::NAMED.into_iter().find(|(name, _)| *name == line) {
            return Ok(schedule);
        }
        line.split_once('+')
            .and_then(|(base, per_byte)| {
                Some(Self::Flat(Flat {
                    base: base.parse().ok()?,
                    per_byte: per_byte.parse().ok()?,
                }))
            })
            .ok_or_else(|| UnknownSchedule(line.to_owned()))
    }
}

impl fmt::Display for GasSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, schedule)| schedule == self) {
            return f.write_str(name);
        }
        match self {
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
            gas_limit: u64::MAX,
            transaction_gas: u64::MAX,
            ..DeclaredGas::default()
        };
        for (name, schedule) in GasSchedule::NAMED {
            assert_eq!(schedule.bytes(u64::MAX), u64::MAX, "{name}");
            assert_eq!(schedule.reserve(&absurd), u64::MAX, "{name}");
            assert_eq!(schedule.charge(&absurd, u64::MAX), u64::MAX, "{name}");
        }
    }

    #[test]
    fn no_schedule_charges_more_than_it_reserves_nor_reserves_less_than_the_bytes() {
        for (name, schedule) in GasSchedule::NAMED {
            for calldata in [0, 1, 100_000] {
                for (gas_limit, transaction_gas) in [(0, 9), (9, 0), (30_000_000, 21_000)] {
                    let declared = DeclaredGas {
                        calldata,
                        gas_limit,
                        transaction_gas,
                        ..DeclaredGas::default()
                    };
                    let reserve = schedule.reserve(&declared);
                    assert!(reserve >= schedule.bytes(calldata), "{name}");
                    assert!(schedule.charge(&declared, declared.gas_bound()) <= reserve, "{name}");
                }
            }
        }
    }

    #[test]
    fn schedules_read_as_they_print_and_nothing_else_does() {
        let own = GasSchedule::Flat(Flat { base: 100, per_byte: 3 });
        assert_eq!(own.to_string(), "100+3");
        for schedule in [GasSchedule::DEFAULT, GasSchedule::ETHREX, own] {
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
        for line in ["", "25000", "25000+", "+16", "-1+16", "Default", "ethrex ", "1+2+3"] {
            let error = line.parse::<GasSchedule>().unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}
