//! L1 inputs of the next L2 block: an anchor, and the messages up to it.

use crate::{Signer, SignerError, l1::L1View, l2::contracts::proven_anchor};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use chain::{Block, RecoveredTransaction};
use contracts::{
    Anchor, L1_ANCHOR, L2_MESSENGER, Message,
    bindings::IL2Messenger,
    capacity::{AHEAD, RELAYS},
    pack,
};
use std::time::Duration;
use wire::ProtocolFork;

/// Gas of each hash in `addWaypoint`.
const HASH_GAS: u64 = 3_000;
/// Maximum sum of the gas of a block's relayed messages, by their gas limits.
const RELAYS_GAS: u64 = 6_000_000;
/// Maximum bytes of a block's relayed messages, packed.
const RELAYS_BYTES: usize = 24_000;

/// Maximum wait for a signature of the operator while a block is built. After it the block is built
/// without L1 inputs, and a later block includes them.
const SIGNING_TIME: Duration = Duration::from_millis(50);

/// Gas limits of a block's system transactions, by the gas rules of a fork.
#[derive(Debug)]
pub(crate) struct SystemTransactionGas {
    /// `L1Anchor.prove`.
    prove: u64,
    /// Fixed part of `L2Messenger.relay` and `addWaypoint`.
    relay: u64,
    /// Part of `relay` per message, without its target's gas: hashing, the call, and storing the
    /// message if the call fails.
    message: u64,
}

impl SystemTransactionGas {
    const OSAKA: Self = Self { prove: 300_000, relay: 300_000, message: 250_000 };
    /// Includes 107,920 gas for each new slot and 183,600 for a new account (EIP-8037, EIP-8038).
    const AMSTERDAM: Self = Self { prove: 700_000, relay: 600_000, message: 650_000 };

    pub(crate) fn on(fork: ProtocolFork) -> &'static Self {
        if fork >= ProtocolFork::Amsterdam { &Self::AMSTERDAM } else { &Self::OSAKA }
    }

    fn of(&self, message: &Message, is_parked: bool) -> u64 {
        if is_parked {
            return self.message;
        }
        let asked = u64::from(message.gas_limit);
        // A call receives at most 63/64 of the remaining gas (EIP-150). Each byte of data is paid
        // for as calldata, copied and hashed.
        self.message + asked + asked / 63 + 40 * message.data.len() as u64
    }
}

/// Signs the operator's transactions, which prove anchors and relay messages on the L2.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) key: Signer,
    pub(crate) chain_id: u64,
    /// Next nonce of the account.
    pub(crate) nonce: u64,
    pub(crate) base_fee: u64,
    pub(crate) gas: &'static SystemTransactionGas,
}

/// System transactions, which come first in a block.
#[derive(Debug, Default)]
pub(crate) struct SystemTransactions {
    pub(crate) transactions: Vec<RecoveredTransaction>,
    /// Number of messages relayed after the block.
    pub(crate) relayed: u64,
}

/// Returns the anchor of the next block: the messages sent by the end of this L1 block, up to the
/// limit of one anchor. `None` if the view lacks the header of the L1 block.
pub(crate) fn newest(view: &L1View, l1_block: u64, known_relayed: u64) -> Option<Anchor> {
    let header = view.header(l1_block)?;
    // L1 rejects an anchor that covers more than `AHEAD` messages beyond those proven to be
    // relayed, so a block with it could not be posted.
    let most = known_relayed.saturating_add(AHEAD);
    let checkpoint = view.messages().checkpoint_at(l1_block, most);
    Some(Anchor {
        l1_block_number: header.number,
        l1_block_hash: header.hash,
        message_count: checkpoint.count,
        message_root: checkpoint.root,
    })
}

/// Returns the anchor in the block's header, decoded from the `prove` call of its system
/// transaction; `None` if no transaction proves it.
pub(crate) fn anchor_of(block: &Block) -> Option<Anchor> {
    proven_anchor(&block.header, block.transactions.iter())
}

