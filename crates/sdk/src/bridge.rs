//! Messages between the chains, claims and forced transactions, on providers of both chains.

use crate::{
    ClaimError, L2_MESSENGER, Message, Rollup, RollupApi as _,
    alias::{alias_account, is_key},
    bindings::{
        IForcedInbox, IL1MessageQueue,
        IL1MessageQueue::{MessageProof, claimCall},
        IL2Messenger,
        INativeRollup::{self, StateRootUnavailable},
    },
    call::{READ_GAS, Sent, offered_fee, request, require_chain, require_same, send},
    error::{BridgeError, Layer},
    sent_slot, verify_message,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::Provider;
use alloy_sol_types::SolCall as _;

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Target on the other chain; the sender by default.
    pub to: Option<Address>,
    /// Value for the target, in wei.
    pub value: u128,
    /// Calldata for the target.
    pub data: Bytes,
    /// Minimum gas for the call of the target; none is needed to pay an account without code.
    /// Required with data.
    pub gas_limit: u64,
    /// Fee for the account that delivers the message, in wei. By default twice the minimum on the
    /// way to the L2, because L1's base fee may double in six blocks, and none on the way to L1.
    pub fee: Option<u128>,
    /// Maximum of the default fee of a message to the L2, in wei.
    pub max_fee: Option<u128>,
    /// Account that may reclaim the value if the delivery fails. By default the sender; on the way
    /// to the L2 the account there that the sender controls, which is its alias account if the
    /// sender is a contract.
    pub refund_to: Option<Address>,
}

impl NewMessage {
    /// Checks that a message with data has gas for the call of its target.
    fn check(&self) -> Result<(), BridgeError> {
        match self.data.len() {
            got if got > 0 && self.gas_limit == 0 => Err(BridgeError::MessageGasMissing { got }),
            _ => Ok(()),
        }
    }
}

/// Sends messages, claims and forced transactions of a rollup. L2 nodes are not trusted: their
/// responses are verified against L1 before anything is sent. Transactions are signed by the
/// providers, and fail if a provider's node is on another chain.
#[derive(Debug, Clone)]
pub struct Bridge<L1, L2> {
    pub(crate) rollup: Rollup,
    pub(crate) l1: L1,
    pub(crate) l2: L2,
}

impl<L1: Provider, L2: Provider> Bridge<L1, L2> {
    /// Creates the bridge of a rollup.
    pub const fn new(rollup: Rollup, l1: L1, l2: L2) -> Self {
        Self { rollup, l1, l2 }
    }

    /// Returns the rollup.
    pub const fn rollup(&self) -> &Rollup {
        &self.rollup
    }

    /// Returns the provider of L1.
    pub const fn l1(&self) -> &L1 {
        &self.l1
    }

    /// Returns the provider of the L2.
    pub const fn l2(&self) -> &L2 {
        &self.l2
    }

    /// Sends a message from L1 to the L2, whose next blocks deliver it.
    ///
    /// # Errors
    ///
    /// [`BridgeError::ContractWallet`] if a contract names no target,
    /// [`BridgeError::MessageGasMissing`], and [`BridgeError::FeeAboveMaximum`].
    pub async fn deposit(&self, from: Address, message: NewMessage) -> Sent {
        message.check()?;
        self.require_l1().await?;
        self.require_queue().await?;
        let NewMessage { to, value, data, gas_limit, fee, max_fee, refund_to } = message;
        let (to, controlled) = self.target_of(from, to).await?;
        let fee = self.message_fee(from, gas_limit, fee, max_fee).await?;
        let call = IL1MessageQueue::sendCall {
            to,
            refundTo: refund_to.unwrap_or(controlled),
            gasLimit: gas_limit,
            fee,
            data,
        };
        let value = U256::from(value).saturating_add(U256::from(fee));
        let request = request(self.rollup.l1_chain_id, from, self.rollup.message_queue, &call);
        send(&self.l1, request.value(value)).await
    }

