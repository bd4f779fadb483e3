//! The block of which a prefix was signed when the node stopped.

use super::{Preconfirmations, Sequencer, recovery::LAG_MARGIN};
use crate::{
    SequencerError,
    prefix::{L1Condition, Prefix, Recorded},
    sequencer::anchor::anchor_of,
};
use alloy_consensus::Header;
use alloy_eips::{BlockNumHash, eip2718::Decodable2718 as _};
use alloy_rlp::Decodable as _;
use chain::RecoveredTransaction;
use executor::{Transaction, recover_sender};
use node::{BlockCandidate, MineRequest, NodeError, SetCoinbase};
use std::sync::Arc;

impl Sequencer {
    /// Builds the block again of which a prefix was signed, or was about to be signed, when this
    /// node or the last leader stopped. It is sealed as it is.
    pub(super) fn unfinished_block(
        &mut self,
        time: u64,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        // The search replaces the block, since L1 rejects it.
        if self.isolation.limit().is_some() {
            return Ok(None);
        }
        let head = Arc::clone(self.chain().head());
        let Some(Preconfirmations { signer, .. }) = &self.preconfirmations else {
            return Ok(None);
        };
        let recorded = signer.unfinished_on(head.num_hash(), time, self.view());
        let Some(Recorded { prefix, is_signed }) = recorded else { return Ok(None) };
        // L1 would not include it in time.
        let last = prefix.promised.header.timestamp.saturating_add(self.rules.max_lag);
        if last < time.saturating_add(LAG_MARGIN) {
            return Ok(None);
        }
        let (number, expected) = (prefix.promised.header.number, prefix.promised.header.hash);
        let sealed = match self.build_again(&prefix) {
            Ok(sealed) if sealed.new.block.hash == expected => sealed,
            // Any other error may pass, and what was promised is tried again.
            Err(error) if !matches!(error, NodeError::PrefixLost { .. }) => {
                return Err(error.into());
            }
            other => {
                let got = other.map(|sealed| sealed.new.block.hash.to_string());
                let got = got.unwrap_or_else(|error| error.to_string());
                tracing::error!(number, got, %expected, "cannot build the preconfirmed block again");
                self.forget_unfinished(head.num_hash());
                return Ok(None);
            }
        };
        // L1 is back before the block of its anchor. It would be reverted at once.
        if anchor_of(&sealed.new.block).is_some_and(|anchor| !self.is_nameable(&anchor)) {
            return Ok(None);
        }
        tracing::info!(number, hash = %expected, "sealing the block that was preconfirmed before");
        if !is_signed {
            return Ok(Some(sealed));
        }
        let message = &prefix.promised.message;
        let condition = L1Condition { number: message.l1_block, hash: message.l1_hash };
        if let Err(error) = self.sign(&sealed, true, condition) {
            tracing::warn!(%error, "sealed block not preconfirmed");
        }
        Ok(Some(sealed))
    }

    fn forget_unfinished(&mut self, parent: BlockNumHash) {
        if let Some(Preconfirmations { signer, .. }) = &mut self.preconfirmations {
            signer.forget_unfinished(parent);
        }
    }

    fn build_again(&self, prefix: &Prefix) -> Result<BlockCandidate, NodeError> {
        let lost = |index| NodeError::PrefixLost {
            index,
            transaction: prefix.promised.transactions.get(index).copied().unwrap_or_default(),
            reason: "malformed in the journal".to_owned(),
        };
        let header = Header::decode(&mut &prefix.header[..]).map_err(|_| lost(0))?;
        let mut transactions = Vec::with_capacity(prefix.transactions.len());
        for (index, raw) in prefix.transactions.iter().enumerate() {
            let decoded = Transaction::decode_2718_exact(raw).map_err(|_| lost(index))?;
            let sender = recover_sender(&decoded).ok_or_else(|| lost(index))?;
            let transaction = decoded.into();
            transactions.push(RecoveredTransaction { transaction, sender, signed: true });
        }
        self.node().execute(SetCoinbase(header.beneficiary));
        self.node().seal(&MineRequest {
            timestamp: Some(header.timestamp),
            parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
            fixed: transactions.len(),
            transactions,
            only: Some(Vec::new()),
            ..MineRequest::default()
        })
    }
}
