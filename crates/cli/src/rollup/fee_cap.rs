//! Fee cap of a forced transaction, compared with its sender's balance and the base fee of the L2.
//!
//! Full blocks can raise the base fee above any cap, and a block whose base fee exceeds the cap
//! need not include the transaction. The cap determines the price of that delay and costs the
//! sender nothing, because a transaction pays only the base fee and its tip. It should therefore be
//! as high as the balance allows.

use super::Node;
use alloy_consensus::Transaction;
use alloy_primitives::{Address, U256};
use alloy_rpc_types_eth::Block;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::{Value, json};
use std::fmt;

/// Minimum ratio of fee cap to base fee with which an entry keeps its place in the queue
/// (`ForcedInbox.FEE_CAP_MARGIN`).
const MARGIN: u128 = 8;
/// Lower bound of the base fee in that ratio, in wei (`ForcedInbox.FEE_CAP_FLOOR`).
const FLOOR: u128 = 1_000_000_000;
/// Maximum number of blocks for which a delay is computed. The base fee has risen by 50 orders of
/// magnitude by then.
const MAX_BLOCKS: u64 = 1_000;

/// A fee cap, and the prices of delaying a transaction with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FeeCap {
    /// The fee cap, in wei per gas.
    max_fee: u128,
    /// Base fee of the L2's newest block, in wei per gas.
    base_fee: u128,
    /// Minimum cap, in wei per gas, with which the transaction keeps its place in the queue while
    /// the base fee exceeds the cap.
    keeps_place_from: u128,
    /// Maximum cap, in wei per gas, that the sender's balance covers.
    from_balance: u128,
    /// Number of consecutive full blocks that raise the base fee above the cap.
    blocks_to_exceed: u64,
    /// Wei that these blocks burn: the price of the first delay.
    wei_to_exceed: U256,
    /// Minimum wei that each further block of delay burns.
    wei_per_block: U256,
}

impl FeeCap {
    /// Reads balance and base fee from a node of the L2.
    ///
    /// # Errors
    ///
    /// If the node does not respond, or the balance does not cover the maximum cost of the
    /// transaction.
    pub(super) fn of(l2: &Node, sender: Address, transaction: &impl Transaction) -> Result<Self> {
        let balance: U256 = l2.request("eth_getBalance", (sender, "latest"))?;
        let head: Block = l2.request("eth_getBlockByNumber", ("latest", false))?;
        let base_fee = head.header.base_fee_per_gas.ok_or_eyre("a block without a base fee")?;
        Self::with(balance, base_fee.into(), head.header.gas_limit, sender, transaction)
    }

    /// Returns the maximum cap, in wei per gas, that a balance covers in addition to `others` wei.
    /// The inbox accepts no transaction whose gas may cost 2^128 wei or more.
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
             with a fee cap of at most {from_balance} wei"
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
            // Half-full blocks keep the base fee constant.
            wei_per_block: U256::from(max_fee) * U256::from(block_gas / 2),
        })
    }

    /// Returns the figures as JSON, with wei as decimal strings.
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

    /// Returns warnings about a low cap.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self { max_fee, keeps_place_from, from_balance, base_fee, .. } = self;
        let mut warnings = Vec::new();
        if max_fee < base_fee {
            warnings.push(format!(
                "the fee cap of {max_fee} wei is below the L2's base fee of {base_fee} wei: the transaction is dropped as \
                 soon as it is due, unless the base fee falls"
            ));
        } else if max_fee < keeps_place_from {
            warnings.push(format!(
                "the transaction is dropped if the base fee exceeds its fee cap of {max_fee} wei; with {keeps_place_from} wei \
                 or more it keeps its place in the queue"
            ));
        }
        if max_fee.saturating_mul(2) < *from_balance {
            warnings.push(format!(
                "the balance allows a fee cap of {from_balance} wei: a higher cap costs nothing and makes a delay more \
                 expensive"
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
            "fee cap {max_fee} wei, base fee {base_fee} wei: to delay the transaction, {blocks_to_exceed} full blocks must \
             burn {wei_to_exceed} wei, and each further block {wei_per_block} wei"
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
    fn cap_above_balance_is_rejected_with_maximum() {
        let balance = 5 + u128::from(GAS) * 100 * GWEI;
        assert!(cap(balance, 100 * GWEI, GWEI).is_ok());
        let error = cap(balance, 100 * GWEI + 1, GWEI).unwrap_err().to_string();
        assert!(error.contains("at most 100000000000 wei"), "{error}");
    }

    #[test]
    fn delay_price_follows_base_fee_growth() {
        let at = |times: u128| cap(u128::MAX / 2, times * GWEI, GWEI).unwrap();
        // (9/8)^5 is below 2 and (9/8)^6 is above; (9/8)^34 is above 50.
        assert_eq!(at(1).blocks_to_exceed, 1);
        assert_eq!(at(1).wei_to_exceed, U256::from(30_000_000 * GWEI));
        assert_eq!(at(2).blocks_to_exceed, 6);
        assert_eq!(at(50).blocks_to_exceed, 34);
        assert_eq!(at(2).wei_per_block, U256::from(2 * GWEI * 15_000_000));
    }

    #[test]
    fn low_fee_caps_cause_warnings() {
        let plenty = 1_000_000 * u128::from(GAS) * GWEI;
        for (max_fee, base_fee, words) in [
            (GWEI / 2, GWEI, &["soon as it is due", "the balance allows"][..]),
            (8 * GWEI - 1, GWEI, &["keeps its place", "the balance allows"]),
            (8 * GWEI, GWEI, &["the balance allows"]),
            // The base fee of an idle L2 counts as one gwei.
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
