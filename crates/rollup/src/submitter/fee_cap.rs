//! Transaction fee cap of L1 nodes.
//!
//! Over RPC, geth, erigon and reth reject a transaction whose gas limit times fee cap exceeds
//! `--rpc.txfeecap` (1 ether by default), regardless of the account's balance. Resending does not
//! help until the maximum fee is lower.

use crate::{
    SubmitterError,
    l1::{L1Client, L1Provider as _},
};

/// Number of L1 blocks after which a learned cap expires: by then, the client may use another node,
/// or the node's operator may have raised the cap.
const LIFETIME: u64 = 50;
const WEI_PER_ETHER: f64 = 1e18;

/// Fee cap of the configuration, or a lower one learned from the error of an L1 node.
#[derive(Debug)]
pub(super) struct FeeCap {
    configured: u128,
    /// Cap in wei and the number of the L1 block at which it was learned; `None` if no node has
    /// rejected a transaction because of its cap.
    learned: Option<(u128, u64)>,
}

impl FeeCap {
    pub(super) const fn new(configured: u128) -> Self {
        Self { configured, learned: None }
    }

    /// Learns the cap from a node's error for a transaction with this maximum fee, in wei. Other
    /// errors are ignored.
    pub(super) fn learn(&mut self, error: &SubmitterError, cost: u128, head: u64) {
        let message = error.to_string();
        let Some((_, named)) = message.split_once("exceeds the configured cap") else { return };
        let named = named.trim_start_matches(" (").split(' ').next().unwrap_or_default();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        let named = named.parse::<f64>().map_or(0, |ether| (ether * WEI_PER_ETHER) as u128);
        // Nodes round the cap in their error to hundredths of an ether, and the next transaction
        // must cost less than this one.
        let below = cost - cost / 8;
        let cap = if named == 0 { below } else { named.min(below) };
        tracing::warn!(cost, cap, "transaction exceeds the fee cap of the L1 node");
        self.learned = Some((cap, head));
    }

    /// Switches to the next L1 node and drops the learned cap, because it is too low for a
    /// transaction. With a single node the cap is kept, so that the node does not reject the same
    /// transaction again.
    pub(super) fn leave_node(&mut self, client: &L1Client) {
        if self.learned.is_some() && client.leave_node() {
            self.learned = None;
        }
    }

    /// Returns the maximum fee of a transaction without its blobs, in wei.
    pub(super) fn max_tx_fee(&self) -> u128 {
        self.learned.map_or(self.configured, |(cap, _)| cap.min(self.configured))
    }

    /// Returns the maximum fee per gas of a transaction with this gas limit under the fee cap, in
    /// wei.
    ///
    /// # Errors
    ///
    /// [`SubmitterError::TxFeeCap`] if that is below the highest possible base fee of the next L1
    /// block plus the tip.
    pub(super) fn affordable(
        &mut self,
        gas_limit: u64,
        base_fee: u128,
        tip: u128,
        head: u64,
    ) -> Result<u128, SubmitterError> {
        if self.learned.is_some_and(|(_, at)| head.saturating_sub(at) >= LIFETIME) {
            self.learned = None;
        }
        let cap = self.max_tx_fee();
        let max_fee = cap / u128::from(gas_limit.max(1));
        // The base fee rises by at most an eighth per block (EIP-1559).
        let min_fee = base_fee.saturating_add(base_fee / 8).saturating_add(tip);
        if max_fee < min_fee {
            return Err(SubmitterError::TxFeeCap { gas: gas_limit, price: min_fee, cap });
        }
        Ok(max_fee)
    }
}