/// Builds the transactions of a block that prove its anchor, if it has a new one, and relay at most
/// `most` of the pending messages after `relayed`.
///
/// `deferred` returns `true` for messages that are parked without an attempt to call the target.
///
/// # Errors
///
/// [`SignerError`] if the operator's key gives no signature in time.
pub(crate) fn system_transactions(
    view: &L1View,
    operator: &mut Operator,
    anchor: Option<&Anchor>,
    covered: u64,
    relayed: u64,
    most: usize,
    deferred: impl Fn(u64) -> bool,
) -> Result<SystemTransactions, SignerError> {
    let mut system = SystemTransactions { transactions: Vec::new(), relayed };
    let cost = operator.gas;
    if let Some(anchor) = anchor {
        let call = anchor.prove_call();
        system.transactions.push(operator.sign(L1_ANCHOR, call.abi_encode(), cost.prove)?);
    }
    let pending: Vec<&Message> = view.messages().range(relayed, covered).collect();
    let count = how_many(&pending, cost, &deferred).min(most);
    if count == 0 {
        return Ok(system);
    }
    let end = relayed + count as u64;
    if end < covered {
        // A relay must end at the anchor, or at a waypoint before it.
        let hashes: Vec<_> = pending[count..].iter().map(|message| message.hash()).collect();
        let gas = cost.relay + HASH_GAS * hashes.len() as u64;
        let root = view.messages().root_at(end);
        let call = IL2Messenger::addWaypointCall { from: covered, root, hashes };
        system.transactions.push(operator.sign(L2_MESSENGER, call.abi_encode(), gas)?);
    }
    let of = |message: &&Message| cost.of(message, deferred(message.index));
    let gas = cost.relay + pending[..count].iter().map(of).sum::<u64>();
    let messages = packed(&pending[..count], &deferred);
    let call = IL2Messenger::relayCall { messages, feeRecipient: operator.key.address() };
    system.transactions.push(operator.sign(L2_MESSENGER, call.abi_encode(), gas)?);
    system.relayed = end;
    Ok(system)
}

/// Number of pending messages that one block relays.
fn how_many(
    pending: &[&Message],
    cost: &SystemTransactionGas,
    deferred: &impl Fn(u64) -> bool,
) -> usize {
    let (mut gas, mut bytes) = (0, 0);
    let fitting = pending.iter().take_while(|message| {
        let is_parked = deferred(message.index);
        // By the messages' gas limits, since the gas used is known only after execution.
        gas += cost.of(message, is_parked);
        let data = if is_parked { B256::ZERO.len() } else { message.data.len() };
        bytes += Message::PACKED_HEADER + data;
        gas <= RELAYS_GAS && bytes <= RELAYS_BYTES
    });
    // At least as many as an overdue block must relay (`RELAYS`), whatever their limits: the queue
    // delivers in order, so a message above the limits would block it. If they do not fit, fewer
    // are tried, or some are parked.
    fitting.count().max(RELAYS as usize).min(pending.len())
}

fn packed(messages: &[&Message], deferred: &impl Fn(u64) -> bool) -> Bytes {
    let mut out = Vec::new();
    if !messages.iter().any(|message| deferred(message.index)) {
        return pack(&messages.iter().map(|message| (*message).clone()).collect::<Vec<_>>());
    }
    for message in messages {
        if deferred(message.index) { message.pack_parked(&mut out) } else { message.pack(&mut out) }
    }
    out.into()
}

impl Operator {
    fn sign(
        &mut self,
        to: Address,
        input: Vec<u8>,
        gas_limit: u64,
    ) -> Result<RecoveredTransaction, SignerError> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit,
            // Rounded up to a power of two, so that the transaction is the same for the next
            // blocks, whose base fees differ a little, and a late signature can still be used.
            max_fee_per_gas: u128::from(self.base_fee).saturating_mul(2).next_power_of_two(),
            max_priority_fee_per_gas: 0,
            to: to.into(),
            value: U256::ZERO,
            input: input.into(),
            ..Default::default()
        };
        let transaction = self.key.sign_within(transaction, SIGNING_TIME)?;
        // Incremented only after signing, because a nonce gap after a failure of the remote signer
        // would block all later transactions.
        self.nonce += 1;
        Ok(RecoveredTransaction {
            transaction: transaction.into(),
            sender: self.key.address(),
            signed: true,
        })
    }
}
