//! The fee cap of a transaction that L1 is to force, compared with the balance of its sender and
//! the base fee of the L2.
//!
//! Full blocks raise the base fee above any cap, and a block whose base fee is above the cap need
//! not hold the transaction. The cap decides the price of that delay, and costs the sender nothing:
//! a transaction pays the base fee and its tip. So it should be what the balance allows.

use super::Node;
use alloy_consensus::Transaction;
use alloy_primitives::{Address, U256};
use alloy_rpc_types_eth::Block;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::{Value, json};
use std::fmt;

/// Least ratio of cap and base fee with which an entry keeps its place
/// (`ForcedInbox.FEE_CAP_MARGIN`).
const MARGIN: u128 = 8;
/// Base fee, in wei, as which a lower one counts (`ForcedInbox.FEE_CAP_FLOOR`).
const FLOOR: u128 = 1_000_000_000;
/// Blocks after which no delay is computed further: the base fee has risen by 50 orders of
/// magnitude then.
const MAX_BLOCKS: u64 = 1_000;

/// Figures of a fee cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FeeCap {
    /// The cap, in wei per gas.
    max_fee: u128,
    /// Base fee of the L2's newest block, in wei.
    base_fee: u128,
    /// Least cap, in wei, with which the transaction keeps its place while the base fee is above
    /// the cap.
    keeps_place_from: u128,
    /// Greatest cap, in wei, that the balance of the sender pays for.
    from_balance: u128,
    /// Full blocks behind one another that raise the base fee above the cap.
    blocks_to_exceed: u64,
    /// Wei that these blocks burn: the price of the first delay.
    wei_to_exceed: U256,
    /// Wei that each further block of delay burns at least.
    wei_per_block: U256,
}

impl FeeCap {
    /// Reads balance and base fee from a node of the L2.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or the sender cannot pay what the transaction may cost.
    pub(super) fn of(l2: &Node, sender: Address, transaction: &impl Transaction) -> Result<Self> {
        let balance: U256 = l2.request("eth_getBalance", (sender, "latest"))?;
        let head: Block = l2.request("eth_getBlockByNumber", ("latest", false))?;
        let base_fee = head.header.base_fee_per_gas.ok_or_eyre("a block without a base fee")?;
        Self::with(balance, base_fee.into(), head.header.gas_limit, sender, transaction)
    }

    /// The greatest cap, in wei per gas, that a balance pays for beside other wei. The inbox takes
    /// no transaction whose gas may cost 2^128 wei or more.
    pub(super) fn greatest(balance: U256, others: U256, gas: u64) -> u128 {
        let left = u128::try_from(balance.saturating_sub(others)).unwrap_or(u128::MAX);
        left.checked_div(gas.into()).unwrap_or_default()
    }

    fn with(
        balance: U256,
        base_fee: u128,
        block_gas: u64,
        sender: Address,
        transaction: &impl Transaction,
    ) -> Result<Self> {
        let (max_fee, gas) = (transaction.max_fee_per_gas(), transaction.gas_limit());
        let from_balance = Self::greatest(balance, transaction.value(), gas);
        let cost = U256::from(max_fee) * U256::from(gas) + transaction.value();
        ensure!(
            cost <= balance,
            "{sender} has {balance} wei on the L2, and RAWTX may cost {cost}: it would be dropped as invalid; sign it \
             with a fee cap of {from_balance} wei at most"
        );
        let (mut blocks_to_exceed, mut wei_to_exceed, mut fee) = (0, U256::ZERO, base_fee.max(7));
        while fee <= max_fee && blocks_to_exceed < MAX_BLOCKS {
            wei_to_exceed += U256::from(fee) * U256::from(block_gas);
            // A full block is twice the target of EIP-1559.
            fee = fee.saturating_add((fee / 8).max(1));
            blocks_to_exceed += 1;
        }
        Ok(Self {
            max_fee,
            base_fee,
            keeps_place_from: MARGIN * base_fee.max(FLOOR),
            from_balance,
            blocks_to_exceed,
            wei_to_exceed,
            // A base fee that is to stay takes blocks that are half full.
            wei_per_block: U256::from(max_fee) * U256::from(block_gas / 2),
        })
    }

