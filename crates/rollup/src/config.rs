//! Configuration of a rollup node.

use crate::{L1Profile, Signer, SubmitterConfig};
use alloy_primitives::Address;
use contracts::GenesisAllowance;
use engine::JwtSecret;
use lease::LeaseConfig;
use node::PoolLimits;
use rpc::ServerConfig;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Role in which a node starts.
#[derive(Debug, Clone)]
pub enum Role {
    /// Makes blocks, and brings them to L1.
    Sequencer(Box<SequencerConfig>),
    /// Follows L1, and a sequencer if its URL is given: `ws://…`.
    Follower {
        /// WebSocket URL of the sequencer.
        sequencer: Option<String>,
    },
}

/// Configuration of a sequencer.
#[derive(Debug, Clone)]
pub struct SequencerConfig {
    /// Signs what goes to L1.
    pub advance_key: Signer,
    /// Signs what a block begins with on the L2.
    pub operator_key: Signer,
    /// Time from one block to the next, if there is anything to put into it.
    pub block_time: Duration,
    /// Time from one block to the next if there is nothing.
    pub idle_block_time: Duration,
    /// Time for which blocks are collected before they go to L1.
    pub submit_interval: Duration,
    /// L1 blocks on top of one before its messages and forced transactions are taken over.
    pub confirmations: u64,
    /// Longest time for which blocks are made without a look at L1, if L1 allows them to lag twice as far.
    pub l1_drift: Duration,
    /// Payment for L1 transactions.
    pub submitter: SubmitterConfig,
    /// Most that may wait for L1.
    pub backlog: BacklogConfig,
    /// Limits of the pool.
    pub pool: PoolLimits,
    /// Least payment of transactions from the pool.
    pub prices: Prices,
}

/// Bounds of the blocks that wait for L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogConfig {
    /// Longest time in which a block has to get to L1; half of the lag that L1 allows, if that is less or `None`.
    pub max_age: Option<Duration>,
    /// Percentage of what L1 takes in that time from which on blocks get smaller and come more rarely.
    pub slow_percent: u8,
}

impl Default for BacklogConfig {
    fn default() -> Self {
        Self { max_age: None, slow_percent: 50 }
    }
}

/// Least tips that a transaction pays to the sequencer that includes it. Forced transactions and messages pay
/// neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// Per gas, in wei: the pool refuses what offers less.
    pub gas: u128,
    /// Per byte that it makes the input of EXECUTE longer, in wei: what pays less is dropped when its turn comes.
    pub byte: u128,
}

/// The Engine API, in either direction.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The secret of the tokens: of those that are shown here, and of those that are shown to the client.
    pub secret: JwtSecret,
    /// Address at which the Engine API is served, if it is.
    pub serve: Option<SocketAddr>,
    /// URL of the Engine API of a client that is kept at the head of this node, if there is one.
    pub drive: Option<String>,
}

/// Configuration of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// The deployment file.
    pub deployment: PathBuf,
    /// Start although the genesis has other protocol contracts than those that the node was built with.
    pub allow_altered_genesis: bool,
    /// Balances and codes outside the protocol that the genesis may have.
    pub genesis_allowance: GenesisAllowance,
    /// URLs of L1 nodes. With several, the next one is asked when one fails, and a header is taken if more than half of
    /// those that answer have it.
    pub l1: Vec<String>,
    /// URLs of consensus clients of L1, for L2 blocks that lie in blobs; the next one is asked for what one does not
    /// give. A sequencer that has any posts through blobs when that is cheaper.
    pub l1_beacon: Vec<String>,
    /// Time for one request to it.
    pub l1_timeout: Duration,
    /// Prices of EXECUTE on L1.
    pub profile: L1Profile,
    /// Interval between two looks at L1.
    pub poll_interval: Duration,
    /// Folder of the chain; `None` to keep the chain in memory.
    pub data_dir: Option<PathBuf>,
    /// Role at the start.
    pub role: Role,
    /// Configuration with which a follower makes blocks once it is promoted, if it can be.
    pub standby: Option<Box<SequencerConfig>>,
    /// WebSocket URLs of nodes that pass on blocks which L1 does not have yet. A follower takes them from there and not from
    /// the sequencer, which is for what users send; the next one is asked when one fails.
    pub feeds: Vec<String>,
    /// Accounts whose signatures on such blocks are believed; with none, those that the rollup's policy admits. Without a
    /// policy blocks need no signature then.
    pub feed_signers: Vec<Address>,
    /// WebSocket URL of the node that may have replaced this sequencer. If that node makes the blocks, this one
    /// follows it.
    pub peer: Option<String>,
    /// Lease without which this node makes no blocks, if several nodes may make them. A node that begins as a sequencer
    /// asks for it, and follows the node that has it.
    pub lease: Option<LeaseConfig>,
    /// Loopback address at which the role can be changed, if it can.
    pub admin: Option<SocketAddr>,
    /// Listening addresses and limits of the RPC server.
    pub server: ServerConfig,
    /// The Engine API, if it is used at all.
    pub engine: Option<EngineConfig>,
}
