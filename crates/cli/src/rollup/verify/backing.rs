//! Backing in the escrow on L1 of the ETH that the genesis of an L2 allocates.

use crate::rollup::Node;
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolEvent as _;
use contracts::{Deployment, allocated_ether, bindings::IL1MessageQueue::Backed};
use eyre::{Result, WrapErr as _};

/// ETH of a genesis, and the ETH that was added to the escrow for it, in wei.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backing {
    /// Sum of all balances of the genesis outside the messenger.
    pub(super) owed: U256,
    /// Sum of all calls of `L1MessageQueue.back`.
    pub(super) backed: U256,
    /// Balance of the message queue, including deposits, which back balances of the L2 themselves.
    pub(super) escrow: U256,
    /// The message queue.
    queue: Address,
}

impl Backing {
    /// Reads the events of the message queue and its balance.
    pub(super) fn read(l1: &Node, deployment: &Deployment) -> Result<Self> {
        let queue = deployment.message_queue;
        let mut backed = U256::ZERO;
        l1.each_log(queue, &[Backed::SIGNATURE_HASH], deployment.l1_block, |log| {
            let event = Backed::decode_log(&log.inner).wrap_err("event of the message queue")?;
            backed = backed.saturating_add(event.amount);
            Ok(())
        })?;
        let escrow = l1.request("eth_getBalance", (queue, "latest"))?;
        Ok(Self { owed: allocated_ether(&deployment.genesis), backed, escrow, queue })
    }

    /// Returns the wei that some account could not withdraw if all others did.
    pub(super) const fn missing(&self) -> U256 {
        self.owed.saturating_sub(self.backed)
    }

    /// Describes what is missing, and what to do.
    pub(super) fn finding(&self) -> String {
        let (Self { owed, backed, queue, .. }, missing) = (self, self.missing());
        format!(
            "the escrow has {backed} of {owed} wei for what the genesis allocates: send {missing} wei to \
             {queue} by `back()`, or accept it with --allow-unbacked"
        )
    }
}
