//! Payload jobs between `engine_forkchoiceUpdated` and `engine_getPayload`.

use super::{PayloadAttributes, codes};
use crate::RpcError;
use alloy_primitives::{B256, FixedBytes};
use chain::Block;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

/// Maximum number of payload jobs; the oldest is dropped when a new one exceeds it.
const MAX_JOBS: usize = 16;

/// The most recent payload jobs.
#[derive(Debug, Default)]
pub(crate) struct PayloadStore(Mutex<VecDeque<PayloadJob>>);

/// A payload job. The block is built on the first `engine_getPayload`.
#[derive(Debug, Clone)]
pub(crate) struct PayloadJob {
    id: FixedBytes<8>,
    pub(crate) parent: B256,
    pub(crate) attributes: PayloadAttributes,
    pub(crate) built: Option<Arc<Block>>,
}

impl PayloadStore {
    /// Queues a job for a child of `parent` and returns its id. The same parent and attributes
    /// yield the same id. On an L2 no withdrawals are allowed.
    pub(crate) fn begin(
        &self,
        parent: &Block,
        attributes: PayloadAttributes,
        is_l2: bool,
    ) -> Result<FixedBytes<8>, RpcError> {
        let invalid = |reason: String| RpcError::new(codes::INVALID_ATTRIBUTES, reason);
        let (got, head) = (attributes.timestamp.to::<u64>(), parent.header.timestamp);
        if got <= head {
            return Err(invalid(format!("timestamp {got}, expected more than the head's {head}")));
        }
        if is_l2 && !attributes.withdrawals.is_empty() {
            return Err(invalid("withdrawals are not allowed on an L2".to_owned()));
        }
        let id = attributes.id(parent.hash)?.into();
        let mut jobs = self.0.lock();
        if jobs.iter().all(|job| job.id != id) {
            jobs.push_back(PayloadJob { id, parent: parent.hash, attributes, built: None });
        }
        if jobs.len() > MAX_JOBS {
            jobs.pop_front();
        }
        Ok(id)
    }

    /// Returns a copy of a job.
    pub(crate) fn job(&self, id: FixedBytes<8>) -> Result<PayloadJob, RpcError> {
        let job = self.0.lock().iter().find(|job| job.id == id).cloned();
        job.ok_or_else(|| RpcError::new(codes::UNKNOWN_PAYLOAD, format!("unknown payload id {id}")))
    }

    /// Stores the block of a job, and returns it. Two simultaneous requests get the same one.
    pub(crate) fn resolve(&self, id: FixedBytes<8>, block: Arc<Block>) -> Arc<Block> {
        match self.0.lock().iter_mut().find(|job| job.id == id) {
            Some(job) => Arc::clone(job.built.get_or_insert(block)),
            None => block,
        }
    }
}
