//! Tokens of L1 on the L2, by the token bridge.

use crate::{
    Bridge, TokenBridge,
    bindings::{
        IERC20, IL1MessageQueue::IL1MessageQueueErrors, IL1TokenBridge,
        IL1TokenBridge::IL1TokenBridgeErrors, IL2TokenBridge, IL2TokenBridge::IL2TokenBridgeErrors,
    },
    call::{Sent, request, require_same, send},
    error::{BridgeError, Rejection},
};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{PendingTransactionBuilder, Provider, network::Ethereum};
use alloy_sol_types::SolInterface as _;

/// Gas that the payment of a usual token receives on L1.
const RELEASE_GAS: u64 = 200_000;

/// Tokens of L1 to be deposited to the L2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenDeposit {
    /// Registered token on L1.
    pub l1_token: Address,
    /// Amount in the token's smallest unit.
    pub amount: U256,
    /// Account of the L2 that receives the tokens; the sender by default.
    pub to: Option<Address>,
    /// Account of the L2 that may send the tokens back if the delivery fails. By default the one
    /// that the sender controls, which is its alias account if the sender is a contract.
    pub refund_to: Option<Address>,
    /// Gas of the message; `DEPOSIT_GAS` of the bridge by default.
    pub gas_limit: Option<u64>,
    /// Fee of the message, in wei; twice the minimum by default.
    pub fee: Option<u128>,
    /// Maximum of the default fee, in wei.
    pub max_fee: Option<u128>,
    /// `true` to fail unless the allowance of the bridge suffices. By default, exactly the amount
    /// is approved if necessary.
    pub skip_approval: bool,
}

/// Transactions of a token deposit.
#[derive(Debug)]
pub struct SentDeposit {
    /// Included L1 transaction that approved the transfer, unless the allowance sufficed.
    pub approval: Option<B256>,
    /// L1 transaction of the deposit.
    pub deposit: PendingTransactionBuilder<Ethereum>,
}

/// Tokens to be withdrawn to L1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenWithdrawal {
    /// Token on L1.
    pub l1_token: Address,
    /// Amount in the token's smallest unit.
    pub amount: U256,
    /// Account on L1 that receives the tokens; the sender by default.
    pub to: Option<Address>,
    /// Account on L1 that may send the tokens back if they cannot be paid out; none by default.
    pub refund_to: Option<Address>,
    /// Gas that the payment receives on L1; 200,000 by default.
    pub gas_limit: Option<u64>,
    /// Fee on L1 for the account that claims the message, in wei.
    pub fee: u128,
}

/// A token on L1 and the token that represents it on the L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPair {
    /// Token on L1.
    pub l1_token: Address,
    /// Token on the L2. It has code only once its registration has been delivered.
    pub l2_token: Address,
    /// `true` if the registration has been sent to the L2.
    pub is_registered: bool,
    /// Amount on the L2 or in transit, in the token's smallest unit.
    pub owed: U256,
}

impl<L1: Provider, L2: Provider> Bridge<L1, L2> {
    /// Returns the token of the L2 that represents a token of L1.
    pub async fn token_pair(&self, l1_token: Address) -> Result<TokenPair, BridgeError> {
        self.require_l1().await?;
        let bridge = IL1TokenBridge::new(self.require_token_bridge().await?.l1, &self.l1);
        Ok(TokenPair {
            l1_token,
            l2_token: bridge.l2TokenOf(l1_token).call().await?,
            is_registered: bridge.isRegistered(l1_token).call().await?,
            owed: bridge.owed(l1_token).call().await?,
        })
    }

    /// Registers a token of L1: the L2 deploys the token that represents it. Any account may
    /// register any token. `gas_limit` is `REGISTER_GAS` of the bridge by default, and `fee` twice
    /// the minimum.
    ///
    /// # Errors
    ///
    /// [`BridgeError::Rejected`] with `DecimalsUnknown` if the token does not return its decimals.
    pub async fn register_token(
        &self,
        from: Address,
        l1_token: Address,
        gas_limit: Option<u64>,
        fee: Option<u128>,
    ) -> Sent {
        self.require_l1().await?;
        self.require_queue().await?;
        let address = self.require_token_bridge().await?.l1;
        let gas_limit = match gas_limit {
            Some(gas) => gas,
            None => IL1TokenBridge::new(address, &self.l1).REGISTER_GAS().call().await?,
        };
        let fee = self.message_fee(from, gas_limit, fee, None).await?;
        let call = IL1TokenBridge::registerCall { l1Token: l1_token, gasLimit: gas_limit };
        let request = request(self.rollup.l1_chain_id, from, address, &call);
        send(&self.l1, request.value(U256::from(fee))).await.map_err(rejection_of_l1)
    }

