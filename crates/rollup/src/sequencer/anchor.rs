//! L1 inputs of the next L2 block: an anchor and the messages that it covers.

use crate::{
    Signer, SignerError,
    l1::L1View,
    l2::contracts::{covered_by, proven_anchor, relayed_after},
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, ChainReader, RecoveredTransaction};
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
/// Maximum length of a block's relayed messages in packed encoding, in bytes.
const RELAYS_BYTES: usize = 24_000;

/// Maximum wait for a signature of the operator while a block is built. Beyond it, the block is
/// built without L1 inputs, which a later block includes.
const SIGNING_TIME: Duration = Duration::from_millis(50);

/// Gas limits of a block's system transactions, by the gas rules of a fork.
#[derive(Debug)]
struct SystemTransactionGas {
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

    fn on(fork: ProtocolFork) -> &'static Self {
        if fork >= ProtocolFork::Amsterdam { &Self::AMSTERDAM } else { &Self::OSAKA }
    }

    fn of(&self, message: &Message, is_parked: bool) -> u64 {
        if is_parked {
            return self.message;
        }
        let gas_limit = u64::from(message.gas_limit);
        // A call receives at most 63/64 of the remaining gas (EIP-150). Each byte of data is
        // charged as calldata, for the copy and for the hash.
        self.message + gas_limit + gas_limit / 63 + 40 * message.data.len() as u64
    }
}

/// The operator, which signs the transactions that prove anchors and relay messages on the L2.
#[derive(Debug)]
pub(super) struct Operator {
    key: Signer,
    chain_id: u64,
    /// Next nonce of the account.
    nonce: u64,
    base_fee: u64,
    gas: &'static SystemTransactionGas,
}

/// System transactions, which come first in a block.
#[derive(Debug, Default)]
pub(super) struct SystemTransactions {
    pub(super) transactions: Vec<RecoveredTransaction>,
    /// Number of messages relayed after the block.
    pub(super) relayed: u64,
}

