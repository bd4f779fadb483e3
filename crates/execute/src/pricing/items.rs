//! Gas schedule with a price per call, per byte of each kind and per item, plus the block's gas.

use super::{DeclaredGas, Pricing, work};
use stateless::UnderpricedWork;

/// Reserves an upper bound and charges the gas used. Hashing is priced per item, and copying per
/// byte.
///
/// A trie node of half a kilobyte takes little more work than a node of one byte, so a price per
/// byte that covers the small node would be many times too high for the large one. The number of
/// items follows from the SSZ offsets alone, so it can be charged before anything is hashed.
///
/// The input costs `base + request · request_byte + rest · witness_byte + items · item`. The rest
/// of the calldata is the witness and the framing of the dialect, plus the bytes by which its nodes
/// grow as RLP; items are nodes, codes, headers and transactions. The call must provide this plus
/// `min(gas limit, Σ gas limits of the transactions)`; a successful call is charged this plus the
/// gas used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items {
    /// Gas of every call.
    pub base: u64,
    /// Gas of every byte of the payload request, which is hashed twice: into its root and the
    /// block's.
    pub request_byte: u64,
    /// Gas of every other byte of calldata, i.e. mostly of the witness, and of every byte that is
    /// written to expand the nodes of a batch.
    pub witness_byte: u64,
    /// Gas of every node, code, header and transaction.
    pub item: u64,
}

impl Items {
    /// The prices that `docs/gas.md` derives from measurements.
    pub const DEFAULT: Self = Self { base: 20_000, request_byte: 3, witness_byte: 1, item: 84 };
}

impl Pricing for Items {
    /// The lower of the two prices for all bytes, since reading offsets is less work than either
    /// price covers.
    fn bytes(&self, calldata: u64) -> u64 {
        let per_byte = self.request_byte.min(self.witness_byte);
        self.base.saturating_add(calldata.saturating_mul(per_byte))
    }

    fn input(&self, declared: &DeclaredGas) -> u64 {
        let rest = declared.calldata.saturating_sub(declared.request_bytes);
        let rest = rest.saturating_add(declared.expansion_bytes);
        let request = declared.request_bytes.saturating_mul(self.request_byte);
        self.base
            .saturating_add(request)
            .saturating_add(rest.saturating_mul(self.witness_byte))
            .saturating_add(declared.items().saturating_mul(self.item))
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        self.input(declared).saturating_add(declared.gas_bound())
    }

    fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64 {
        self.input(declared).saturating_add(gas_used)
    }

    /// A node at an additional position costs as much as a second copy of it in the witness.
    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        work::price(work, |bytes| self.item.saturating_add(self.witness_byte.saturating_mul(bytes)))
    }

    fn covered_work(&self, gas: u64) -> u64 {
        work::covered(gas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: DeclaredGas = DeclaredGas {
        calldata: 10_018,
        request_bytes: 1_000,
        witness_bytes: 9_000,
        expansion_bytes: 0,
        nodes: 20,
        codes: 3,
        headers: 2,
        transactions: 5,
        gas_limit: 500_000,
        transaction_gas: 42_000,
    };

    #[test]
    fn each_part_of_the_input_has_its_price() {
        let schedule = Items { base: 7, request_byte: 100, witness_byte: 10, item: 1_000 };
        let input = 7 + 100 * 1_000 + 10 * 9_018 + 1_000 * 30;
        assert_eq!(schedule.input(&DECLARED), input);
        assert_eq!(schedule.reserve(&DECLARED), input + 42_000);
        assert_eq!(schedule.charge(&DECLARED, 21_000), input + 21_000);
        let batch = DeclaredGas { expansion_bytes: 700, ..DECLARED };
        assert_eq!(schedule.input(&batch), input + 10 * 700);
        let greedy = DeclaredGas { transaction_gas: u64::MAX, ..DECLARED };
        assert_eq!(schedule.reserve(&greedy), input + 500_000);
    }

    #[test]
    fn items_of_every_kind_cost_the_same() {
        let schedule = Items::DEFAULT;
        let before = schedule.input(&DECLARED);
        for more in [
            DeclaredGas { nodes: 21, ..DECLARED },
            DeclaredGas { codes: 4, ..DECLARED },
            DeclaredGas { headers: 3, ..DECLARED },
            DeclaredGas { transactions: 6, ..DECLARED },
        ] {
            assert_eq!(schedule.input(&more), before + schedule.item, "{more:?}");
        }
    }

    #[test]
    fn bytes_price_never_exceeds_input_price() {
        let expensive_witness = Items { request_byte: 1, witness_byte: 5, ..Items::DEFAULT };
        for schedule in [Items::DEFAULT, expensive_witness] {
            for request_bytes in [0, 1_000, DECLARED.calldata] {
                let declared = DeclaredGas { request_bytes, ..DECLARED };
                assert!(schedule.bytes(declared.calldata) <= schedule.input(&declared));
            }
        }
    }
}
