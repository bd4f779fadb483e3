//! Competing sequencers: nodes whose blocks replace this node's on L1.

use crate::{
    L1Client,
    probe::{Probe, Unanswered},
    rpc::admin::sequencer_at,
    service::error::ServiceError,
};
use alloy_primitives::{Address, B256};
use std::sync::Arc;

/// Sequencer of blocks that replaced this node's on L1.
#[derive(Debug)]
enum CompetingSequencer {
    /// The peer, with this block number as its head.
    Peer(u64),
    /// Sender of the L1 transaction, if L1 has returned it.
    Account(Option<Address>),
}

/// The pending request for a competing sequencer, and the replacements by the own account so far.
#[derive(Debug, Default)]
pub(super) struct Competitors {
    /// Number of times since the node became sequencer that other blocks of its own account
    /// replaced its blocks on L1.
    overtaken: u64,
    /// Hash of the last L1 transaction with such blocks.
    transaction: B256,
    /// L1 transaction with blocks that replaced this node's, and the pending request for their
    /// sequencer.
    pending: Option<(B256, Probe<CompetingSequencer>)>,
}

impl Competitors {
    /// Number of times that other blocks of the own account replaced this node's on L1.
    pub(super) const fn overtaken(&self) -> u64 {
        self.overtaken
    }

    /// Starts to count anew, for a node that becomes sequencer.
    pub(super) const fn reset_count(&mut self) {
        (self.overtaken, self.transaction) = (0, B256::ZERO);
    }

    /// Discards the pending request.
    pub(super) fn forget_request(&mut self) {
        self.pending = None;
    }

    /// Returns `true` if no request is pending.
    pub(super) const fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Requests the sequencer of the blocks in an L1 transaction: the peer, if it is an active
    /// sequencer, or else the sender of the transaction. Another thread sends the requests, since
    /// the peer has three seconds to answer; this node makes blocks meanwhile.
    pub(super) fn request(
        &mut self,
        transaction: B256,
        peer: Option<String>,
        client: Arc<L1Client>,
        runtime: tokio::runtime::Handle,
    ) {
        let probe = Probe::ask(move || {
            let head = peer.as_deref().and_then(|url| runtime.block_on(sequencer_at(url)));
            let sender = || client.sender_of(transaction).ok().flatten();
            head.map_or_else(|| CompetingSequencer::Account(sender()), CompetingSequencer::Peer)
        });
        // If no thread can be started, the next such block triggers the request again.
        self.pending = probe.ok().map(|probe| (transaction, probe));
    }

    /// Returns the head of the peer if it is the competing sequencer. Counts blocks that were
    /// posted by `account`, the own one.
    pub(super) fn peer(&mut self, account: Option<Address>) -> Option<u64> {
        let (transaction, probe) = self.pending.as_ref()?;
        let (transaction, competitor) = (*transaction, probe.answer()?);
        self.pending = None;
        match (competitor, account) {
            (Ok(CompetingSequencer::Peer(head)), _) => return Some(head),
            // Blocks of another account are legitimate if the policy admits it.
            (Ok(CompetingSequencer::Account(Some(sender))), Some(account)) if sender == account => {
                (self.overtaken, self.transaction) = (self.overtaken + 1, transaction);
                tracing::error!(%account, %transaction, "L1 included blocks of this account that this node did not seal");
            }
            (Ok(CompetingSequencer::Account(_)) | Err(Unanswered), _) => {}
        }
        None
    }

    /// Returns the fault of a sequencer whose keys another node also uses. The first replacement
    /// may be a transaction of its own from before it lost its chain. From the second one on this
    /// node has to stop: otherwise both nodes would acknowledge transactions that the other one's
    /// blocks replace.
    ///
    /// `left_over` transactions, which the previous leader had in flight at a takeover by lease, do
    /// not count.
    pub(super) fn shares_keys(
        &self,
        account: Option<Address>,
        left_over: u64,
    ) -> Option<ServiceError> {
        let (account, times, transaction) = (account?, self.overtaken, self.transaction);
        (times > 1 + left_over).then_some(ServiceError::SharedKeys { account, times, transaction })
    }
}
