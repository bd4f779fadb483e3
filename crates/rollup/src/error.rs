//! Top-level error of this crate.

use crate::{
    batcher::BatcherError,
    l1::{L1Error, Silence},
    l2::L2Error,
    lease::LeaseError,
    prefix::PrefixError,
    rpc::error::AdminPortError,
    sequencer::SequencerError,
    service::error::ServiceError,
};
use chain::ChainError;

/// Error that keeps a rollup node from starting or continuing.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// L1 cannot be read, or is not the configured one.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The L2 cannot be synced.
    #[error(transparent)]
    L2(#[from] L2Error),
    /// Error of the L2's chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No block can be built.
    #[error(transparent)]
    Sequencer(#[from] SequencerError),
    /// The batcher cannot start.
    #[error(transparent)]
    Batcher(#[from] BatcherError),
    /// The journal of preconfirmations cannot be opened.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// etcd cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The admin port cannot be opened.
    #[error(transparent)]
    AdminPort(#[from] AdminPortError),
    /// Error of the node's files, ports, threads or checks.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Silence for RollupError {
    fn is_silence(&self) -> bool {
        matches!(self, Self::L1(error) if error.is_silence())
    }
}
