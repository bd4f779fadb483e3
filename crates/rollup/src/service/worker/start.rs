//! Parameters of a worker.

use crate::{
    L1Profile, RollupRules, SequencerConfig,
    l2::{pool_log::LoadedPool, unsafe_block_client::UnsafeBlockClient},
    lease::Lease,
    sequencer::Preconfirmations,
    service::node_handle::NodeHandle,
};
use node::Node;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) rules: RollupRules,
    pub(crate) profile: L1Profile,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<NodeHandle>,
    pub(crate) data_dir: Option<PathBuf>,
    /// The pool file. Once this node is the sequencer, it includes the acknowledged transactions.
    pub(crate) loaded_pool: Option<LoadedPool>,
    /// Configuration of a sequencer, if the node can be one.
    pub(crate) sequencing: Option<Box<SequencerConfig>>,
    /// Signer of prefixes, if the node signs them as sequencer.
    pub(crate) preconfirmations: Option<Preconfirmations>,
    /// WebSocket URL of the sequencer, if this node is a follower.
    pub(crate) peer: Option<String>,
    /// Lease that the node must hold to build blocks, if one is configured.
    pub(crate) lease: Option<Lease>,
    /// `true` if callers of the Engine API supply blocks.
    pub(crate) has_callers: bool,
    pub(crate) feed: UnsafeBlockClient,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Interval between two L1 polls.
    pub(crate) poll: Duration,
    /// Set when the node stops.
    pub(crate) stop: Arc<AtomicBool>,
}
