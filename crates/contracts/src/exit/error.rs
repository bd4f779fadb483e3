//! Errors of exits.

use crate::Unproven;
use alloy_primitives::{Address, B256, U256};

/// Reason why an exit cannot pay, or why a proof is not sufficient.
#[derive(Debug, thiserror::Error)]
pub enum ExitError {
    /// The nodes do not prove an account.
    #[error("the nodes do not prove the account {address}: {reason}")]
    Account {
        /// The account.
        address: Address,
        /// Reason.
        reason: Unproven,
    },
    /// The nodes do not prove a storage slot.
    #[error("the nodes do not prove slot {slot:#x} of {address}: {reason}")]
    Slot {
        /// The account.
        address: Address,
        /// The slot.
        slot: U256,
        /// Reason.
        reason: Unproven,
    },
    /// The proof is of other slots.
    #[error("the proof of {address} has {got} slots, expected {expected}")]
    Slots {
        /// The account.
        address: Address,
        /// Number of proven slots.
        got: usize,
        /// Expected number.
        expected: usize,
    },
    /// The code does not have the hash in the proven account.
    #[error("the code of {address} has the hash {got}, expected {expected}")]
    Code {
        /// The account.
        address: Address,
        /// Hash of the code.
        got: B256,
        /// Hash in the account.
        expected: B256,
    },
    /// The account has nothing to be paid.
    #[error("{0} has no ETH on the L2")]
    NothingOwed(Address),
    /// The account is not the alias account of this L1 account.
    #[error("{got} is not the alias account of {l1_account}, which is {expected}")]
    OtherAlias {
        /// The L1 account.
        l1_account: Address,
        /// The L2 account.
        got: Address,
        /// Alias account of the L1 account.
        expected: Address,
    },
    /// The account is the alias account of an L1 account that was not named.
    #[error(
        "{address} is an alias account with {balance} wei, which are paid only to its L1 contract: \
         name that contract"
    )]
    UnnamedAlias {
        /// The alias account.
        address: Address,
        /// Its balance in wei.
        balance: U256,
    },
    /// The account is a contract of the L2.
    #[error(
        "{address} is a contract of the L2 with {balance} wei and code hash {code_hash}: L1 cannot \
         know who owns the ETH and tokens of contracts, so they stay in the escrow"
    )]
    Contract {
        /// The contract.
        address: Address,
        /// Its balance in wei.
        balance: U256,
        /// Hash of its code.
        code_hash: B256,
    },
    /// The account is not a contract of the L2, so its owner may control the same address on L1.
    #[error("{0} is no contract of the L2: its owner can be paid at the same address on L1")]
    NotContract(Address),
    /// The message is not a deposit of this token bridge.
    #[error("message {index} is no deposit of tokens: it is from {sender} to {to}")]
    NotDeposit {
        /// Index of the message.
        index: u64,
        /// Its sender.
        sender: Address,
        /// Its target.
        to: Address,
    },
    /// The queue has another message at this position.
    #[error("the message after {expected} others has index {got}")]
    MessageOrder {
        /// Index of the message.
        got: u64,
        /// Number of messages before it.
        expected: u64,
    },
    /// No such message was sent.
    #[error("there is no message {index}: {count} were sent to the L2")]
    NoMessage {
        /// Requested index.
        index: u64,
        /// Number of sent messages.
        count: u64,
    },
    /// The L2 has delivered the message, or paid its value.
    #[error(
        "the L2 has relayed message {index}, as the first {relayed}, and keeps nothing of it: its \
         ETH belongs to accounts of the L2"
    )]
    Relayed {
        /// Index of the message.
        index: u64,
        /// Number of relayed messages.
        relayed: u64,
    },
    /// The messenger has a status that no contract of this version writes.
    #[error("message {index} has the unknown status {status}")]
    UnknownStatus {
        /// Index of the message.
        index: u64,
        /// Value of the messenger's slot.
        status: U256,
    },
    /// The account has no units of the token.
    #[error("{account} has no units of the token {token} on the L2")]
    NoTokens {
        /// The account.
        account: Address,
        /// The token on the L2.
        token: Address,
    },
}
