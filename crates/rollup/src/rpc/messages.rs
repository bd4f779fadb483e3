//! Messages in both directions, and their claims.

use super::{
    RollupApi,
    error::evidence,
    internal,
    paging::{Budget, Page},
};
use crate::{
    L1View,
    l1::bridge_log::SentRecord,
    l2::{
        contracts::{covered_by, relayed_after, sent_after},
        message_index::{Handled, Handling, MessageIndex, SentToL1},
    },
};
use alloy_primitives::{Address, keccak256};
use alloy_sol_types::SolEvent as _;
use chain::{Block, ChainReader};
use contracts::{
    L2_MESSENGER, Message, bindings::IL2Messenger::MessageFailed, claim_calldata, kept_slot,
    logged_message, message_proof, sent_slot,
};
use parking_lot::MutexGuard;
use rpc::RpcError;
use rpc_types::{
    Claim, ClaimProof, Delivered, Direction, Failure, MessageInfo, MessagePage, MessageState, Sent,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Maximum time for which a request waits for the index and indexes blocks.
const INDEX_TIME: Duration = Duration::from_secs(2);

/// The messages in both directions at the time of a request.
pub(super) struct Messages<'r> {
    rollup: &'r RollupApi,
    view: Arc<L1View>,
    chain: ChainReader,
    safe: u64,
    finalized: u64,
    relayed: u64,
    /// Number of messages that the head's anchor covers.
    anchored: u64,
    relay_deadline: u64,
}

fn involves(message: &rpc_types::Message, account: Address) -> bool {
    let rpc_types::Message { sender, to, refund_to, .. } = message;
    [*sender, *to, refund_to.unwrap_or_default()].contains(&account)
}

fn present(account: Address) -> Option<Address> {
    (!account.is_zero()).then_some(account)
}

impl<'r> Messages<'r> {
    /// Returns the messages as of the current head and the latest view of L1.
    pub(super) fn new(rollup: &'r RollupApi) -> Result<Self, RpcError> {
        let view = rollup.shared.view.lock().clone();
        let view = view.ok_or_else(|| RpcError::server("L1 has not been read"))?;
        let chain = rollup.api.chain();
        // Read from the view, to match its claims: the status is published later.
        let safe = view.advanced_head().map_or(0, |head| head.number);
        let finalized = view.finalized_head().map_or(0, |head| head.number);
        let config = rollup.shared.config.lock();
        let relay_deadline = config.as_ref().map_or(0, |config| config.rules.relay_deadline);
        drop(config);
        let head = chain.head();
        let relayed = relayed_after(&chain, head).map_err(internal)?;
        let anchored = covered_by(&chain, head).map_err(internal)?;
        Ok(Self { rollup, view, safe, finalized, relayed, anchored, relay_deadline, chain })
    }