    /// Deposits tokens of L1 to the L2, whose next blocks deliver them. Approves exactly the amount
    /// first, unless the allowance suffices, and waits for that transaction. The account on the L2
    /// receives what arrives in the escrow.
    ///
    /// # Errors
    ///
    /// [`BridgeError::ContractWallet`] if a contract names no target, [`BridgeError::WrongRollup`]
    /// and [`BridgeError::FeeAboveMaximum`], before anything is sent. [`BridgeError::Rejected`],
    /// for example with `TokenNotRegistered`, is returned after the approval.
    pub async fn deposit_token(
        &self,
        from: Address,
        deposit: TokenDeposit,
    ) -> Result<SentDeposit, BridgeError> {
        self.require_l1().await?;
        self.require_queue().await?;
        let address = self.require_token_bridge().await?.l1;
        let TokenDeposit { l1_token, amount, .. } = deposit;
        let (to, controlled) = self.target_of(from, deposit.to).await?;
        let gas_limit = match deposit.gas_limit {
            Some(gas) => gas,
            None => IL1TokenBridge::new(address, &self.l1).DEPOSIT_GAS().call().await?,
        };
        let fee = self.message_fee(from, gas_limit, deposit.fee, deposit.max_fee).await?;
        let approval = match deposit.skip_approval {
            true => None,
            false => self.approve(from, l1_token, address, amount).await?,
        };
        let call = IL1TokenBridge::depositCall {
            l1Token: l1_token,
            to,
            refundTo: deposit.refund_to.unwrap_or(controlled),
            amount,
            gasLimit: gas_limit,
        };
        let request = request(self.rollup.l1_chain_id, from, address, &call);
        let sent = send(&self.l1, request.value(U256::from(fee))).await;
        Ok(SentDeposit { approval, deposit: sent.map_err(rejection_of_l1)? })
    }

    /// Sends tokens from the L2 back to L1. The message is [proven](Self::prove) and
    /// [claimed](Self::claim) like any other. No approval is needed: the bridge burns the tokens of
    /// the sender.
    ///
    /// # Errors
    ///
    /// [`BridgeError::WrongRollup`] if the bridge on the L2 names another one on L1.
    pub async fn withdraw_token(&self, from: Address, withdrawal: TokenWithdrawal) -> Sent {
        self.require_l2().await?;
        let TokenBridge { l1, l2 } = self.token_bridge()?;
        let peer = IL2TokenBridge::new(l2, &self.l2).L1_BRIDGE().call().await?;
        require_same("the token bridge on L1", peer, l1)?;
        let TokenWithdrawal { l1_token, amount, to, refund_to, gas_limit, fee } = withdrawal;
        let call = IL2TokenBridge::withdrawCall {
            l1Token: l1_token,
            to: to.unwrap_or(from),
            refundTo: refund_to.unwrap_or_default(),
            amount,
            gasLimit: gas_limit.unwrap_or(RELEASE_GAS),
        };
        let request = request(self.rollup.l2_chain_id, from, l2, &call);
        send(&self.l2, request.value(U256::from(fee))).await.map_err(rejection_of_l2)
    }

    /// Approves the transfer to the bridge if necessary, and waits until L1 includes the approval.
    async fn approve(
        &self,
        from: Address,
        token: Address,
        bridge: Address,
        amount: U256,
    ) -> Result<Option<B256>, BridgeError> {
        if IERC20::new(token, &self.l1).allowance(from, bridge).call().await? >= amount {
            return Ok(None);
        }
        let call = IERC20::approveCall { spender: bridge, amount };
        let request = request(self.rollup.l1_chain_id, from, token, &call);
        let receipt = send(&self.l1, request).await?.get_receipt().await?;
        Ok(Some(receipt.transaction_hash))
    }

    fn token_bridge(&self) -> Result<TokenBridge, BridgeError> {
        self.rollup.token_bridge.ok_or(BridgeError::NoTokenBridge)
    }

    /// Requires that the bridge on L1 uses the queue of this rollup and the given bridge on the L2.
    /// Tokens sent to another bridge would be lost.
    async fn require_token_bridge(&self) -> Result<TokenBridge, BridgeError> {
        let addresses = self.token_bridge()?;
        let bridge = IL1TokenBridge::new(addresses.l1, &self.l1);
        let queue = bridge.MESSAGE_QUEUE().call().await?;
        require_same("the message queue of the token bridge", queue, self.rollup.message_queue)?;
        let peer = bridge.L2_BRIDGE().call().await?;
        require_same("the token bridge on the L2", peer, addresses.l2)?;
        Ok(addresses)
    }
}

/// Decodes a revert of the bridge on L1, or of the queue that it calls.
fn rejection_of_l1(error: BridgeError) -> BridgeError {
    decode(error, |data| {
        let of_bridge = IL1TokenBridgeErrors::abi_decode(data).map(Rejection::L1TokenBridge);
        let of_queue = || IL1MessageQueueErrors::abi_decode(data).map(Rejection::MessageQueue);
        of_bridge.or_else(|_| of_queue()).ok()
    })
}

/// Decodes a revert of the bridge on the L2.
fn rejection_of_l2(error: BridgeError) -> BridgeError {
    decode(error, |data| IL2TokenBridgeErrors::abi_decode(data).map(Rejection::L2TokenBridge).ok())
}

/// Replaces a node's error by the revert that it reports, if that can be decoded.
fn decode(error: BridgeError, decode: impl Fn(&[u8]) -> Option<Rejection>) -> BridgeError {
    let BridgeError::Transport(failure) = &error else { return error };
    let data = failure.as_error_resp().and_then(|payload| payload.as_revert_data());
    let rejection = data.and_then(|data| decode(&data));
    rejection.map_or(error, |reason| BridgeError::Rejected(Box::new(reason)))
}
