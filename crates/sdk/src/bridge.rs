//! Messages between the chains, claims and forced transactions, by providers of both chains.

use crate::{
    ClaimError, L2_MESSENGER, Message, RollupApi as _,
    bindings::{
        IForcedInbox, IL1MessageQueue,
        IL1MessageQueue::{MessageProof, claimCall},
        IL2Messenger,
        INativeRollup::{self, StateRootUnavailable},
    },
    error::{BridgeError, Layer},
    sent_slot, verify_message,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{PendingTransactionBuilder, Provider, network::Ethereum};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall;

/// Start of the code of an account that delegates to a contract (EIP-7702), and its length.
const DELEGATION: ([u8; 3], usize) = ([0xef, 0x01, 0x00], 23);

/// Gas of a call that reads the base fee. Such a call has a gas price, because nodes execute calls
/// without one at a base fee of zero.
const READ_GAS: u64 = 200_000;

/// Gas in addition to the estimate. Nodes estimate in the latest block, where an earlier transaction
/// may have paid for storage that the first one of the next block has to write again: the queues
/// store their state once per L1 block. Gas that is not used is not paid.
const GAS_MARGIN: u64 = 60_000;

/// Contracts and chain ids of a rollup, read from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub message_queue: Address,
    /// `ForcedInbox`.
    pub forced: Address,
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
            l1_chain_id: l1.get_chain_id().await?,
            l2_chain_id: rollup.CHAIN_ID().call().await?,
        })
    }
}

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
    pub gas_limit: u64,
    /// Fee for the account that delivers the message, in wei. By default twice the minimum on the
    /// way to the L2, because L1's base fee may double in six blocks, and none on the way to L1.
    pub fee: Option<u128>,
    /// Account that may reclaim the value if the delivery fails; the sender by default.
    pub refund_to: Option<Address>,
}

/// Sends messages, claims and forced transactions of a rollup. No node of the L2 is trusted: what
/// it returns is verified against L1 before anything is sent. Transactions are signed by the
/// providers, and fail if their node is of another chain.
#[derive(Debug, Clone)]
pub struct Bridge<L1, L2> {
    rollup: Rollup,
    l1: L1,
    l2: L2,
}

type Sent = Result<PendingTransactionBuilder<Ethereum>, BridgeError>;

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
    /// [`BridgeError::ContractWallet`] if a contract names no target.
    pub async fn deposit(&self, from: Address, message: NewMessage) -> Sent {
        self.require_l1().await?;
        let code = self.l1.get_code_at(from).await?;
        let (start, length) = DELEGATION;
        let is_key = code.is_empty() || (code.len() == length && code.starts_with(&start));
        if message.to.is_none() && !is_key {
            let code_size = code.len();
            return Err(BridgeError::ContractWallet { sender: from, code_size });
        }
        let NewMessage { to, value, data, gas_limit, fee, refund_to } = message;
        let queue = IL1MessageQueue::new(self.rollup.message_queue, &self.l1);
        let fee = match fee {
            Some(fee) => fee,
            None => {
                let price = self.l1.get_gas_price().await?;
                let call = queue.minimumFee(gas_limit).from(from).gas(READ_GAS);
                let least = call.max_fee_per_gas(price).call().await?;
                least.saturating_mul(U256::from(2)).saturating_to()
            }
        };
        let call = IL1MessageQueue::sendCall {
            to: to.unwrap_or(from),
            refundTo: refund_to.unwrap_or(from),
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
    pub async fn withdraw(&self, from: Address, message: NewMessage) -> Sent {
        self.require_l2().await?;
        let NewMessage { to, value, data, gas_limit, fee, refund_to } = message;
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
            storageProof: answer.storage_proof.into_iter().flat_map(|it| it.proof).collect(),
        };
        verify_message(state_root, message, &proof)?;
        Ok(proof)
    }

    /// Requests the whole claim of a message from the node, and verifies it like
    /// [`prove`](Self::prove).
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
    /// [`prove_by_node`](Self::prove_by_node): its target gets the value and the call, and
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
        let queue = self.rollup.message_queue;
        if IL1MessageQueue::new(queue, &self.l1).isClaimed(message.index).call().await? {
            return Err(BridgeError::AlreadyClaimed(message.index));
        }
        verify_message(self.state_root(proof.l2Block).await?, message, &proof)?;
        let call = claimCall { message: message.into(), proof, feeRecipient: fee_recipient };
        let request = request(self.rollup.l1_chain_id, from, queue, &call);
        send(&self.l1, request).await
    }

    /// Submits a signed transaction of the L2 on L1: within the rollup's deadline, a block of the L2
    /// has to include it. `fee` is by default twice the minimum; the inbox returns what it does not
    /// need.
    ///
    /// # Errors
    ///
    /// [`BridgeError::WrongChain`] if the transaction is of another chain.
    pub async fn force(&self, from: Address, transaction: Bytes, fee: Option<U256>) -> Sent {
        self.require_l1().await?;
        let signed = TxEnvelope::decode_2718_exact(&transaction).map_err(BridgeError::Malformed)?;
        let got = signed.chain_id().unwrap_or_default();
        require_chain(Layer::L2, got, self.rollup.l2_chain_id)?;
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

    async fn require_l1(&self) -> Result<(), BridgeError> {
        require_chain(Layer::L1, self.l1.get_chain_id().await?, self.rollup.l1_chain_id)
    }

    async fn require_l2(&self) -> Result<(), BridgeError> {
        require_chain(Layer::L2, self.l2.get_chain_id().await?, self.rollup.l2_chain_id)
    }
}

/// Sends a transaction with the estimated gas and a margin.
async fn send(provider: &impl Provider, request: TransactionRequest) -> Sent {
    let gas = provider.estimate_gas(request.clone()).await?;
    let gas = gas.saturating_add(GAS_MARGIN);
    Ok(provider.send_transaction(request.gas_limit(gas)).await?)
}

/// Returns a call that only a node of this chain executes.
fn request(chain: u64, from: Address, to: Address, call: &impl SolCall) -> TransactionRequest {
    let mut request = TransactionRequest::default().from(from).to(to);
    request.chain_id = Some(chain);
    request.input(call.abi_encode().into())
}

const fn require_chain(layer: Layer, got: u64, expected: u64) -> Result<(), BridgeError> {
    if got == expected { Ok(()) } else { Err(BridgeError::WrongChain { layer, got, expected }) }
}

fn require_same(what: &'static str, got: Address, expected: Address) -> Result<(), BridgeError> {
    if got == expected { Ok(()) } else { Err(BridgeError::WrongRollup { what, got, expected }) }
}
