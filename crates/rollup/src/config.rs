//! Configuration of a rollup node.

use crate::{RoomObserver, Signer, SubmitterConfig};
use alloy_primitives::Address;
use contracts::{GenesisAllowance, advance_plan::L1Limits};
use engine::JwtSecret;
use lease::LeaseConfig;
use node::PoolLimits;
use rpc::{AccessToken, ServerConfig};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use variants::GasSchedule;

/// Role of a node at its start.
#[derive(Debug, Clone)]
pub enum Role {
    /// Makes blocks and posts them to L1.
    Sequencer(Box<SequencerConfig>),
    /// Follows L1, and the sequencer at a URL (`ws://…`), if there is one.
    Follower {
        /// WebSocket URL of the sequencer.
        sequencer: Option<String>,
    },
}

/// Configuration of a sequencer.
#[derive(Debug, Clone)]
pub struct SequencerConfig {
    /// Signer of L1 transactions.
    pub advance_key: Signer,
    /// Signer of the operator's transactions on the L2.
    pub operator_key: Signer,
    /// Block interval with transactions.
    pub block_time: Duration,
    /// Block interval without transactions.
    pub idle_block_time: Duration,
    /// Time for which blocks are collected before they are posted.
    pub submit_interval: Duration,
    /// Number of confirmations before a block takes messages and forced transactions of an L1
    /// block.
    pub confirmations: u64,
    /// Maximum time without L1's answers for which the sequencer makes blocks; at most half of the
    /// lag that L1 allows.
    pub l1_drift: Duration,
    /// Payment for L1 transactions.
    pub submitter: SubmitterConfig,
    /// Limits of the backlog.
    pub backlog: BacklogConfig,
    /// Limits of the pool.
    pub pool: PoolLimits,
    /// Minimum payment of transactions from the pool.
    pub prices: Prices,
}

/// Limits of the backlog: blocks that wait for L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogConfig {
    /// Maximum age of a block until it is on L1; half of the lag that L1 allows, if that is less or
    /// for `None`.
    pub max_age: Option<Duration>,
    /// Percentage of L1's capacity in that time from which on blocks get smaller and rarer.
    pub slow_percent: u8,
}

impl Default for BacklogConfig {
    fn default() -> Self {
        Self { max_age: None, slow_percent: 50 }
    }
}

/// Minimum tips for the sequencer. Forced transactions and messages pay neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// Tip per gas, in wei: the pool refuses transactions with less.
    pub gas: u128,
    /// Tip per byte by which a transaction lengthens the input of EXECUTE, in wei: the builder
    /// drops transactions with less.
    pub byte: u128,
}

/// The Engine API, as server and client.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Secret of the tokens for both directions.
    pub secret: JwtSecret,
    /// Address at which the node serves the Engine API, if it does.
    pub serve: Option<SocketAddr>,
    /// URL of the Engine API of a client that the node drives, if there is one.
    pub drive: Option<String>,
}

/// The port for the operator's requests.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Loopback address.
    pub address: SocketAddr,
    /// Secret that each request has to bring.
    pub token: AdminToken,
}

/// Source of the bearer token of the admin port.
#[derive(Debug, Clone)]
pub enum AdminToken {
    /// The token itself.
    Given(AccessToken),
    /// A file with the token. The node creates it, readable by its own user only, if there is none.
    File(PathBuf),
}

/// Configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// Deployment file.
    pub deployment: PathBuf,
    /// `true` to start although the genesis has other protocol contracts than this node's.
    pub allow_altered_genesis: bool,
    /// Balances and codes outside the protocol that the genesis may have.
    pub genesis_allowance: GenesisAllowance,
    /// URLs of L1 nodes. With several, the next one is used when one fails, and a header is
    /// accepted if more than half of those that answer have it.
    pub l1: Vec<String>,
    /// URLs of L1's consensus clients, for L2 blocks in blobs; the next one is used if one lacks a
    /// blob. A sequencer with a consensus client posts through blobs when that is cheaper.
    pub l1_beacon: Vec<String>,
    /// Timeout of a request to L1.
    pub l1_timeout: Duration,
    /// Prices of EXECUTE on L1; with its forks and `l1_limits` they are its
    /// [`L1Profile`](crate::L1Profile).
    pub execute_gas: GasSchedule,
    /// Limits of a transaction on L1.
    pub l1_limits: L1Limits,
    /// Interval of reading L1.
    pub poll_interval: Duration,
    /// Data directory; `None` to keep the chain in memory.
    pub data_dir: Option<PathBuf>,
    /// Role at the start.
    pub role: Role,
    /// Configuration of a sequencer, with which a follower can be promoted, if there is one.
    pub standby: Option<Box<SequencerConfig>>,
    /// WebSocket URLs of nodes that serve unsafe blocks. A follower takes unsafe blocks from these
    /// nodes instead of the sequencer; the next one is used when one fails.
    pub feeds: Vec<String>,
    /// Accounts whose signatures on unsafe blocks are accepted; by default those that the rollup's
    /// policy admits. Without accounts and policy blocks need no signature.
    pub feed_signers: Vec<Address>,
    /// WebSocket URL of a node that may replace this sequencer. If that node makes the blocks, this
    /// one follows it.
    pub peer: Option<String>,
    /// Lease without which this node makes no blocks, if several nodes may make them. A node that
    /// starts as a sequencer requests the lease, and follows its holder.
    pub lease: Option<LeaseConfig>,
    /// The admin port, if there is one.
    pub admin: Option<AdminConfig>,
    /// Listening addresses and limits of the RPC server.
    pub server: ServerConfig,
    /// Configuration of the Engine API, if it is used.
    pub engine: Option<EngineConfig>,
    /// Observer of the rooms, if the process has one.
    pub observer: Option<Arc<dyn RoomObserver>>,
}
