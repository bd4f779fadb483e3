//! Backoff of posting in blobs.

/// Number of L1 blocks without blobs after an `advance` with them has failed. Doubled with each
/// further failure.
const RETRY_BLOCKS: u64 = 32;
/// Number of L1 blocks without blobs after an `advance` whose evidence may have been stale.
/// Meanwhile its blocks are posted as calldata, which can be simulated.
const STALE_BLOCKS: u64 = 2;
/// Maximum number of L1 blocks without blobs after failures.
const MAX_RETRY_BLOCKS: u64 = 8_192;

/// Backoff of posting in blobs: a transaction with blobs cannot be simulated before it is sent, and
/// costs gas even if it fails.
#[derive(Debug, Default)]
pub(super) struct BlobBackoff {
    /// First L1 block at which blobs are used again.
    again_at: u64,
    /// Number of L1 blocks without blobs after the last failure.
    pause: u64,
    /// Last logged reason for not using blobs, so that each reason is logged once.
    logged: Option<String>,
    /// `true` if the last blob transaction of this process succeeded.
    is_proven: bool,
}

impl BlobBackoff {
    /// Records that a blob transaction has failed at L1 block `head`.
    pub(super) fn on_failure(&mut self, head: u64) {
        self.is_proven = false;
        if !self.allows(head) {
            return;
        }
        self.pause = (2 * self.pause).clamp(RETRY_BLOCKS, MAX_RETRY_BLOCKS);
        self.again_at = head.saturating_add(self.pause);
        tracing::warn!(blocks = self.pause, "blob transaction failed, posting calldata");
    }

    /// Records that a blob transaction has failed whose evidence depended on the state of L1.
    /// Anyone can change that state, e.g. by sending a message to the L2, so the backoff is short:
    /// otherwise an attacker could keep posting expensive.
    pub(super) fn on_stale_evidence(&mut self, head: u64) {
        self.is_proven = false;
        self.again_at = self.again_at.max(head.saturating_add(STALE_BLOCKS));
        tracing::info!("evidence may be stale, posting these blocks as calldata");
    }

    /// Records that L1 has included a blob transaction.
    pub(super) fn on_success(&mut self) {
        *self = Self { is_proven: true, ..Self::default() };
    }

    /// Returns `true` if multiple blob transactions may be in flight. Until one has succeeded, only
    /// one is sent: if it fails because of its blobs, those queued after it would fail too, and
    /// each costs gas.
    pub(super) const fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Records that L1 supports blobs at an acceptable price.
    pub(super) fn clear_reason(&mut self) {
        self.logged = None;
    }

    /// Returns `true` if blobs may be used at L1's block `head`.
    pub(super) const fn allows(&self, head: u64) -> bool {
        head >= self.again_at
    }

    /// Returns `true` if there is a [reason](Self::warn_once) to post calldata.
    pub(super) const fn has_reason(&self) -> bool {
        self.logged.is_some()
    }

    /// Logs once why blocks are posted as calldata.
    pub(super) fn warn_once(&mut self, why: String) {
        if self.logged.as_ref() != Some(&why) {
            tracing::warn!(why, "posting calldata");
            self.logged = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_backoff_doubles_until_success() {
        let mut backoff = BlobBackoff::default();
        assert!(backoff.allows(0));
        backoff.on_failure(100);
        assert!(!backoff.allows(100 + RETRY_BLOCKS - 1));
        // Reporting the same failure twice does not extend the pause.
        backoff.on_failure(110);
        assert!(backoff.allows(100 + RETRY_BLOCKS));
        backoff.on_failure(200);
        assert!(
            !backoff.allows(200 + 2 * RETRY_BLOCKS - 1) && backoff.allows(200 + 2 * RETRY_BLOCKS)
        );
        for head in (10_000..1_000_000).step_by(10_000) {
            backoff.on_failure(head);
            assert!(backoff.allows(head + MAX_RETRY_BLOCKS));
        }
        assert!(!backoff.allows(990_000 + MAX_RETRY_BLOCKS - 1));
        backoff.on_success();
        backoff.on_failure(2_000_000);
        assert!(backoff.allows(2_000_000 + RETRY_BLOCKS));
    }
}
