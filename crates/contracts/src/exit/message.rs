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
        IRollupExit::{reclaimKeptCall, reclaimMessageCall, returnKeptCall, returnMessageCall},
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
    /// The delivery failed, and the L2 stores the message. The relayer has received the fee.
    Failed,
    /// The L2 stores the message without having attempted its delivery.
    Parked,
}

/// A message to the L2 that is proven undelivered in the last state.
#[derive(Debug, Clone)]
pub(super) struct Undelivered<'f> {
    pub(super) found: &'f FoundMessage,
    pub(super) status: MessageStatus,
    /// Proof of the messenger's slot for a message that the L2 keeps.
    pub(super) storage_proof: Vec<Bytes>,
}

impl<'f> Undelivered<'f> {
    /// Reads the status of a message. The proof is for `L2_MESSENGER` and the
    /// [slots](messenger_slots) of the message.
    pub(super) fn prove(
        state_root: B256,
        found: &'f FoundMessage,
        proof: &AccountProof,
    ) -> Result<Self, ExitError> {
        let index = found.message.index;
        let storage_root = proven::account(state_root, L2_MESSENGER, &proof.nodes)?.storage_root;
        let slots = messenger_slots(&found.message);
        let [count, kept] = proven::slots(L2_MESSENGER, storage_root, slots, proof)?;
        let relayed = relayed(count);
        let status = match kept {
            _ if index >= relayed => MessageStatus::Unrelayed,
            U256::ZERO => return Err(ExitError::Relayed { index, relayed }),
            U256::ONE => MessageStatus::Failed,
            TWO => MessageStatus::Parked,
            status => return Err(ExitError::UnknownStatus { index, status }),
        };
        let storage_proof = proof.slots.last().map(|slot| slot.nodes.clone()).unwrap_or_default();
        Ok(Self { found, status, storage_proof })
    }

    /// Returns the fee that the relayer has not received, in wei.
    pub(super) const fn fee(&self) -> u128 {
        match self.status {
            MessageStatus::Failed => 0,
            MessageStatus::Unrelayed | MessageStatus::Parked => self.found.message.fee,
        }
    }

    /// Returns value and fee in wei.
    fn amount(&self) -> U256 {
        U256::from(self.found.message.value) + U256::from(self.fee())
    }

    /// Returns the payment of the message by a call of one of these accounts.
    fn paid(
        &self,
        recipient: Address,
        mut callers: Vec<Address>,
        calldata: Vec<u8>,
    ) -> MessageReturn {
        callers.dedup();
        MessageReturn {
            index: self.found.message.index,
            status: self.status,
            recipient,
            sender: self.found.message.sender,
            callers,
            amount: self.amount(),
            calldata: calldata.into(),
        }
    }
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
    /// Sender of the message.
    pub sender: Address,
    /// L1 accounts that may call.
    pub callers: Vec<Address>,
    /// Amount in wei.
    pub amount: U256,
    /// Calldata of `RollupExit.returnMessage`, `returnKept`, `reclaimMessage` or `reclaimKept`.
    pub calldata: Bytes,
}

/// Returns the slots of `L2_MESSENGER` whose proof [`MessageReturn::new`] needs for this message.
pub fn messenger_slots(message: &Message) -> [U256; 2] {
    [RELAYED_SLOT, kept_slot(message.hash())]
}

impl MessageReturn {
    /// Returns the payment of a message to its refund account. The proof is for `L2_MESSENGER` and
    /// the [slots](messenger_slots) of the message.
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the nodes do not prove exactly that, or if the message cannot be returned.
    pub fn new(
        state_root: B256,
        found: &FoundMessage,
        proof: &AccountProof,
    ) -> Result<Self, ExitError> {
        let undelivered = Undelivered::prove(state_root, found, proof)?;
        let (sender, refund_to) = (found.message.sender, found.message.refund_to);
        let recipient = refund_recipient(sender, refund_to);
        let message = IL1MessageQueue::Message::from(&found.message).into();
        let calldata = match undelivered.status {
            MessageStatus::Unrelayed => returnMessageCall {
                message,
                before: found.before.clone().into(),
                next: found.next.clone().into(),
                hashes: found.hashes.clone(),
            }
            .abi_encode(),
            MessageStatus::Failed | MessageStatus::Parked => {
                returnKeptCall { message, storageProof: undelivered.storage_proof.clone() }
                    .abi_encode()
            }
        };
        Ok(undelivered.paid(recipient, vec![recipient, sender], calldata))
    }

    /// Returns the payment of a message whose refund account is a contract of the L2 to `to`, which
    /// its sender chooses. `refund` are the proof of the refund account and its code.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and [`ExitError::NotContract`] if the refund account is not a contract.
    pub fn reclaim(
        state_root: B256,
        found: &FoundMessage,
        proof: &AccountProof,
        to: Address,
        refund: (AccountProof, Bytes),
    ) -> Result<Self, ExitError> {
        let undelivered = Undelivered::prove(state_root, found, proof)?;
        let refund_to = found.message.refund_to;
        let (refund_proof, is_contract) = proven::code(state_root, refund_to, refund)?;
        if !is_contract {
            // The call would succeed without a payment.
            return Err(ExitError::NotContract(refund_to));
        }
        let message = IL1MessageQueue::Message::from(&found.message).into();
        let calldata = match undelivered.status {
            MessageStatus::Unrelayed => reclaimMessageCall {
                message,
                before: found.before.clone().into(),
                next: found.next.clone().into(),
                hashes: found.hashes.clone(),
                to,
                refundProof: refund_proof,
            }
            .abi_encode(),
            MessageStatus::Failed | MessageStatus::Parked => reclaimKeptCall {
                message,
                storageProof: undelivered.storage_proof.clone(),
                to,
                refundProof: refund_proof,
            }
            .abi_encode(),
        };
        Ok(undelivered.paid(to, vec![found.message.sender], calldata))
    }

    /// Returns the payment to the L1 account whose alias account the refund account is. It must
    /// send the calldata itself.
    ///
    /// # Errors
    ///
    /// [`ExitError::OtherAlias`] if the message is not returned to its alias account.
    pub fn to_alias_owner(mut self, l1_account: Address) -> Result<Self, ExitError> {
        self.recipient = alias_owner(self.recipient, l1_account)?;
        self.callers = vec![l1_account];
        Ok(self)
    }
}

/// Returns the L1 account if it is paid for this recipient: its alias account, or itself.
pub(super) fn alias_owner(recipient: Address, l1_account: Address) -> Result<Address, ExitError> {
    let expected = alias_account(l1_account);
    if recipient != expected && recipient != l1_account {
        return Err(ExitError::OtherAlias { l1_account, got: recipient, expected });
    }
    Ok(l1_account)
}

/// Returns the L1 account that is paid for a refund account of the L2.
pub(super) fn refund_recipient(sender: Address, refund_to: Address) -> Address {
    // No key controls the zero address or the address of an alias account on L1.
    let is_lost = refund_to.is_zero() || refund_to == alias_account(sender);
    if is_lost { sender } else { refund_to }
}

/// `Messages.STATUS_PARKED`.
const TWO: U256 = U256::from_limbs([2, 0, 0, 0]);
