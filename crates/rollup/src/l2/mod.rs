//! Import of L2 blocks from L1 and from other nodes.

pub(crate) mod ancestry;
pub(crate) mod block_input;
pub(crate) mod contracts;
mod error;
pub(crate) mod follower;
pub(crate) mod heads;
pub(crate) mod import;
pub(crate) mod message_index;
pub(crate) mod pool_log;
pub(crate) mod signed_blocks;
pub(crate) mod sync_progress;
pub(crate) mod syncer;
pub(crate) mod unsafe_block_client;

pub use error::{FeedError, L2Error};