    /// Returns the index of the L2's logs up to the head.
    fn index(&self) -> Result<MutexGuard<'r, MessageIndex>, RpcError> {
        let RollupApi { api, shared } = self.rollup;
        let limit = INDEX_TIME.min(api.options().limits.call_time);
        let begun = Instant::now();
        let expected = self.chain.head().header.number;
        // While a long chain is indexed, requests would block each other.
        let Some(mut index) = shared.messages.try_lock_for(limit) else {
            let text = format!("messages are being indexed up to block {expected}, try again");
            return Err(RpcError::server(text));
        };
        if !index.catch_up(&self.chain, limit.saturating_sub(begun.elapsed()))? {
            let got = index.head().unwrap_or_default();
            let text = format!("messages are indexed up to block {got} of {expected}, try again");
            return Err(evidence(RpcError::server(text), got, expected));
        }
        Ok(index)
    }

    /// Returns a message; `None` if no such message was sent.
    pub(super) fn get(
        &self,
        direction: Direction,
        index: u64,
    ) -> Result<Option<MessageInfo>, RpcError> {
        match direction {
            Direction::L1ToL2 => {
                let bridge = self.view.bridge();
                let Some(sent) = bridge.sent(index).map_err(internal)? else {
                    return absent(index, bridge.first_sent());
                };
                let handled = self.index()?.handled(index);
                self.to_l2(index, &sent, handled).map(Some)
            }
            Direction::L2ToL1 => match self.sent_to_l1(index)? {
                Some(sent) => self.to_l1(index, sent).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Returns the position at which a message to L1 was sent; `None` if no such message was sent.
    fn sent_to_l1(&self, index: u64) -> Result<Option<SentToL1>, RpcError> {
        let messages = self.index()?;
        if let Some(sent) = messages.sent(index) {
            return Ok(Some(sent));
        }
        let (has_none, first) = (messages.has_sent_none(), messages.first_sent());
        drop(messages);
        // The blocks of a node that started from a snapshot may not have sent any.
        let first = match has_none {
            true => sent_after(&self.chain, self.chain.head()).map_err(internal)?,
            false => first,
        };
        absent(index, first)
    }

    /// Returns a page of messages, newest first.
    pub(super) fn page(&self, direction: Direction, page: &Page) -> Result<MessagePage, RpcError> {
        let (messages, next) =
            page.fill(Budget::new(), |page, budget| self.part(direction, page, budget))?;
        Ok(MessagePage { messages, next })
    }

    /// Returns the messages of a part of a page. There may be few, because anyone can send messages
    /// whose accounts have the same [short form](crate::parties::Parties).
    fn part(
        &self,
        direction: Direction,
        page: &Page,
        budget: &mut Budget,
    ) -> Result<(Vec<MessageInfo>, Option<u64>), RpcError> {
        let messages = self.index()?;
        let bridge = self.view.bridge();
        let mut parties_to_l2 = bridge.sent_parties();
        let mut parties = |index: u64| match direction {
            Direction::L1ToL2 => parties_to_l2(index),
            Direction::L2ToL1 => messages.sent(index).map(|message| message.parties),
        };
        let (first, len) = match direction {
            Direction::L1ToL2 => (bridge.first_sent(), bridge.sent_len()),
            Direction::L2ToL1 => (messages.first_sent(), messages.sent_len()),
        };
        let is_listed = |index: u64| {
            parties(index).is_some_and(|parties| {
                page.account.is_none_or(|account| parties.may_include(account))
            })
        };
        let (indexes, next) = page.walk(first, len, budget, is_listed);
        let found: Vec<_> = indexes
            .into_iter()
            .map(|index| (index, messages.sent(index), messages.handled(index)))
            .collect();
        drop(messages);
        let mut messages = Vec::with_capacity(found.len());
        for (index, sent, handled) in found {
            let message = match direction {
                Direction::L1ToL2 => {
                    let sent = bridge.sent(index).map_err(internal)?;
                    sent.map(|sent| self.to_l2(index, &sent, handled))
                }
                Direction::L2ToL1 => sent.map(|sent| self.to_l1(index, sent)),
            };
            messages.extend(message.transpose()?);
        }
        if let Some(account) = page.account {
            messages.retain(|message| involves(&message.message, account));
        }
        Ok((messages, next))
    }

    /// Returns the call of `L1MessageQueue.claim` for a message to L1, with a proof against the
    /// newest L2 block on L1. The fee is paid to `fee_recipient`, or else to the message's target.
    pub(super) fn claim_proof(
        &self,
        index: u64,
        fee_recipient: Option<Address>,
    ) -> Result<ClaimProof, RpcError> {
        let Some(sent) = self.sent_to_l1(index)? else {
            let len = sent_after(&self.chain, self.chain.head()).map_err(internal)?;
            let text = format!("unknown message {index} to L1: {len} were sent");
            return Err(evidence(RpcError::server(text), index, len));
        };
        // The chain may lack the newest block of the view, against which a message is claimable.
        let safe = match self.view.advanced_head() {
            Some(head) if self.chain.canonical_hash(head.number)? == Some(head.hash) => head.number,
            _ => self.rollup.shared.status.lock().safe_head.number,
        };
        if sent.block > safe {
            let (got, expected) = (safe, sent.block);
            let text = format!(
                "message {index} is in block {expected}, but L1 only has the blocks up to {got}"
            );
            return Err(evidence(RpcError::server(text), got, expected));
        }
        let (message, _) = self.logged(index, &sent)?;
        let block = self.chain.canonical_block(safe)?;
        let block = block.ok_or_else(|| RpcError::server("the safe block is not known"))?;
        let proof = self.chain.prove(&block, L2_MESSENGER, &[sent_slot(index)])?;
        let l2_block = block.header.number;
        let fee_recipient = fee_recipient.unwrap_or(message.to);
        Ok(ClaimProof {
            to: self.view.deployment().message_queue,
            data: claim_calldata(&message, message_proof(l2_block, proof), fee_recipient),
            message: with_data(&message),
            l2_block,
            state_root: block.header.state_root,
            // The next block in the same slot of the ring buffer overwrites the state root.
            valid_until_block: l2_block + contracts::advance_plan::STATE_ROOTS - 1,
        })
    }

    /// Reads a message to L1 from its log, with its block.
    fn logged(&self, index: u64, sent: &SentToL1) -> Result<(Message, Arc<Block>), RpcError> {
        let block = block_of(&self.chain, sent.block)?;
        let receipt = block.executed.receipts.get(sent.transaction as usize);
        let logs = receipt.into_iter().flat_map(|receipt| &receipt.logs);
        let mut own = logs.filter(|log| log.address == L2_MESSENGER);
        let message = own.find_map(|log| logged_message(log, index).ok());
        let unknown = || RpcError::server(format!("block {} was replaced, try again", sent.block));
        Ok((message.ok_or_else(unknown)?, Arc::clone(&block)))
    }

    fn to_l1(&self, index: u64, sent: SentToL1) -> Result<MessageInfo, RpcError> {
        let (message, block) = self.logged(index, &sent)?;
        let bridge = self.view.bridge();
        let claim = bridge.claim(index).map_err(internal)?;
        let l1_time = self.view.head().map_or(0, |head| head.timestamp);
        let state = match claim {
            Some(claim) if claim.is_refunded => MessageState::Refunded,
            Some(_) => MessageState::Claimed,
            None if sent.block > self.safe => MessageState::Unsafe,
            None if bridge.paused_until() > l1_time => MessageState::Delayed,
            None => MessageState::Claimable,
        };
        let finalized = match claim {
            Some(claim) => claim.l1_block <= self.view.finalized(),
            None => sent.block <= self.finalized && state == MessageState::Claimable,
        };
        Ok(MessageInfo {
            direction: Direction::L2ToL1,
            index,
            message_hash: message.hash(),
            message: with_data(&message),
            state,
            sent: Sent {
                block: sent.block,
                transaction: transaction_hash(&block, sent.transaction)?,
                timestamp: block.header.timestamp,
            },
            deadline: None,
            delivered: None,
            failure: None,
            claim: claim
                .map(|claim| Claim { l1_block: claim.l1_block, l1_transaction: claim.transaction }),
            finalized,
        })
    }

    fn to_l2(
        &self,
        index: u64,
        sent: &SentRecord,
        handled: Option<Handled>,
    ) -> Result<MessageInfo, RpcError> {
        let handled = handled.filter(|_| index < self.relayed);
        let state = match handled.map(|handled| handled.how) {
            _ if index >= self.anchored => MessageState::Sent,
            _ if index >= self.relayed => MessageState::Anchored,
            Some(Handling::Delivered) => MessageState::Relayed,
            Some(Handling::Failed) => MessageState::Failed,
            Some(Handling::Parked) => MessageState::Parked,
            Some(Handling::Refunded) => MessageState::Refunded,
            // The message was handled before the first block of this node.
            None => match self.chain.storage(L2_MESSENGER, kept_slot(sent.hash))?.as_limbs()[0] {
                1 => MessageState::Failed,
                2 => MessageState::Parked,
                _ => MessageState::Relayed,
            },
        };
        let (mut delivered, mut failure) = (None, None);
        if let Some(handled) = handled {
            let block = block_of(&self.chain, handled.block)?;
            let transaction = transaction_hash(&block, handled.transaction)?;
            delivered = Some(Delivered { block: handled.block, transaction });
            if handled.how == Handling::Failed {
                let receipt = block.executed.receipts.get(handled.transaction as usize);
                let logs = receipt.into_iter().flat_map(|receipt| &receipt.logs);
                let own = logs.filter(|log| log.address == L2_MESSENGER);
                let events = own.filter_map(|log| MessageFailed::decode_log(log).ok());
                let mut reasons =
                    events.filter(|event| event.index == index).map(|event| event.reason.clone());
                failure = reasons.next().map(|reason| Failure { reason });
            }
        }
        let open = self.view.messages().range(index, index.saturating_add(1)).next();
        let finalized = match handled {
            Some(handled) => handled.block <= self.finalized,
            None if index < self.relayed => true,
            None => state == MessageState::Sent && sent.l1_block <= self.view.finalized(),
        };
        Ok(MessageInfo {
            direction: Direction::L1ToL2,
            index,
            message: rpc_types::Message {
                sender: sent.sender,
                to: sent.to,
                refund_to: present(sent.refund_to),
                value: sent.value,
                fee: sent.fee,
                gas_limit: sent.gas_limit.into(),
                index,
                data_hash: sent.data_hash,
                data: open.map(|message| message.data.clone()),
            },
            message_hash: sent.hash,
            state,
            sent: Sent {
                block: sent.l1_block,
                transaction: sent.transaction,
                timestamp: sent.timestamp,
            },
            deadline: Some(sent.timestamp.saturating_add(self.relay_deadline)),
            delivered,
            failure,
            claim: None,
            finalized,
        })
    }
}

/// Returns `None` for a message that was not sent, and an error for one before the `first` of this
/// node.
fn absent<T>(index: u64, first: u64) -> Result<Option<T>, RpcError> {
    if index >= first {
        return Ok(None);
    }
    let text = format!("this node has the messages from {first} on");
    Err(evidence(RpcError::server(text), index, first))
}

fn with_data(message: &Message) -> rpc_types::Message {
    rpc_types::Message {
        sender: message.sender,
        to: message.to,
        refund_to: present(message.refund_to),
        value: message.value,
        fee: message.fee,
        gas_limit: message.gas_limit.into(),
        index: message.index,
        data_hash: keccak256(&message.data),
        data: Some(message.data.clone()),
    }
}

fn block_of(chain: &ChainReader, number: u64) -> Result<Arc<Block>, RpcError> {
    let block = chain.canonical_block(number)?;
    block.ok_or_else(|| RpcError::server(format!("block {number} is not known")))
}

fn transaction_hash(block: &Block, index: u32) -> Result<alloy_primitives::B256, RpcError> {
    let transaction = block.transactions.get(index as usize);
    let unknown = || RpcError::server("the block was replaced, try again");
    Ok(*transaction.ok_or_else(unknown)?.hash())
}
