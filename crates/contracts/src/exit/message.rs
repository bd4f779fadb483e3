//! ETH of messages to the L2.

use super::{
    ExitError, FoundMessage,
    closing::{RELAYED_SLOT, relayed},
    proven,
};
use crate::{
    L2_MESSENGER, Message, alias_account,
    bindings::{
        IL1MessageQueue,
        IRollupExit::{returnKeptCall, returnMessageCall},
    },
    kept_slot,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use chain::AccountProof;

/// Status of a message in the last state of the L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageStatus {
    /// The L2 has not relayed it.
    Unrelayed,
    /// The L2 keeps it, because its delivery failed. Its relayer has received the fee.
    Failed,
    /// The L2 keeps it without an attempt to deliver it.
    Parked,
}

/// Payment of a message's ETH on L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReturn {
    /// Index of the message.
    pub index: u64,
    /// Its status.
    pub status: MessageStatus,
    /// L1 account that is paid.
    pub recipient: Address,
    /// Sender of the message. Only it and the recipient may call.
    pub sender: Address,
    /// Amount in wei.
    pub amount: U256,
    /// Calldata of `RollupExit.returnMessage` or `returnKept`.
    pub calldata: Bytes,
}

/// Returns the slots of `L2_MESSENGER` whose proof [`MessageReturn::new`] needs for this message.
pub fn messenger_slots(message: &Message) -> [U256; 2] {
    [RELAYED_SLOT, kept_slot(message.hash())]
}

impl MessageReturn {
    /// Returns the payment of a message. The proof is for `L2_MESSENGER` and the
    /// [slots](messenger_slots) of the message.
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the nodes do not prove exactly that, or if the message cannot be returned.
    pub fn new(
        state_root: B256,
        found: &FoundMessage,
        proof: &AccountProof,
    ) -> Result<Self, ExitError> {
        let message = &found.message;
        let index = message.index;
        let storage_root = proven::account(state_root, L2_MESSENGER, &proof.nodes)?.storage_root;
        let slots = messenger_slots(message);
        let [count, kept] = proven::slots(L2_MESSENGER, storage_root, slots, proof)?;
        let relayed = relayed(count);
        let status = match kept {
            _ if index >= relayed => MessageStatus::Unrelayed,
            U256::ZERO => return Err(ExitError::Relayed { index, relayed }),
            U256::ONE => MessageStatus::Failed,
            TWO => MessageStatus::Parked,
            status => return Err(ExitError::UnknownStatus { index, status }),
        };
        let (sender, refund_to) = (message.sender, message.refund_to);
        // Nobody controls the zero address, nor that of an alias account on L1.
        let is_lost = refund_to.is_zero() || refund_to == alias_account(sender);
        let recipient = if is_lost { sender } else { refund_to };
        let fee = if status == MessageStatus::Failed { 0 } else { message.fee };
        let amount = U256::from(message.value) + U256::from(fee);
        let argument = IL1MessageQueue::Message::from(message).into();
        let calldata = if status == MessageStatus::Unrelayed {
            let call = returnMessageCall {
                message: argument,
                before: found.before.clone().into(),
                next: found.next.clone().into(),
                hashes: found.hashes.clone(),
            };
            call.abi_encode()
        } else {
            let storage_proof = proof.slots[1].nodes.clone();
            returnKeptCall { message: argument, storageProof: storage_proof }.abi_encode()
        };
        Ok(Self { index, status, recipient, sender, amount, calldata: calldata.into() })
    }
}

/// `Messages.STATUS_PARKED`.
const TWO: U256 = U256::from_limbs([2, 0, 0, 0]);
