//! The values of a node's configuration by the names of their flags, and their defaults.

use super::RoleName;
use ::rollup::{BacklogConfig, L1Limits, PoolLimits, SubmitterConfig};
use alloy_primitives::Address;
use clap::Args;
use client::RedactedUrl;
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use variants::GasSchedule;

/// Wei in a gwei.
pub(super) const GWEI: u128 = 1_000_000_000;

/// Namespaces that strangers may ask: none that traces, lists the pool or builds blocks.
const PUBLIC_API: &str = "enshrine,eth,net,rollup,web3";

/// The values of the configuration, as far as one place has them.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Values {
    /// Role of the node [default: follower].
    #[arg(long, value_enum)]
    pub(super) role: Option<RoleName>,
    /// URLs of L1 nodes, separated by commas. With several, the next one is asked when one fails,
    /// and a header is taken if more than half of those that answer have it.
    #[arg(long, value_name = "URLS")]
    pub(super) l1: Option<String>,
    /// URLs of consensus clients of L1, separated by commas, for L2 blocks in blobs. A sequencer
    /// that has any posts through blobs when that is cheaper.
    #[arg(long, value_name = "URLS")]
    pub(super) l1_beacon: Option<String>,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    pub(super) deployment: Option<PathBuf>,
    /// Start although the genesis has other protocol contracts than this build, which may empty the
    /// escrow on L1.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) allow_altered_genesis: Option<bool>,
    /// Accounts that may have so much ETH at genesis, at most, separated by commas. No deposit on
    /// L1 backs it.
    #[arg(long, value_name = "ADDRESS=WEI", value_delimiter = ',')]
    pub(super) allow_balance: Option<Vec<String>>,
    /// Accounts that may have the code with this hash at genesis, and any storage, separated by
    /// commas.
    #[arg(long, value_name = "ADDRESS=HASH", value_delimiter = ',')]
    pub(super) allow_code: Option<Vec<String>>,
    /// Folder of the chain; without it, the chain is kept in memory.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Address of the RPC [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http_host: Option<std::net::IpAddr>,
    /// Port of the RPC, for HTTP and WebSocket; 0 for a free one [default: 9545].
    #[arg(long, value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// Namespaces of methods that are served over HTTP, with commas between them; `all` for every
    /// one [default: enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    pub(super) http_api: Option<String>,
    /// Namespaces of methods that are served over WebSocket [default:
    /// enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    pub(super) ws_api: Option<String>,
    /// Host names under which requests may arrive, separated by commas, besides IP addresses; `*`
    /// for all [default: localhost].
    #[arg(long, value_name = "NAMES")]
    pub(super) http_vhosts: Option<String>,
    /// Origin of the web pages that may send requests; `*` for all. Without it, none may.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) http_cors: Option<String>,
    /// Most bytes of an answer, and of the answers to a batch [default: 26214400].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_response_bytes: Option<u32>,
    /// Most requests in a batch [default: 1000].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_batch: Option<u32>,
    /// Most bytes that a trace, or the logs of a request, come to before it is given up [default:
    /// 26214400].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_trace_bytes: Option<u64>,
    /// Most milliseconds for a call, an estimate, a simulation or a search for logs [default:
    /// 5000].
    #[arg(long, value_name = "MS")]
    pub(super) call_timeout_ms: Option<u64>,
    /// Most milliseconds for a request that traces [default: 5000].
    #[arg(long, value_name = "MS")]
    pub(super) trace_timeout_ms: Option<u64>,
    /// Milliseconds that eth_sendRawTransactionSync waits for a block, if its caller does not want
    /// less [default: 10000].
    #[arg(long, value_name = "MS")]
    pub(super) sync_timeout_ms: Option<u64>,
    /// Connections that may be open at once, idle ones and WebSockets too [default: 4096].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_connections: Option<u32>,
    /// Connections that one address may have open at once; of IPv6 the first 64 bits are an address
    /// [default: 512].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_connections_per_address: Option<u32>,
    /// Milliseconds for a whole request, and for a client to read anything of its answer [default:
    /// 10000].
    #[arg(long, value_name = "MS")]
    pub(super) request_timeout_ms: Option<u64>,
    /// Bytes that may wait for the client of a connection to read them [default: 33554432].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_queued_bytes: Option<usize>,
    /// Bytes of requests and answers that all connections may hold together [default: 134217728].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_held_bytes: Option<usize>,
    /// Most subscriptions of all connections together [default: 4096].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_subscriptions: Option<usize>,
    /// Most subscriptions of a connection [default: 128].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_subscriptions_per_connection: Option<u32>,
    /// Milliseconds from one block to the next, if there is anything to put into it [default:
    /// 1000].
    #[arg(long, value_name = "MS")]
    pub(super) block_time_ms: Option<u64>,
    /// Milliseconds from one block to the next if there is nothing [default: 600000].
    #[arg(long, value_name = "MS")]
    pub(super) idle_block_time_ms: Option<u64>,
    /// Milliseconds for which blocks are collected before they go to L1 [default: 12000].
    #[arg(long, value_name = "MS")]
    pub(super) submit_interval_ms: Option<u64>,
    /// Milliseconds between two looks at L1 [default: 500].
    #[arg(long, value_name = "MS")]
    pub(super) poll_interval_ms: Option<u64>,
    /// L1 blocks on top of one before its messages and forced transactions are taken over [default:
    /// 0].
    #[arg(long, value_name = "BLOCKS")]
    pub(super) l1_confirmations: Option<u64>,
    /// Most milliseconds for which blocks are made while L1 does not answer; half of the rollup's
    /// lag, if that is less [default: 300000].
    #[arg(long, value_name = "MS")]
    pub(super) l1_drift_ms: Option<u64>,
    /// Key that signs for L1: a keystore (Web3 secret storage), or the file of keys that holds it
    /// as `advance`. A raw key is taken from ENSHRINE_ADVANCE_KEY or the file of --config.
    #[arg(long, value_name = "FILE")]
    pub(super) advance_key: Option<String>,
    /// Key that signs for the L2, in the same forms; a file of keys holds it as `operator`.
    #[arg(long, value_name = "FILE")]
    pub(super) operator_key: Option<String>,
    /// File with the password of the keystore of --advance-key.
    #[arg(long, value_name = "FILE")]
    pub(super) advance_password_file: Option<PathBuf>,
    /// File with the password of the keystore of --operator-key.
    #[arg(long, value_name = "FILE")]
    pub(super) operator_password_file: Option<PathBuf>,
    /// URL of a Web3Signer that holds the key for L1; needs --advance-address.
    #[arg(long, value_name = "URL")]
    pub(super) advance_signer: Option<String>,
    /// Account of the key that --advance-signer holds.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) advance_address: Option<Address>,
    /// URL of a Web3Signer that holds the key for the L2; needs --operator-address.
    #[arg(long, value_name = "URL")]
    pub(super) operator_signer: Option<String>,
    /// Account of the key that --operator-signer holds.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) operator_address: Option<Address>,
    /// Most gwei that are spent on L1 in a day [default: 10000000000].
    #[arg(long, value_name = "GWEI")]
    pub(super) daily_limit_gwei: Option<u64>,
    /// Most gwei per blob gas; while blobs cost more, blocks go to L1 as calldata [default: 100].
    #[arg(long, value_name = "GWEI")]
    pub(super) blob_fee_limit_gwei: Option<u64>,
    /// Most gwei that a transaction on L1 may cost without its blobs, as the L1 node's
    /// --rpc.txfeecap [default: 1000000000].
    #[arg(long, value_name = "GWEI")]
    pub(super) l1_tx_fee_cap_gwei: Option<u64>,
    /// Most transactions on their way to L1 at once [default: 8].
    #[arg(long, value_name = "COUNT")]
    pub(super) l1_in_flight: Option<usize>,
    /// Most bytes of a transaction on L1, if it takes more than the public pools of mainnet do
    /// [default: 131072].
    #[arg(long, value_name = "BYTES")]
    pub(super) l1_transaction_bytes: Option<usize>,
    /// Most gas of a transaction on L1, if it allows more than EIP-7825, and no more than its
    /// blocks have [default: 16777216].
    #[arg(long, value_name = "GAS")]
    pub(super) l1_transaction_gas: Option<u64>,
    /// Gas schedule of EXECUTE on L1: default, flat, ethrex, BASE+PER_BYTE or
    /// BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM [default: default].
    #[arg(long, value_name = "SCHEDULE")]
    pub(super) l1_execute_gas: Option<String>,
    /// Most milliseconds in which a block has to get to L1: no block is made that would not.
    /// Without it, and at most, half of the rollup's lag.
    #[arg(long, value_name = "MS")]
    pub(super) backlog_age_ms: Option<u64>,
    /// Percentage of what L1 takes in that time from which on blocks get smaller and come more
    /// rarely [default: 50].
    #[arg(long, value_name = "PERCENT")]
    pub(super) backlog_slow_percent: Option<u8>,
    /// Most transactions that wait in the pool of a sequencer [default: 20000].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_transactions: Option<usize>,
    /// Most of them that one account may have [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_per_account: Option<usize>,
    /// Most of them that wait for a missing nonce [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_gapped: Option<usize>,
    /// Most of these that one account may have [default: 16].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_gapped_per_account: Option<usize>,
    /// Blocks after which a transaction is dropped that waits for a missing nonce [default: 300].
    #[arg(long, value_name = "BLOCKS")]
    pub(super) pool_gapped_lifetime: Option<u64>,
    /// Accept legacy transactions without a chain id (before EIP-155), which are valid on every
    /// chain.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) allow_unprotected: Option<bool>,
    /// Accounts to which none of these limits applies, and whose transactions never give way.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(super) pool_local: Option<Vec<Address>>,
    /// Least tip, in wei per gas, of what the pool of a sequencer takes [default: 0].
    #[arg(long, value_name = "WEI")]
    pub(super) min_tip: Option<u64>,
    /// Least that a transaction pays in tips for each byte that it makes a block longer on L1, in
    /// wei [default: 0].
    #[arg(long, value_name = "WEI")]
    pub(super) byte_price: Option<u64>,
    /// WebSocket URL of a sequencer, for blocks that L1 does not have yet. A sequencer follows the
    /// one there if that is a sequencer already.
    #[arg(long, value_name = "URL")]
    pub(super) sequencer: Option<String>,
    /// WebSocket URLs of nodes that pass on unsafe blocks, separated by commas: a follower takes
    /// them from there, and not from the sequencer, to which it still sends what users send.
    #[arg(long, value_name = "URLS")]
    pub(super) sequencer_feed: Option<String>,
    /// Accounts whose signatures on unsafe blocks are believed. Without it, those that the rollup's
    /// policy admits.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(super) feed_signer: Option<Vec<Address>>,
    /// URLs of the witnesses of a lease (`enshrine lease-witness`), separated by commas: of several
    /// nodes with the keys of a sequencer, the one that has the lease makes blocks, and another
    /// takes over when that is gone.
    #[arg(long, value_name = "URLS")]
    pub(super) lease_witnesses: Option<String>,
    /// File with the secret of the witnesses: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    pub(super) lease_secret: Option<PathBuf>,
    /// WebSocket URL at which other nodes follow this one while it has the lease.
    #[arg(long, value_name = "URL")]
    pub(super) lease_url: Option<String>,
    /// Milliseconds after which a node that has the lease and cannot seal, cannot post or is not
    /// answered by L1 releases it, if another node asks for it [default: 10000].
    #[arg(long, value_name = "MS")]
    pub(super) lease_work_timeout_ms: Option<u64>,
    /// Loopback address and port at which the role can be changed (rollup_promote, rollup_demote).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) admin_addr: Option<SocketAddr>,
    /// File with the bearer token of --admin-addr; without this flag admin.token in --data-dir. It
    /// is created if it is missing.
    #[arg(long, value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// Address and port at which the Engine API is served; needs --jwt-secret.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) engine_addr: Option<SocketAddr>,
    /// URL of the Engine API of another client, which is kept at the head of this node; needs
    /// --jwt-secret.
    #[arg(long, value_name = "URL")]
    pub(super) engine: Option<String>,
    /// File with the secret of the Engine API: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    pub(super) jwt_secret: Option<PathBuf>,
}

