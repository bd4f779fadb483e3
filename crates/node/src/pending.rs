//! The pending block.

use crate::{NodeError, Pending, draft::Draft};
use alloy_primitives::B256;
use chain::Rejection;
use parking_lot::Mutex;

/// The pending block: an external one, or else the one that would be built now.
#[derive(Debug, Default)]
pub(crate) struct PendingBlocks {
    /// The last built block.
    built: Mutex<Option<Pending>>,
    /// External block, which is pending while its parent is the head.
    external: Mutex<Option<Pending>>,
}

impl PendingBlocks {
    /// Returns the external block on this head, if there is one.
    pub(crate) fn external_on(&self, head: B256) -> Option<Pending> {
        let external = self.external.lock();
        external
            .as_ref()
            .filter(|pending| pending.state.block().header.parent_hash == head)
            .cloned()
    }

    pub(crate) fn set(&self, pending: Pending) {
        *self.external.lock() = Some(pending);
    }

    pub(crate) fn clear(&self) {
        *self.external.lock() = None;
    }

    /// Builds the block of a draft, unless it was built for the last request.
    pub(crate) fn build(
        &self,
        draft: impl FnOnce() -> Result<Draft, NodeError>,
    ) -> Result<Pending, NodeError> {
        let mut cached = self.built.lock();
        let draft = draft()?;
        let key = draft.key();
        if let Some(pending) = cached.as_ref().filter(|pending| pending.key.as_ref() == Some(&key))
        {
            return Ok(pending.clone());
        }
        let built = draft.build(false)?;
        let is_waiting = |(_, reason): &&(usize, Rejection)| !reason.is_final();
        let waiting = built.rejected.iter().filter(is_waiting).count();
        let (used, state) = (built.used, draft.state.after(built.executed)?);
        let pending = Pending { state, used, waiting, key: Some(key) };
        *cached = Some(pending.clone());
        Ok(pending)
    }
}
