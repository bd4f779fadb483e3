//! Messages between L1 and L2, as `contracts/messaging/Messages.sol` defines them.

use crate::bindings::{
    IL1MessageQueue::{self, MessageSent},
    IL2Accounts::AccountMessage,
    IL2Messenger,
};
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, keccak256};
use alloy_sol_types::{SolEvent as _, SolValue};

/// `L2Messenger`: delivers L1→L2 messages, and holds all ETH that has not been deposited to the L2.
pub const L2_MESSENGER: Address = address!("0x8079000000000000000000000000000000000002");

/// A message from L1 to L2 or from L2 to L1. Both directions have the same fields and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Account that sent the message.
    pub sender: Address,
    /// Target account or contract on the other chain.
    pub to: Address,
    /// Account that may reclaim the value if delivery fails.
    pub refund_to: Address,
    /// Value for the target, in wei.
    pub value: u128,
    /// Fee for the relayer, in wei.
    pub fee: u128,
    /// Minimum gas for the call to the target.
    pub gas_limit: u32,
    /// Number of the message, counted from zero.
    pub index: u64,
    /// Calldata for the target.
    pub data: Bytes,
}

/// Converts a `MessageSent` event to a message. Both chains emit the same event, with distinct
/// types in Rust.
macro_rules! message_of {
    ($event:expr) => {
        Some(Message {
            sender: $event.sender,
            to: $event.to,
            refund_to: $event.refundTo,
            value: $event.value,
            fee: $event.fee,
            gas_limit: $event.gasLimit.try_into().ok()?,
            index: $event.index,
            data: $event.data.clone(),
        })
    };
}

impl Message {
    /// Length of a packed message without its data, in bytes.
    pub const PACKED_HEADER: usize = 100;

    /// Creates the message from a `MessageSent` event of `L1MessageQueue`.
    ///
    /// `None` if the gas limit does not fit in 32 bits, which the queue does not allow.
    pub fn from_event(event: &MessageSent) -> Option<Self> {
        message_of!(event)
    }

    /// Creates the L2→L1 message from a `MessageSent` event of `L2Messenger`.
    ///
    /// `None` if the gas limit does not fit in 32 bits, which the messenger does not allow.
    pub fn from_l2_event(event: &IL2Messenger::MessageSent) -> Option<Self> {
        message_of!(event)
    }

    /// Creates the message from an argument of `L1MessageQueue.claim`.
    ///
    /// `None` if the gas limit does not fit in 32 bits, which no message has.
    pub fn from_call(message: &IL1MessageQueue::Message) -> Option<Self> {
        message_of!(message)
    }

    /// Returns
    /// `keccak256(abi.encode(sender, to, refundTo, value, fee, gasLimit, index, keccak256(data)))`.
    pub fn hash(&self) -> B256 {
        let fields = (
            self.sender,
            self.to,
            self.refund_to,
            U256::from(self.value),
            U256::from(self.fee),
            U256::from(self.gas_limit),
            U256::from(self.index),
            keccak256(&self.data),
        );
        keccak256(fields.abi_encode())
    }

    /// Appends the message in the packed format of `L2Messenger.relay`.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.sender.as_slice());
        out.extend_from_slice(self.to.as_slice());
        out.extend_from_slice(self.refund_to.as_slice());
        out.extend_from_slice(&self.value.to_be_bytes());
        out.extend_from_slice(&self.fee.to_be_bytes());
        out.extend_from_slice(&self.gas_limit.to_be_bytes());
        let length = u32::try_from(self.data.len()).expect("the queue limits data far below 4 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.data);
    }
}

/// The message argument of `L2Accounts.force`.
impl From<&Message> for AccountMessage {
    fn from(message: &Message) -> Self {
        Self {
            sender: message.sender,
            to: message.to,
            refundTo: message.refund_to,
            value: message.value,
            fee: message.fee,
            gasLimit: message.gas_limit.into(),
            index: message.index,
            data: message.data.clone(),
        }
    }
}

/// The message argument of `L1MessageQueue.claim`.
impl From<&Message> for IL1MessageQueue::Message {
    fn from(message: &Message) -> Self {
        Self {
            sender: message.sender,
            to: message.to,
            refundTo: message.refund_to,
            value: message.value,
            fee: message.fee,
            gasLimit: message.gas_limit.into(),
            index: message.index,
            data: message.data.clone(),
        }
    }
}

impl Message {
    /// Appends the message in the packed format of `L2Messenger.relay` for a message to be parked.
    pub fn pack_parked(&self, out: &mut Vec<u8>) {
        let header = out.len();
        self.pack(out);
        out.truncate(header + Self::PACKED_HEADER - 4);
        out.extend_from_slice(&(1_u32 << 31).to_be_bytes());
        out.extend_from_slice(keccak256(&self.data).as_slice());
    }
}

/// Returns the messages that the queue at `message_queue` has emitted in these L1 logs, in order.
pub fn sent_in<'l>(
    message_queue: Address,
    logs: impl IntoIterator<Item = &'l Log>,
) -> Vec<Message> {
    logs.into_iter()
        .filter(|log| log.address == message_queue)
        .filter_map(|log| MessageSent::decode_log(log).ok())
        .filter_map(|event| Message::from_event(&event))
        .collect()
}

/// Returns the storage slot of `L2Messenger` with the hash of the L2→L1 message with this number.
pub fn sent_slot(index: u64) -> U256 {
    const SENT_SLOT: u64 = 4;
    keccak256((U256::from(index), U256::from(SENT_SLOT)).abi_encode()).into()
}

/// Returns the storage slot of `L2Messenger` with the status of the L1→L2 message with this hash: 1
/// if its delivery failed, 2 if it is parked.
pub fn kept_slot(message_hash: B256) -> U256 {
    const KEPT_SLOT: u64 = 2;
    keccak256((message_hash, U256::from(KEPT_SLOT)).abi_encode()).into()
}

/// Concatenates messages in the packed format of `L2Messenger.relay`.
pub fn pack(messages: &[Message]) -> Bytes {
    let mut batch = Vec::new();
    for message in messages {
        message.pack(&mut batch);
    }
    batch.into()
}

/// Returns the rolling hash after one more message; it starts at zero.
pub fn extend(root: B256, message_hash: B256) -> B256 {
    keccak256([root.0, message_hash.0].concat())
}
