//! State of the Engine API between calls: known invalid payloads and payload jobs.

use super::{codes, job::Job};
use crate::{Api, RpcError};
use alloy_primitives::B256;
use chain::{Block, ChainReader};
use parking_lot::Mutex;
use std::{collections::VecDeque, fmt, sync::Arc};
use wire::ProtocolFork;

/// Maximum number of remembered invalid payloads.
const MAX_INVALID: usize = 256;

/// Local policy for the heads that a consensus client selects.
pub trait HeadPolicy: fmt::Debug + Send + Sync {
    /// Checks that a block may become the head.
    ///
    /// # Errors
    ///
    /// The reason for which it may not.
    fn check(&self, chain: &ChainReader, head: &Block) -> Result<(), String>;

    /// Returns `true` if the safe and finalized blocks of `engine_forkchoiceUpdated` are ignored.
    fn keeps_finality(&self) -> bool {
        false
    }
}

/// Policy that accepts every head.
impl HeadPolicy for () {
    fn check(&self, _: &ChainReader, _: &Block) -> Result<(), String> {
        Ok(())
    }
}

/// Implementation of the Engine API on a node.
#[derive(Debug)]
pub struct Engine {
    pub(crate) api: Api,
    pub(crate) policy: Arc<dyn HeadPolicy>,
    pub(crate) invalid: Mutex<Invalids>,
    pub(crate) jobs: Mutex<VecDeque<Job>>,
}

impl Engine {
    /// Creates the Engine API of a node.
    pub fn new(api: Api, policy: Arc<dyn HeadPolicy>) -> Self {
        Self { api, policy, invalid: Mutex::default(), jobs: Mutex::default() }
    }

    pub(crate) fn fork_at(&self, timestamp: u64) -> Option<ProtocolFork> {
        self.api.chain().config().spec.fork_at(timestamp)
    }

    /// Returns the fork that is active at a timestamp if the method supports it.
    pub(crate) fn fork_within(
        &self,
        timestamp: u64,
        (first, last): (ProtocolFork, ProtocolFork),
    ) -> Result<ProtocolFork, RpcError> {
        let fork = self.fork_at(timestamp);
        fork.filter(|fork| (first..=last).contains(fork)).ok_or_else(|| {
            let name = fork.map_or("an older fork", ProtocolFork::name);
            let text = format!(
                "{name} is active at timestamp {timestamp}, the method supports {first} to {last}"
            );
            RpcError::new(codes::UNSUPPORTED_FORK, text)
        })
    }
}

impl crate::Context for Engine {
    fn reads_may_wait(&self) -> bool {
        self.api.reads_may_wait()
    }
}

/// The most recent invalid payloads.
#[derive(Debug, Default)]
pub(crate) struct Invalids(VecDeque<(B256, Invalid)>);

/// Reason for which a payload is invalid.
#[derive(Debug, Clone)]
pub(crate) struct Invalid {
    /// The newest valid ancestor.
    pub(crate) latest_valid: B256,
    pub(crate) reason: String,
}

impl Invalids {
    pub(crate) fn get(&self, hash: &B256) -> Option<Invalid> {
        self.0.iter().find(|(known, _)| known == hash).map(|(_, invalid)| invalid.clone())
    }

    pub(crate) fn insert(&mut self, hash: B256, invalid: Invalid) {
        if self.get(&hash).is_none() {
            self.0.push_back((hash, invalid));
        }
        if self.0.len() > MAX_INVALID {
            self.0.pop_front();
        }
    }
}