    /// The figures, in wei as decimal strings.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "maxFee": self.max_fee.to_string(),
            "baseFee": self.base_fee.to_string(),
            "keepsPlaceFrom": self.keeps_place_from.to_string(),
            "fromBalance": self.from_balance.to_string(),
            "blocksToExceed": self.blocks_to_exceed,
            "weiToExceed": self.wei_to_exceed.to_string(),
            "weiPerBlock": self.wei_per_block.to_string(),
        })
    }

    /// Warnings about a cap that is lower than it could be.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self { max_fee, keeps_place_from, from_balance, base_fee, .. } = self;
        let mut warnings = Vec::new();
        if max_fee < base_fee {
            warnings.push(format!(
                "the base fee of the L2 is {base_fee} wei, and the fee cap {max_fee}: the transaction is dropped as soon as \
                 it is due, unless the base fee falls"
            ));
        } else if max_fee < keeps_place_from {
            warnings.push(format!(
                "a base fee above the fee cap of {max_fee} wei drops the transaction; with {keeps_place_from} wei or more it \
                 keeps its place and waits"
            ));
        }
        if max_fee.saturating_mul(2) < *from_balance {
            warnings.push(format!(
                "the balance allows a fee cap of {from_balance} wei: a higher cap costs nothing and makes a delay dearer"
            ));
        }
        warnings
    }
}

impl fmt::Display for FeeCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_fee, base_fee, blocks_to_exceed, wei_to_exceed, wei_per_block, .. } = self;
        write!(
            f,
            "fee cap {max_fee} wei, base fee {base_fee}: a delay takes {blocks_to_exceed} full blocks, which burn \
             {wei_to_exceed} wei, and then {wei_per_block} wei for each block"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::TxEip1559;

    const GAS: u64 = 21_000;
    const GWEI: u128 = 1_000_000_000;

    fn cap(balance: u128, max_fee_per_gas: u128, base_fee: u128) -> Result<FeeCap> {
        let transaction = TxEip1559 {
            gas_limit: GAS,
            max_fee_per_gas,
            value: U256::from(5),
            ..Default::default()
        };
        FeeCap::with(U256::from(balance), base_fee, 30_000_000, Address::ZERO, &transaction)
    }

    #[test]
    fn a_cap_beyond_the_balance_is_refused_with_the_greatest_that_is_not() {
        let balance = 5 + u128::from(GAS) * 100 * GWEI;
        assert!(cap(balance, 100 * GWEI, GWEI).is_ok());
        let error = cap(balance, 100 * GWEI + 1, GWEI).unwrap_err().to_string();
        assert!(error.contains("of 100000000000 wei at most"), "{error}");
    }

    #[test]
    fn the_price_of_a_delay_is_that_of_the_full_blocks_that_raise_the_base_fee() {
        let at = |times: u128| cap(u128::MAX / 2, times * GWEI, GWEI).unwrap();
        // 1, 9/8 and (9/8)^2 are below, at most 1.26; (9/8)^6 is above 2.
        assert_eq!(at(1).blocks_to_exceed, 1);
        assert_eq!(at(1).wei_to_exceed, U256::from(30_000_000 * GWEI));
        assert_eq!(at(2).blocks_to_exceed, 6);
        assert_eq!(at(50).blocks_to_exceed, 34);
        assert_eq!(at(2).wei_per_block, U256::from(2 * GWEI * 15_000_000));
    }

    #[test]
    fn a_cap_below_what_keeps_its_place_or_far_below_the_balance_is_warned_of() {
        let plenty = 1_000_000 * u128::from(GAS) * GWEI;
        for (max_fee, base_fee, words) in [
            (GWEI / 2, GWEI, &["is dropped as soon as", "the balance allows"][..]),
            (8 * GWEI - 1, GWEI, &["keeps its place", "the balance allows"]),
            (8 * GWEI, GWEI, &["the balance allows"]),
            // An idle L2 counts as one of a gwei.
            (8 * GWEI - 1, 7, &["keeps its place", "the balance allows"]),
            (900_000 * GWEI, GWEI, &[]),
        ] {
            let warnings = cap(plenty, max_fee, base_fee).unwrap().warnings();
            assert_eq!(warnings.len(), words.len(), "{max_fee}: {warnings:?}");
            assert!(
                warnings.iter().zip(words).all(|(got, word)| got.contains(word)),
                "{warnings:?}"
            );
        }
    }
}
