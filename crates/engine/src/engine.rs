//! The node behind the methods, and the state between calls.

use crate::{build::Job, codes};
use alloy_primitives::B256;
use chain::{Block, ChainReader};
use parking_lot::Mutex;
use rpc::{Api, RpcError};
use std::{collections::VecDeque, fmt, sync::Arc};
use wire::ProtocolFork;

/// Payloads that are remembered to be invalid.
const MAX_INVALID: usize = 256;

/// Policy of a node's owner for heads that other clients choose.
pub trait HeadPolicy: fmt::Debug + Send + Sync {
    /// Checks that a block may become the head.
    ///
    /// # Errors
    ///
    /// Why it may not.
    fn check(&self, chain: &ChainReader, head: &Block) -> Result<(), String>;

    /// Returns `true` if safe and finalized blocks are not set by the caller of the Engine API.
    fn keeps_finality(&self) -> bool {
        false
    }
}

/// Policy that leaves every decision to the caller.
impl HeadPolicy for () {
    fn check(&self, _: &ChainReader, _: &Block) -> Result<(), String> {
        Ok(())
    }
}

/// A node, as the Engine API sees it.
#[derive(Debug)]
pub struct Engine {
    pub(crate) api: Api,
    pub(crate) policy: Arc<dyn HeadPolicy>,
    pub(crate) invalid: Mutex<Invalids>,
    pub(crate) jobs: Mutex<VecDeque<Job>>,
}

impl Engine {
    /// The Engine API of a node.
    pub fn new(api: Api, policy: Arc<dyn HeadPolicy>) -> Self {
        Self { api, policy, invalid: Mutex::default(), jobs: Mutex::default() }
    }

    pub(crate) fn fork_at(&self, timestamp: u64) -> Option<ProtocolFork> {
        self.api.chain().config().spec.fork_at(timestamp)
    }

    /// The fork at a time, if it is one of those that a method is for.
    pub(crate) fn fork_within(
        &self,
        timestamp: u64,
        (first, last): (ProtocolFork, ProtocolFork),
    ) -> Result<ProtocolFork, RpcError> {
        let fork = self.fork_at(timestamp);
        fork.filter(|fork| (first..=last).contains(fork)).ok_or_else(|| {
            let name = fork.map_or("an older fork", ProtocolFork::name);
            let text = format!(
                "{name} is in force at timestamp {timestamp}, and the method is for {first} to {last}"
            );
            RpcError::new(codes::UNSUPPORTED_FORK, text)
        })
    }
}

impl rpc::Context for Engine {
    fn reads_may_wait(&self) -> bool {
        self.api.reads_may_wait()
    }
}

/// The newest payloads that were found to be invalid.
#[derive(Debug, Default)]
pub(crate) struct Invalids(VecDeque<(B256, Invalid)>);

/// Reason for which a payload is invalid.
#[derive(Debug, Clone)]
pub(crate) struct Invalid {
    /// The newest valid block below it.
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