    /// Sends a message from the L2 to L1, where anyone can [claim](Self::claim) it once L1 has the
    /// block.
    ///
    /// # Errors
    ///
    /// [`BridgeError::MessageGasMissing`].
    pub async fn withdraw(&self, from: Address, message: NewMessage) -> Sent {
        message.check()?;
        self.require_l2().await?;
        let NewMessage { to, value, data, gas_limit, fee, refund_to, max_fee: _ } = message;
        let fee = fee.unwrap_or_default();
        let call = IL2Messenger::sendCall {
            to: to.unwrap_or(from),
            refundTo: refund_to.unwrap_or(from),
            gasLimit: gas_limit,
            fee,
            data,
        };
        let value = U256::from(value).saturating_add(U256::from(fee));
        let request = request(self.rollup.l2_chain_id, from, L2_MESSENGER, &call);
        send(&self.l2, request.value(value)).await
    }

    /// Proves that the L2 has sent a message, in the state of the newest L2 block on L1, and
    /// verifies the proof against the state root on L1. `sent_in` is the L2 block of the message.
    pub async fn prove(
        &self,
        message: &Message,
        sent_in: u64,
    ) -> Result<MessageProof, BridgeError> {
        self.require_l1().await?;
        self.require_l2().await?;
        let head = INativeRollup::new(self.rollup.address, &self.l1).head().call().await?.number;
        if sent_in > head {
            return Err(BridgeError::NotReady { got: head, expected: sent_in });
        }
        let state_root = self.state_root(head).await?;
        let slots = vec![B256::from(sent_slot(message.index))];
        let answer = self.l2.get_proof(L2_MESSENGER, slots).number(head).await?;
        let proof = MessageProof {
            l2Block: head,
            storageRoot: answer.storage_hash,
            accountProof: answer.account_proof,
            storageProof: answer.storage_proof.into_iter().flat_map(|slot| slot.proof).collect(),
        };
        verify_message(state_root, message, &proof)?;
        Ok(proof)
    }

    /// Requests a complete claim from the node, and verifies it like [`prove`](Self::prove).
    pub async fn prove_by_node(&self, message: &Message) -> Result<MessageProof, BridgeError> {
        self.require_l1().await?;
        self.require_l2().await?;
        let claim = self.l2.rollup_claim_proof(message.index, None).await?;
        require_same("the message queue", claim.to, self.rollup.message_queue)?;
        let call = claimCall::abi_decode(&claim.data).map_err(BridgeError::Calldata)?;
        let gas = call.message.gasLimit;
        let got = Message::from_call(&call.message).ok_or(ClaimError::Gas(gas))?.hash();
        let expected = message.hash();
        if got != expected {
            return Err(BridgeError::OtherMessage { got, expected });
        }
        let state_root = self.state_root(call.proof.l2Block).await?;
        verify_message(state_root, message, &call.proof)?;
        Ok(call.proof)
    }

    /// Claims a message from the L2 on L1, with a proof of [`prove`](Self::prove) or
    /// [`prove_by_node`](Self::prove_by_node): its target receives the value and the call, and
    /// `fee_recipient` the fee.
    ///
    /// # Errors
    ///
    /// [`BridgeError::AlreadyClaimed`], and [`BridgeError::Proof`] if the proof is of another
    /// message.
    pub async fn claim(
        &self,
        from: Address,
        message: &Message,
        proof: MessageProof,
        fee_recipient: Address,
    ) -> Sent {
        self.require_l1().await?;
        self.require_queue().await?;
        let queue = self.rollup.message_queue;
        if IL1MessageQueue::new(queue, &self.l1).isClaimed(message.index).call().await? {
            return Err(BridgeError::AlreadyClaimed(message.index));
        }
        verify_message(self.state_root(proof.l2Block).await?, message, &proof)?;
        let call = claimCall { message: message.into(), proof, feeRecipient: fee_recipient };
        let request = request(self.rollup.l1_chain_id, from, queue, &call);
        send(&self.l1, request).await
    }

    /// Returns the minimum gas limit of a forced transaction with this many bytes of data. It remains
    /// sufficient if L1 raises the price of transactions while this one waits, and the L2 refunds
    /// what is not used.
    pub async fn minimum_forced_gas(&self, data_length: usize) -> Result<u64, BridgeError> {
        self.require_l1().await?;
        let inbox = IForcedInbox::new(self.rollup.forced, &self.l1);
        let minimum = inbox.minimumGas(U256::from(data_length)).call().await?;
        Ok(minimum.saturating_to())
    }

