//! The most that a node of L1 lets a transaction cost.
//!
//! geth, erigon and reth refuse a transaction over RPC whose gas limit times fee cap is above
//! `--rpc.txfeecap`, one ether by default, whatever its account has. Such a refusal repeats until
//! the transaction costs less.

use super::Submitter;
use crate::{RollupError, l1::L1Client};

/// L1 blocks after which a learned cap is forgotten: another node may be asked by then, or its
/// operator has raised it.
const LIFETIME: u64 = 50;
const WEI_PER_ETHER: f64 = 1e18;

/// The cap that an L1 node has named, if it has refused a transaction for it.
#[derive(Debug, Default)]
pub(super) struct FeeCap {
    /// The cap, in wei, and the L1 block at which it was learned.
    learned: Option<(u128, u64)>,
}

impl FeeCap {
    /// Takes over the cap that a refusal of a transaction with this cost names, in wei.
    pub(super) fn learn(&mut self, error: &RollupError, cost: u128, head: u64) {
        let message = error.to_string();
        let Some((_, named)) = message.split_once("exceeds the configured cap") else { return };
        let named = named.trim_start_matches(" (").split(' ').next().unwrap_or_default();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        let named = named.parse::<f64>().map_or(0, |ether| (ether * WEI_PER_ETHER) as u128);
        // Nodes round what they name to hundredths, and the next transaction must cost less than
        // this one.
        let below = cost - cost / 8;
        let cap = if named == 0 { below } else { named.min(below) };
        tracing::warn!(cost, cap, "L1 node caps the fee of a transaction");
        self.learned = Some((cap, head));
    }
}

impl Submitter {
    /// Lets the next node of L1 be asked if the cap that this one has named is too low for any
    /// transaction, and forgets the cap. With one node it stays, so that the same refusal does not
    /// repeat.
    pub(super) fn leave_capped(&mut self, client: &L1Client) {
        if self.fee_cap.learned.is_some() && client.leave_node() {
            self.fee_cap.learned = None;
        }
    }

    /// Most that a transaction may cost without its blobs, in wei.
    pub(super) fn fee_cap(&self) -> u128 {
        let configured = self.config.max_tx_fee;
        self.fee_cap.learned.map_or(configured, |(cap, _)| cap.min(configured))
    }

    /// Most that a transaction with this gas limit may offer per gas, in wei.
    ///
    /// # Errors
    ///
    /// [`RollupError::TxFeeCap`] if L1 might not include it for that in one of the next blocks.
    pub(super) fn affordable(
        &mut self,
        gas_limit: u64,
        base_fee: u128,
        head: u64,
    ) -> Result<u128, RollupError> {
        if self.fee_cap.learned.is_some_and(|(_, at)| head.saturating_sub(at) >= LIFETIME) {
            self.fee_cap.learned = None;
        }
        let cap = self.fee_cap();
        let most = cap / u128::from(gas_limit.max(1));
        // The base fee of the next block is an eighth higher at most (EIP-1559).
        let least = base_fee.saturating_add(base_fee / 8).saturating_add(self.config.tip);
        if most < least {
            return Err(RollupError::TxFeeCap { gas: gas_limit, price: least, cap });
        }
        Ok(most)
    }
}