/// Returns the anchor of the next block, which covers the messages sent by the end of this L1
/// block, up to the limit of one anchor. `None` if the view lacks the header of the L1 block.
fn newest(view: &L1View, l1_block: u64, known_relayed: u64) -> Option<Anchor> {
    let header = view.header(l1_block)?;
    // L1 rejects a block whose anchor covers more than `AHEAD` messages beyond those proven to be
    // relayed.
    let max_messages = known_relayed.saturating_add(AHEAD);
    let checkpoint = view.messages().checkpoint_at(l1_block, max_messages);
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

/// Returns `true` if L1's canonical chain still contains the anchor block and its messages.
pub(crate) fn is_nameable(view: &L1View, anchor: &Anchor) -> bool {
    let messages = view.messages();
    view.is_canonical(anchor.l1_block_number, anchor.l1_block_hash)
        && messages.checkpoint_of(anchor.message_count).is_some()
        && messages.root_at(anchor.message_count) == anchor.message_root
}

/// L1 inputs of the next block.
#[derive(Debug)]
pub(super) struct L1Inputs {
    /// New anchor, if there is one.
    pub(super) anchor: Option<Anchor>,
    /// Number of messages that the block's anchor covers.
    pub(super) covered: u64,
    /// Number of messages relayed before the block.
    pub(super) relayed: u64,
    /// `true` if the block replaces a promised one, and contradicts it without a new anchor.
    pub(super) needs_anchor: bool,
}

impl L1Inputs {
    /// Returns the L1 inputs of the block after the chain's head. It has a new anchor if there are
    /// newer messages and the last anchor covers fewer than an overdue block must relay
    /// ([`RELAYS`]), or if it replaces a promised block, in which case the anchor must name the L1
    /// block `min_anchor` or a later one. `known_relayed` messages are proven to be relayed.
    ///
    /// L1 rejects an anchor that names an earlier L1 block than `in_force`, that of the rollup's
    /// head. The L2 state may not have that number: a block of another account need not prove its
    /// anchor there.
    pub(super) fn next(
        view: &L1View,
        chain: &ChainReader,
        confirmations: u64,
        known_relayed: u64,
        in_force: u64,
        min_anchor: u64,
    ) -> Result<Self, ChainError> {
        let head = chain.head();
        // Read from the L2 state, since another node may have built the last blocks.
        let (relayed, covered) = (relayed_after(chain, head)?, covered_by(chain, head)?);
        let named = view.head().and_then(|head| head.number.checked_sub(confirmations));
        let anchor = named
            .filter(|_| min_anchor > 0 || covered.saturating_sub(relayed) < RELAYS)
            .and_then(|named| newest(view, named.max(min_anchor).max(in_force), known_relayed))
            .filter(|anchor| {
                let count = anchor.message_count;
                count > covered || min_anchor > 0 && count == covered
            });
        let covered = anchor.as_ref().map_or(covered, |anchor| anchor.message_count);
        Ok(Self { anchor, covered, relayed, needs_anchor: min_anchor > 0 })
    }

    /// Leaves the L1 inputs to a later block, except an anchor that this one needs.
    pub(super) const fn leave_out(&mut self) {
        if !self.needs_anchor {
            self.anchor = None;
        }
        self.covered = self.relayed;
    }

    /// Builds the transactions of the block that prove its anchor, if it has a new one, and relay
    /// at most `limit` of the pending messages.
    ///
    /// `deferred` returns `true` for messages that are parked without an attempt to call the
    /// target.
    ///
    /// # Errors
    ///
    /// [`SignerError`] if the operator's key returns no signature in time.
    pub(super) fn transactions(
        &self,
        view: &L1View,
        operator: &mut Operator,
        limit: usize,
        deferred: impl Fn(u64) -> bool,
    ) -> Result<SystemTransactions, SignerError> {
        let Self { relayed, covered, .. } = *self;
        let mut system = SystemTransactions { transactions: Vec::new(), relayed };
        let cost = operator.gas;
        if let Some(anchor) = &self.anchor {
            let call = anchor.prove_call();
            system.transactions.push(operator.sign(L1_ANCHOR, call.abi_encode(), cost.prove)?);
        }
        let pending: Vec<&Message> = view.messages().range(relayed, covered).collect();
        let count = relay_count(&pending, cost, &deferred).min(limit);
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
}

/// Returns the number of pending messages that a block relays.
fn relay_count(
    pending: &[&Message],
    cost: &SystemTransactionGas,
    deferred: &impl Fn(u64) -> bool,
) -> usize {
    let (mut gas, mut bytes) = (0, 0);
    let fitting = pending.iter().take_while(|message| {
        let is_parked = deferred(message.index);
        // Counts gas limits, since the gas used is only known after execution.
        gas += cost.of(message, is_parked);
        let data = if is_parked { B256::ZERO.len() } else { message.data.len() };
        bytes += Message::PACKED_HEADER + data;
        gas <= RELAYS_GAS && bytes <= RELAYS_BYTES
    });
    // An overdue block must relay at least `RELAYS` messages, even above the limits: the queue
    // delivers in order, so a larger message would block it. If they do not fit, fewer are tried,
    // or some are parked.
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
    /// Returns the operator for the block at `time` after the chain's head.
    pub(super) fn at(key: &Signer, chain: &ChainReader, time: u64) -> Result<Self, ChainError> {
        let spec = &chain.config().spec;
        Ok(Self {
            nonce: chain.nonce(key.address())?,
            base_fee: chain.state().next_base_fee()?,
            chain_id: spec.chain_id(),
            key: key.clone(),
            gas: SystemTransactionGas::on(spec.fork_at(time).unwrap_or(ProtocolFork::Amsterdam)),
        })
    }

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
            // blocks, whose base fees differ slightly. A late signature can then still be used.
            max_fee_per_gas: u128::from(self.base_fee).saturating_mul(2).next_power_of_two(),
            max_priority_fee_per_gas: 0,
            to: to.into(),
            value: U256::ZERO,
            input: input.into(),
            ..Default::default()
        };
        let transaction = self.key.sign_within(transaction, SIGNING_TIME)?;
        // Incremented only after signing. If the remote signer fails, a nonce gap would block all
        // later transactions.
        self.nonce += 1;
        Ok(RecoveredTransaction {
            transaction: transaction.into(),
            sender: self.key.address(),
            signed: true,
        })
    }
}