impl Values {
    /// Each value, to tell their names and kinds.
    pub(super) fn all() -> Self {
        let text = || Some(String::new());
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            l1: text(),
            l1_beacon: text(),
            deployment: Some(PathBuf::new()),
            data_dir: Some(PathBuf::new()),
            advance_key: text(),
            operator_key: text(),
            advance_password_file: Some(PathBuf::new()),
            operator_password_file: Some(PathBuf::new()),
            advance_signer: text(),
            advance_address: Some(Address::ZERO),
            operator_signer: text(),
            operator_address: Some(Address::ZERO),
            pool_local: Some(Vec::new()),
            allow_unprotected: Some(false),
            allow_altered_genesis: Some(false),
            allow_balance: Some(Vec::new()),
            allow_code: Some(Vec::new()),
            sequencer: text(),
            sequencer_feed: text(),
            feed_signer: Some(Vec::new()),
            lease_witnesses: text(),
            lease_secret: Some(PathBuf::new()),
            lease_url: text(),
            http_cors: text(),
            admin_addr: address,
            admin_token_file: Some(PathBuf::new()),
            engine_addr: address,
            engine: text(),
            jwt_secret: Some(PathBuf::new()),
            backlog_age_ms: Some(0),
            ..Self::defaults()
        }
    }

    /// The default values. Required values and those that are off by default have none.
    pub(super) fn defaults() -> Self {
        let (submitter, pool) = (SubmitterConfig::default(), PoolLimits::public());
        let gwei = |wei: u128| u64::try_from(wei / GWEI).ok();
        Self {
            role: Some(RoleName::Follower),
            http_host: Some([127, 0, 0, 1].into()),
            http_port: Some(9_545),
            http_api: Some(PUBLIC_API.to_owned()),
            ws_api: Some(PUBLIC_API.to_owned()),
            http_vhosts: Some("localhost".to_owned()),
            max_response_bytes: Some(25 << 20),
            max_batch: Some(1_000),
            max_trace_bytes: Some(25 << 20),
            call_timeout_ms: Some(5_000),
            trace_timeout_ms: Some(5_000),
            sync_timeout_ms: Some(10_000),
            max_connections: Some(4_096),
            max_connections_per_address: Some(512),
            request_timeout_ms: Some(10_000),
            max_queued_bytes: Some(32 << 20),
            max_held_bytes: Some(128 << 20),
            max_subscriptions: Some(4_096),
            max_subscriptions_per_connection: Some(128),
            lease_work_timeout_ms: Some(10_000),
            block_time_ms: Some(1_000),
            idle_block_time_ms: Some(600_000),
            submit_interval_ms: Some(12_000),
            poll_interval_ms: Some(500),
            l1_confirmations: Some(0),
            l1_drift_ms: Some(300_000),
            daily_limit_gwei: gwei(submitter.daily_limit),
            blob_fee_limit_gwei: gwei(submitter.max_blob_fee),
            l1_tx_fee_cap_gwei: gwei(submitter.max_tx_fee),
            l1_in_flight: Some(submitter.max_in_flight),
            l1_transaction_bytes: Some(L1Limits::default().bytes),
            l1_transaction_gas: Some(L1Limits::default().gas),
            l1_execute_gas: Some(GasSchedule::DEFAULT.to_string()),
            backlog_slow_percent: Some(BacklogConfig::default().slow_percent),
            pool_transactions: Some(pool.transactions),
            pool_per_account: Some(pool.per_sender),
            pool_gapped: Some(pool.gapped),
            pool_gapped_per_account: Some(pool.gapped_per_sender),
            pool_gapped_lifetime: Some(pool.gapped_lifetime),
            min_tip: Some(0),
            byte_price: Some(0),
            ..Self::default()
        }
    }

    /// The values without secrets.
    pub(super) fn shown(self) -> Self {
        let hidden = |key: Option<String>| {
            key.map(|key| if Path::new(&key).exists() { key } else { "(a key)".to_owned() })
        };
        let redacted = |urls: Option<String>| {
            let one = |url: &str| RedactedUrl::new(url).to_string();
            urls.map(|urls| urls.split(',').map(one).collect::<Vec<_>>().join(","))
        };
        Self {
            advance_key: hidden(self.advance_key),
            operator_key: hidden(self.operator_key),
            l1: redacted(self.l1),
            l1_beacon: redacted(self.l1_beacon),
            advance_signer: redacted(self.advance_signer),
            operator_signer: redacted(self.operator_signer),
            sequencer: redacted(self.sequencer),
            sequencer_feed: redacted(self.sequencer_feed),
            lease_witnesses: redacted(self.lease_witnesses),
            lease_url: redacted(self.lease_url),
            engine: redacted(self.engine),
            ..self
        }
    }
}
