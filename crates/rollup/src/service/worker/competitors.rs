//! Detection of competing sequencers, whose blocks replace this node's on L1.

use crate::{
    L1Client,
    probe::{Probe, ProbePanicked},
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

/// The pending request about a competing sequencer, and the number of replacements by the own
/// account.
#[derive(Debug, Default)]
pub(super) struct Competitors {
    /// Number of times that other blocks of its own account replaced this node's blocks on L1,
    /// since it became the sequencer.
    overtaken: u64,
    /// Hash of the last L1 transaction with such blocks.
    transaction: B256,
    /// L1 transaction with blocks that replaced this node's, and the pending request for their
    /// sequencer.
    pending: Option<(B256, Probe<CompetingSequencer>)>,
}

impl Competitors {
    /// Returns the number of times that other blocks of the own account replaced this node's on L1.
    pub(super) const fn overtaken(&self) -> u64 {
        self.overtaken
    }

    /// Resets the count, when the node becomes the sequencer.
    pub(super) const fn reset_count(&mut self) {
        (self.overtaken, self.transaction) = (0, B256::ZERO);
    }

    pub(super) fn forget_request(&mut self) {
        self.pending = None;
    }

    /// Returns `true` if no request is pending.
    pub(super) const fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Requests the sequencer of the blocks in an L1 transaction: the peer, if it is an active
    /// sequencer, or else the sender of the transaction. Runs on another thread, so that block
    /// production continues while the peer has up to three seconds to respond.
    pub(super) fn request(
        &mut self,
        transaction: B256,
        peer: Option<String>,
        client: Arc<L1Client>,
        runtime: tokio::runtime::Handle,
    ) {
        let probe = Probe::spawn(move || {
            let head = peer.as_deref().and_then(|url| runtime.block_on(sequencer_at(url)));
            let sender = || client.sender_of(transaction).ok().flatten();
            head.map_or_else(|| CompetingSequencer::Account(sender()), CompetingSequencer::Peer)
        });
        // If no thread can be started, the next competing block triggers another request.
        self.pending = probe.ok().map(|probe| (transaction, probe));
    }

    /// Returns the head of the peer if it is the competing sequencer. Counts blocks that the own
    /// account (`account`) posted.
    pub(super) fn peer(&mut self, account: Option<Address>) -> Option<u64> {
        let (transaction, probe) = self.pending.as_ref()?;
        let (transaction, competitor) = (*transaction, probe.response()?);
        self.pending = None;
        match (competitor, account) {
            (Ok(CompetingSequencer::Peer(head)), _) => return Some(head),
            // Blocks of another account are legitimate if the policy admits it.
            (Ok(CompetingSequencer::Account(Some(sender))), Some(account)) if sender == account => {
                (self.overtaken, self.transaction) = (self.overtaken + 1, transaction);
                tracing::error!(%account, %transaction, "L1 included blocks of this account that this node did not seal");
            }
            (Ok(CompetingSequencer::Account(_)) | Err(ProbePanicked), _) => {}
        }
        None
    }

    /// Returns the fault of a sequencer whose keys another node also uses. The first replacement
    /// may be its own transaction from before it lost its chain. From the second one on, this node
    /// must stop: otherwise each node would acknowledge transactions in blocks that the other one
    /// replaces.
    ///
    /// Ignores `left_over` transactions, which the previous leader had in flight at a takeover by
    /// lease.
    pub(super) fn shares_keys(
        &self,
        account: Option<Address>,
        left_over: u64,
    ) -> Option<ServiceError> {
        let (account, times, transaction) = (account?, self.overtaken, self.transaction);
        (times > 1 + left_over).then_some(ServiceError::SharedKeys { account, times, transaction })
    }
}
