//! Jobs to build a payload.

use super::PayloadAttributes;
use alloy_primitives::B256;
use chain::Block;
use std::sync::Arc;

/// A payload job. The block is built on the first `engine_getPayload`.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: [u8; 8],
    pub(crate) parent: B256,
    pub(crate) attributes: PayloadAttributes,
    pub(crate) built: Option<Arc<Block>>,
}
