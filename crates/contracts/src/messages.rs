//! Messages between L1 and L2, as `contracts/messaging/Messages.sol` defines them.

use crate::bindings::{
    IL1Anchor,
    IL1MessageQueue::{self, MessageSent},
    IL2Accounts::AccountMessage,
    IL2Messenger,
    INativeRollup::{AnchorUpdate, Checkpoint},
};
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolEvent as _, SolValue};

/// A message on its way from L1 to L2 or back. The fields and the hash are the same both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Sender.
    pub sender: Address,
    /// The contract or account on the other side.
    pub to: Address,
    /// Account that may take the value back if delivery fails.
    pub refund_to: Address,
    /// Wei for the target.
    pub value: u128,
    /// Wei for the relayer.
    pub fee: u128,
    /// Gas that the target gets at least.
    pub gas_limit: u32,
    /// Number of the message, counted from zero.
    pub index: u64,
    /// Calldata for the target.
    pub data: Bytes,
}

/// The message of an event: both chains emit the same, by types of their own.
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
    /// Bytes of a packed message without its data.
    pub const PACKED_HEADER: usize = 100;

    /// The message of a `MessageSent` event.
    ///
    /// `None` if the gas limit does not fit 32 bits, which the queue lets no message have.
    pub fn from_event(event: &MessageSent) -> Option<Self> {
        message_of!(event)
    }

    /// The message of an event of `L2Messenger`, which is on its way to L1.
    ///
    /// `None` if the gas limit does not fit 32 bits, which the messenger lets no message have.
    pub fn from_l2_event(event: &IL2Messenger::MessageSent) -> Option<Self> {
        message_of!(event)
    }

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

    /// Appends the message as `L2Messenger.relay` reads it.
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

/// A message as `L2Accounts.force` takes it.
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

/// A message as `L1MessageQueue.claim` takes it.
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
    /// Appends the message as `L2Messenger.relay` reads one that is to be parked.
    pub fn pack_parked(&self, out: &mut Vec<u8>) {
        let header = out.len();
        self.pack(out);
        out.truncate(header + Self::PACKED_HEADER - 4);
        out.extend_from_slice(&(1_u32 << 31).to_be_bytes());
        out.extend_from_slice(keccak256(&self.data).as_slice());
    }
}

/// The messages that these logs of L1 say were sent through the queue at `message_queue`, in order.
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

/// Slot of `L2Messenger` that holds the hash of the message to L1 with this number.
pub fn sent_slot(index: u64) -> U256 {
    const SENT_SLOT: u64 = 4;
    keccak256((U256::from(index), U256::from(SENT_SLOT)).abi_encode()).into()
}

/// Slot of `L2Messenger` that says whether the message from L1 with this hash has failed (1) or is
/// parked (2).
pub fn kept_slot(message_hash: B256) -> U256 {
    const KEPT_SLOT: u64 = 2;
    keccak256((message_hash, U256::from(KEPT_SLOT)).abi_encode()).into()
}

/// Messages one after another, as `L2Messenger.relay` takes them.
pub fn pack(messages: &[Message]) -> Bytes {
    let mut batch = Vec::new();
    for message in messages {
        message.pack(&mut batch);
    }
    batch.into()
}

/// Rolling hash after one more message; it starts at zero.
pub fn extend(root: B256, message_hash: B256) -> B256 {
    keccak256([root.0, message_hash.0].concat())
}

/// Content of an L2 block's `parent_beacon_block_root`: its view of L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// An L1 block.
    pub l1_block_number: u64,
    /// Its hash.
    pub l1_block_hash: B256,
    /// Number of messages sent by its end, among those that the L2 may relay.
    pub message_count: u64,
    /// Rolling hash over them.
    pub message_root: B256,
}

impl Anchor {
    /// `keccak256(abi.encode(l1BlockNumber, l1BlockHash, messageCount, messageRoot))`.
    pub fn hash(&self) -> B256 {
        let fields = (
            U256::from(self.l1_block_number),
            self.l1_block_hash,
            U256::from(self.message_count),
            self.message_root,
        );
        keccak256(fields.abi_encode())
    }

    /// The call that makes it known on the L2.
    pub const fn prove_call(&self) -> IL1Anchor::proveCall {
        IL1Anchor::proveCall {
            anchor: IL1Anchor::Anchor {
                l1BlockNumber: self.l1_block_number,
                l1BlockHash: self.l1_block_hash,
                messageCount: self.message_count,
                messageRoot: self.message_root,
            },
        }
    }

    /// The anchor of a call of [`Self::prove_call`].
    pub const fn of_call(call: &IL1Anchor::proveCall) -> Self {
        let IL1Anchor::Anchor { l1BlockNumber, l1BlockHash, messageCount, messageRoot } =
            call.anchor;
        Self {
            l1_block_number: l1BlockNumber,
            l1_block_hash: l1BlockHash,
            message_count: messageCount,
            message_root: messageRoot,
        }
    }

    /// Returns the anchor's argument of `advance` for the block at `index`; `checkpoint` is the
    /// state of the queue that the anchor names.
    pub const fn update(&self, index: u64, checkpoint: &Checkpoint) -> AnchorUpdate {
        AnchorUpdate {
            index,
            l1BlockNumber: self.l1_block_number,
            messageCount: self.message_count,
            messageRoot: self.message_root,
            checkpointId: checkpoint.id,
            checkpointBlock: checkpoint.l1Block,
            checkpointTimestamp: checkpoint.timestamp,
        }
    }
}
