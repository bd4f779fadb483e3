//! A rollup's contracts, as L1 describes them.

use crate::{
    bindings::{IForcedInbox, IL1MessageQueue, IL1TokenBridge, INativeRollup},
    call::require_same,
    error::BridgeError,
};
use alloy_primitives::Address;
use alloy_provider::Provider;

/// Token bridge of a rollup: a contract on each chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBridge {
    /// `L1TokenBridge`, the escrow on L1.
    pub l1: Address,
    /// `L2TokenBridge`.
    pub l2: Address,
}

/// Contracts and chain ids of a rollup, read from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub message_queue: Address,
    /// `ForcedInbox`.
    pub forced: Address,
    /// Token bridge, if one was [added](Self::with_token_bridge).
    pub token_bridge: Option<TokenBridge>,
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// Chain id of the L2.
    pub l2_chain_id: u64,
}

impl Rollup {
    /// Reads the rollup at this address. Trusts the node of L1 and the address.
    ///
    /// # Errors
    ///
    /// [`BridgeError::WrongRollup`] if its contracts name another rollup.
    pub async fn read(l1: &impl Provider, address: Address) -> Result<Self, BridgeError> {
        let rollup = INativeRollup::new(address, l1);
        let message_queue = rollup.MESSAGE_QUEUE().call().await?;
        let forced = rollup.FORCED().call().await?;
        let queue_of = IL1MessageQueue::new(message_queue, l1).ROLLUP().call().await?;
        let inbox_of = IForcedInbox::new(forced, l1).ROLLUP().call().await?;
        require_same("the rollup of the message queue", queue_of, address)?;
        require_same("the rollup of the forced inbox", inbox_of, address)?;
        Ok(Self {
            address,
            message_queue,
            forced,
            token_bridge: None,
            l1_chain_id: l1.get_chain_id().await?,
            l2_chain_id: rollup.CHAIN_ID().call().await?,
        })
    }

    /// Adds the token bridge whose contract on L1 is at this address. The rollup does not reference
    /// it, because anyone can deploy one, so the address is trusted.
    ///
    /// # Errors
    ///
    /// [`BridgeError::WrongRollup`] if it sends its messages through the queue of another rollup.
    pub async fn with_token_bridge(
        self,
        l1: &impl Provider,
        l1_bridge: Address,
    ) -> Result<Self, BridgeError> {
        let bridge = IL1TokenBridge::new(l1_bridge, l1);
        let queue = bridge.MESSAGE_QUEUE().call().await?;
        require_same("the message queue of the token bridge", queue, self.message_queue)?;
        let l2 = bridge.L2_BRIDGE().call().await?;
        Ok(Self { token_bridge: Some(TokenBridge { l1: l1_bridge, l2 }), ..self })
    }
}
