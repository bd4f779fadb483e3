//! Responses of `rollup_getMessage`, `rollup_getMessages` and `rollup_claimProof`.

#[cfg(feature = "schema")]
use crate::schema;
use crate::{OptionalQuantity, Quantity};
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// Direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Direction {
    /// From L1 to the L2.
    #[serde(rename = "l1ToL2")]
    L1ToL2,
    /// From the L2 to L1.
    #[serde(rename = "l2ToL1")]
    L2ToL1,
}

/// Fields of a message. Both directions have the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Account that sent the message.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub sender: Address,
    /// Target account or contract on the other chain.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub to: Address,
    /// Account that may reclaim the value if the delivery fails, if there is one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub refund_to: Option<Address>,
    /// Value for the target, in wei.
    #[serde(with = "Quantity")]
    pub value: u128,
    /// Fee for the account that delivers it, in wei.
    #[serde(with = "Quantity")]
    pub fee: u128,
    /// Minimum gas for the call of the target.
    #[serde(with = "Quantity")]
    pub gas_limit: u64,
    /// Index of the message, counted from zero.
    #[serde(with = "Quantity")]
    pub index: u64,
    /// Keccak-256 of the calldata for the target.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub data_hash: B256,
    /// Calldata for the target; `None` if only the log on L1 has it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Data>"))]
    pub data: Option<Bytes>,
}

/// State of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum MessageState {
    /// To the L2: on L1 only.
    Sent,
    /// To the L2: covered by the anchor of the newest block.
    Anchored,
    /// To the L2: delivered.
    Relayed,
    /// To the L2: the delivery failed; anyone can retry it.
    Failed,
    /// To the L2: stored without a delivery attempt; anyone can deliver it.
    Parked,
    /// Cancelled, and its value paid out.
    Refunded,
    /// To L1: its L2 block is not on L1.
    Unsafe,
    /// To L1: anyone can claim it.
    Claimable,
    /// To L1: delivered.
    Claimed,
    /// To L1: its L2 block is on L1, and a guardian pauses the queue. A claim that calls no
    /// contract may still be possible.
    Delayed,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// Transaction that sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sent {
    /// Number of the block, of L1 for a message to the L2, else of the L2.
    #[serde(with = "Quantity")]
    pub block: u64,
    /// Hash of the transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub transaction: B256,
    /// Timestamp of the block.
    #[serde(with = "Quantity")]
    pub timestamp: u64,
}

/// L2 transaction that last handled a message from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delivered {
    /// Number of the L2 block.
    #[serde(with = "Quantity")]
    pub block: u64,
    /// Hash of the L2 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub transaction: B256,
}

/// Failure of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// First bytes of the data that the target returned.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
    pub reason: Bytes,
}

/// L1 transaction that claimed or refunded a message to L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Number of the L1 block.
    #[serde(with = "Quantity")]
    pub l1_block: u64,
    /// Hash of the L1 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub l1_transaction: B256,
}

/// A message and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageInfo {
    /// Direction of the message.
    pub direction: Direction,
    /// Index of the message, counted from zero in each direction.
    #[serde(with = "Quantity")]
    pub index: u64,
    /// The message.
    pub message: Message,
    /// Hash of the message, as the contracts compute it.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub message_hash: B256,
    /// State of the message.
    pub state: MessageState,
    /// Transaction that sent it.
    pub sent: Sent,
    /// Timestamp of an L2 block by which a message to the L2 must be relayed.
    #[serde(with = "OptionalQuantity")]
    pub deadline: Option<u64>,
    /// Transaction that relayed, parked, retried or refunded a message to the L2.
    pub delivered: Option<Delivered>,
    /// Why the delivery failed, of a [failed](MessageState::Failed) message.
    pub failure: Option<Failure>,
    /// Transaction that claimed or refunded a message to L1.
    pub claim: Option<Claim>,
    /// `true` if no reorganisation of blocks that are not final on L1 can undo the state.
    pub finalized: bool,
}

/// Selection of messages for a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageFilter {
    /// Lists messages of which this account is the sender, the target or the refund account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub account: Option<Address>,
    /// Lists indexes below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Quantity>,
    /// Maximum number of entries, from 1 to 100; 25 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
}

/// A page of messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<MessageInfo>,
    /// Value of `before` for the next page; `None` after the last one. A page may be short, or
    /// empty, although more follow.
    #[serde(with = "OptionalQuantity")]
    pub next: Option<u64>,
}

/// Call that claims a message to L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClaimProof {
    /// Contract on L1 to call.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub to: Address,
    /// Calldata of the call.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
    pub data: Bytes,
    /// The message.
    pub message: Message,
    /// L2 block whose state proves the message.
    #[serde(with = "Quantity")]
    pub l2_block: u64,
    /// State root of that block.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub state_root: B256,
    /// Last L2 block as head of L1 with which L1 still has that state root.
    #[serde(with = "Quantity")]
    pub valid_until_block: u64,
}
