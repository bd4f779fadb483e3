//! The named gas schedules.

use crate::{Ethrex, Flat};
use core::{fmt, ops::Deref, str::FromStr};
use execute::{Items, Pricing};
use std::sync::Arc;

/// The named schedules. Any other [`Pricing`] can be used as well.
///
/// It parses from, and prints as, the form that all tools use: a name of [`Self::NAMED`],
/// `BASE+PER_BYTE` for a [`Flat`] schedule, and `BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM` for an
/// [`Items`] schedule with other prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasSchedule {
    /// Reserves a bound and charges the actual use; the input is priced by item and byte.
    Items(Items),
    /// Like [`Self::Items`], with a single price for all bytes of the input.
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
        // `parse` would accept a leading sign; splitting at `+` leaves none.
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
    use execute::DeclaredGas;

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

    /// No step of a call requires less gas than an earlier one.
    #[test]
    fn charge_never_exceeds_reserve_in_any_schedule() {
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
    fn schedules_round_trip_and_reject_other_text() {
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