    /// Submits a signed transaction of the L2 on L1: within the rollup's deadline, a block of the
    /// L2 must include it. `fee` is by default twice the minimum; the inbox refunds the excess. The
    /// gas limit of the transaction must be at least
    /// [`minimum_forced_gas`](Self::minimum_forced_gas).
    ///
    /// # Errors
    ///
    /// [`BridgeError::WrongChain`] if the transaction is of another chain.
    pub async fn force(&self, from: Address, transaction: Bytes, fee: Option<U256>) -> Sent {
        self.require_l1().await?;
        let signed = TxEnvelope::decode_2718_exact(&transaction).map_err(BridgeError::Malformed)?;
        let got = signed.chain_id().unwrap_or_default();
        require_chain(Layer::L2, got, self.rollup.l2_chain_id)?;
        let named = INativeRollup::new(self.rollup.address, &self.l1).FORCED().call().await?;
        require_same("the forced inbox", self.rollup.forced, named)?;
        let inbox = IForcedInbox::new(self.rollup.forced, &self.l1);
        let fee = match fee {
            Some(fee) => fee,
            None => {
                let footprint = inbox.footprintOf(transaction.clone()).call().await?;
                let price = self.l1.get_gas_price().await?;
                let call = inbox.minimumFee(signed.gas_limit(), footprint);
                let call = call.from(from).gas(READ_GAS).max_fee_per_gas(price);
                let least = call.call().await?;
                least.saturating_mul(U256::from(2))
            }
        };
        let call = IForcedInbox::submitCall { raw: transaction };
        let request = request(self.rollup.l1_chain_id, from, self.rollup.forced, &call);
        send(&self.l1, request.value(fee)).await
    }

    async fn state_root(&self, block: u64) -> Result<B256, BridgeError> {
        let rollup = INativeRollup::new(self.rollup.address, &self.l1);
        let error = match rollup.stateRootAt(block).call().await {
            Ok(root) => return Ok(root),
            Err(error) => error,
        };
        let Some(StateRootUnavailable { latest, .. }) = error.as_decoded_error() else {
            return Err(error.into());
        };
        if block > latest {
            return Err(BridgeError::NotReady { got: latest, expected: block });
        }
        let stored = rollup.STATE_ROOTS().call().await?;
        let expected = (latest + 1).saturating_sub(stored);
        Err(BridgeError::StateRootExpired { got: block, expected })
    }

    /// Returns the target of a deposit and the L2 account that the sender controls. The default
    /// target is the sender, which must be an EOA: only a key controls the same address on both
    /// chains.
    pub(crate) async fn target_of(
        &self,
        sender: Address,
        to: Option<Address>,
    ) -> Result<(Address, Address), BridgeError> {
        let code = self.l1.get_code_at(sender).await?;
        if is_key(&code) {
            return Ok((to.unwrap_or(sender), sender));
        }
        let to = to.ok_or(BridgeError::ContractWallet { sender, code_size: code.len() })?;
        Ok((to, alias_account(sender)))
    }

    /// Returns the fee of a message to the L2: the given one, or by default twice the minimum, but
    /// not more than `max_fee`.
    pub(crate) async fn message_fee(
        &self,
        from: Address,
        gas_limit: u64,
        fee: Option<u128>,
        max_fee: Option<u128>,
    ) -> Result<u128, BridgeError> {
        if let Some(fee) = fee {
            return Ok(fee);
        }
        let queue = IL1MessageQueue::new(self.rollup.message_queue, &self.l1);
        let price = self.l1.get_gas_price().await?;
        let call = queue.minimumFee(gas_limit).from(from).gas(READ_GAS).max_fee_per_gas(price);
        offered_fee(call.call().await?, max_fee)
    }

    /// Requires that the queue is the one that the rollup names. A message to another queue would
    /// be lost.
    pub(crate) async fn require_queue(&self) -> Result<(), BridgeError> {
        let rollup = INativeRollup::new(self.rollup.address, &self.l1);
        let named = rollup.MESSAGE_QUEUE().call().await?;
        require_same("the message queue", self.rollup.message_queue, named)
    }

    pub(crate) async fn require_l1(&self) -> Result<(), BridgeError> {
        require_chain(Layer::L1, self.l1.get_chain_id().await?, self.rollup.l1_chain_id)
    }

    pub(crate) async fn require_l2(&self) -> Result<(), BridgeError> {
        require_chain(Layer::L2, self.l2.get_chain_id().await?, self.rollup.l2_chain_id)
    }
}
