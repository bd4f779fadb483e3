//! Configuration of a rollup node.

use crate::{ActorObserver, LeaseConfig, Signer, SubmitterConfig, WatchConfig};
use alloy_primitives::Address;
use contracts::{GenesisAllowance, advance_plan::L1Limits};
use node::PoolLimits;
use rpc::engine::JwtSecret;
use rpc::{AccessToken, ServerConfig};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use variants::GasSchedule;

/// Role of a node at its start.
#[derive(Debug, Clone)]
pub enum Role {
    /// Builds blocks and posts them to L1.
    Sequencer(Box<SequencerConfig>),
    /// Derives the L2 from L1, and imports the unsafe blocks of a sequencer, if there is one.
    Follower {
        /// WebSocket URL of the sequencer (`ws://…`).
        sequencer: Option<String>,
    },
}

/// Configuration of a sequencer.
#[derive(Debug, Clone)]
pub struct SequencerConfig {
    /// Signer of the `advance` transactions on L1.
    pub advance_key: Signer,
    /// Signer of the operator's transactions on the L2.
    pub operator_key: Signer,
    /// Block interval while there are transactions.
    pub block_time: Duration,
    /// Block interval while there are none.
    pub idle_block_time: Duration,
    /// Time for which blocks are collected before they are posted.
    pub submit_interval: Duration,
    /// Number of confirmations of an L1 block before an L2 block includes its messages and forced
    /// transactions.
    pub confirmations: u64,
    /// Maximum time for which the sequencer builds blocks without a response from L1, at most half
    /// of the lag that L1 allows.
    pub l1_drift: Duration,
    /// Fees and spending limits of L1 transactions.
    pub submitter: SubmitterConfig,
    /// Limits of the backlog.
    pub backlog: BacklogConfig,
    /// Minimum tips of transactions from the pool.
    pub prices: Prices,
    /// Configuration of signed prefixes; `None` if only complete blocks are signed.
    pub preconfirm: Option<PreconfirmConfig>,
}

/// Configuration of preconfirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreconfirmConfig {
    /// Minimum time between two signed prefixes of a block.
    pub slice: Duration,
}

impl PreconfirmConfig {
    /// Minimum of [`Self::slice`].
    pub const MIN_SLICE: Duration = Duration::from_millis(50);
}

/// Limits of the backlog: sealed blocks that are not on L1 yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogConfig {
    /// Maximum time from sealing a block to its inclusion on L1. The default and the maximum are
    /// half of the lag that L1 allows.
    pub max_age: Option<Duration>,
    /// Percentage of L1's capacity in that time above which the sequencer builds smaller blocks at
    /// longer intervals.
    pub slow_percent: u8,
    /// Assumed time until L1 includes a transaction, before the sequencer has observed it.
    pub l1_slot: Duration,
}

impl Default for BacklogConfig {
    fn default() -> Self {
        Self { max_age: None, slow_percent: 50, l1_slot: Duration::from_secs(12) }
    }
}

/// Minimum tips for the sequencer. Forced transactions and messages are exempt from both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// Tip per gas, in wei. The pool rejects transactions that pay less.
    pub gas: u128,
    /// Tip per byte by which a transaction lengthens the EXECUTE input, in wei. The builder drops
    /// transactions that pay less.
    pub byte: u128,
}

/// Configuration of the Engine API, as server and client.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// JWT secret, as server and client.
    pub secret: JwtSecret,
    /// Address at which the node serves the Engine API, if it does.
    pub serve: Option<SocketAddr>,
    /// URL of the Engine API of an execution client that the node drives, if there is one.
    pub drive: Option<String>,
}

/// Configuration of the admin port.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Listening address; must be a loopback address.
    pub address: SocketAddr,
    /// Bearer token of each request.
    pub token: AdminToken,
}

/// Source of the bearer token of the admin port.
#[derive(Debug, Clone)]
pub enum AdminToken {
    /// The token itself.
    Given(AccessToken),
    /// A file with the token. If it does not exist, the node creates it, readable by its own user
    /// only.
    File(PathBuf),
}

/// Configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// Deployment file.
    pub deployment: PathBuf,
    /// Starts the node even if the protocol contracts in the genesis differ from its own.
    pub allow_altered_genesis: bool,
    /// Balances and codes outside the protocol that the genesis may have.
    pub genesis_allowance: GenesisAllowance,
    /// URLs of L1 nodes. With several, the next one is used when one fails, and a header is
    /// accepted if more than half of those that respond have it.
    pub l1: Vec<String>,
    /// URLs of L1's consensus clients, for L2 blocks in blobs; the next one is used if one lacks a
    /// blob. A sequencer with a consensus client posts through blobs when that is cheaper.
    pub l1_beacon: Vec<String>,
    /// Timeout of a request to L1.
    pub l1_timeout: Duration,
    /// Gas schedule of EXECUTE on L1, which is part of its [`L1Profile`](crate::L1Profile).
    pub execute_gas: GasSchedule,
    /// Limits of a transaction on L1.
    pub l1_limits: L1Limits,
    /// Interval between two polls of L1.
    pub poll_interval: Duration,
    /// Data directory; `None` to keep the chain in memory.
    pub data_dir: Option<PathBuf>,
    /// Limits of the pool. They also apply to a follower, which forwards its transactions.
    pub pool: PoolLimits,
    /// Role at the start.
    pub role: Role,
    /// Configuration of a follower that can be promoted to sequencer.
    pub standby: Option<Box<SequencerConfig>>,
    /// WebSocket URLs of nodes that serve unsafe blocks. A follower requests unsafe blocks from
    /// these nodes instead of the sequencer; the next one is used when one fails.
    pub feeds: Vec<String>,
    /// Accounts whose signatures on unsafe blocks are accepted; by default those that the rollup's
    /// policy admits. Without accounts and without a policy, blocks need no signature.
    pub feed_signers: Vec<Address>,
    /// The contract `PreconfBonds` where the sequencer has a bond, by default that of the
    /// deployment file. Signed prefixes are bound to it, or to the rollup if there is none.
    pub preconf_bonds: Option<Address>,
    /// WebSocket URL of a node that may replace this sequencer. While that node is the sequencer,
    /// this one follows it.
    pub peer: Option<String>,
    /// Lease that this node must hold to build blocks, if multiple nodes may be the sequencer. A
    /// node that starts as a sequencer requests the lease, and follows its holder meanwhile.
    pub lease: Option<LeaseConfig>,
    /// The admin port, if there is one.
    pub admin: Option<AdminConfig>,
    /// Listening addresses and limits of the RPC server.
    pub server: ServerConfig,
    /// Configuration of the Engine API, if it is used.
    pub engine: Option<EngineConfig>,
    /// Configuration of a follower that watches the sequencer, if it does.
    pub watch: Option<WatchConfig>,
    /// Observer of the actors, if the process has one.
    pub observer: Option<Arc<dyn ActorObserver>>,
}
