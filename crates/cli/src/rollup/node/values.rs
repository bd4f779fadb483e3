//! The values of a node's configuration, under the names of their flags, and their defaults.

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

/// Default namespaces, safe for untrusted clients: none that traces, lists the pool or builds
/// blocks.
const PUBLIC_API: &str = "enshrine,eth,net,rollup,web3";

/// Values of the configuration that one source has set.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Values {
    /// Role of the node [default: follower].
    #[arg(long, value_enum)]
    pub(super) role: Option<RoleName>,
    /// URLs of L1 nodes, separated by commas. With several, the node switches to the next one on
    /// failure, and accepts a header if a majority of the responding nodes have it.
    #[arg(long, value_name = "URLS")]
    pub(super) l1: Option<String>,
    /// URLs of L1 consensus clients, separated by commas, for L2 blocks in blobs. With any, a
    /// sequencer posts through blobs when that is cheaper.
    #[arg(long, value_name = "URLS")]
    pub(super) l1_beacon: Option<String>,
    /// Deployment file of the rollup, which `script/Deploy.s.sol` writes.
    #[arg(long, value_name = "FILE")]
    pub(super) deployment: Option<PathBuf>,
    /// Start even if the genesis has protocol contracts other than those of this build. Such
    /// contracts may be able to drain the escrow on L1.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) allow_altered_genesis: Option<bool>,
    /// Accounts that may have ETH at genesis, with the maximum amount in wei, separated by commas.
    /// No deposit on L1 backs this ETH.
    #[arg(long, value_name = "ADDRESS=WEI", value_delimiter = ',')]
    pub(super) allow_balance: Option<Vec<String>>,
    /// Accounts that may have code at genesis, with the code hash, separated by commas. Their
    /// storage is not checked.
    #[arg(long, value_name = "ADDRESS=HASH", value_delimiter = ',')]
    pub(super) allow_code: Option<Vec<String>>,
    /// Data directory. Without it, the chain is kept in memory only.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Address on which the RPC server listens [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http_host: Option<std::net::IpAddr>,
    /// Port on which the RPC server listens, for HTTP and WebSocket; 0 selects a free port
    /// [default: 9545].
    #[arg(long, value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// RPC namespaces served over HTTP, separated by commas; `all` serves every namespace [default:
    /// enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    pub(super) http_api: Option<String>,
    /// RPC namespaces served over WebSocket, separated by commas; `all` serves every namespace
    /// [default: enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    pub(super) ws_api: Option<String>,
    /// Host names from which to accept requests, separated by commas, besides IP addresses; `*`
    /// accepts all [default: localhost].
    #[arg(long, value_name = "NAMES")]
    pub(super) http_vhosts: Option<String>,
    /// Origin from which to accept cross-origin requests; `*` accepts all. Without it, requests
    /// from web pages are rejected.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) http_cors: Option<String>,
    /// Maximum size of a response, and of all responses to a batch, in bytes [default: 26214400].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_response_bytes: Option<u32>,
    /// Maximum number of requests in a batch [default: 1000].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_batch: Option<u32>,
    /// Maximum size of the traces or logs that a request returns, in bytes; a larger one is aborted
    /// [default: 26214400].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_trace_bytes: Option<u64>,
    /// Timeout of a call, gas estimate, simulation or log query, in milliseconds [default: 5000].
    #[arg(long, value_name = "MS")]
    pub(super) call_timeout_ms: Option<u64>,
    /// Timeout of a tracing request, in milliseconds [default: 5000].
    #[arg(long, value_name = "MS")]
    pub(super) trace_timeout_ms: Option<u64>,
    /// Maximum time that eth_sendRawTransactionSync waits for a block, in milliseconds; the caller
    /// can request less [default: 10000].
    #[arg(long, value_name = "MS")]
    pub(super) sync_timeout_ms: Option<u64>,
    /// Maximum number of open connections, including idle ones and WebSockets [default: 4096].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_connections: Option<u32>,
    /// Maximum number of open connections per IP address; an IPv6 /64 counts as one address
    /// [default: 512].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_connections_per_address: Option<u32>,
    /// Time limit for receiving a whole request, and for a client to read any part of its response,
    /// in milliseconds [default: 10000].
    #[arg(long, value_name = "MS")]
    pub(super) request_timeout_ms: Option<u64>,
    /// Maximum number of bytes per connection that wait for the client to read them [default:
    /// 33554432].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_queued_bytes: Option<usize>,
    /// Maximum number of bytes of requests and responses held in memory for all connections
    /// [default: 134217728].
    #[arg(long, value_name = "BYTES")]
    pub(super) max_held_bytes: Option<usize>,
    /// Maximum number of subscriptions over all connections [default: 4096].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_subscriptions: Option<usize>,
    /// Maximum number of subscriptions per connection [default: 128].
    #[arg(long, value_name = "COUNT")]
    pub(super) max_subscriptions_per_connection: Option<u32>,
    /// Block time while there is anything to include, in milliseconds [default: 1000].
    #[arg(long, value_name = "MS")]
    pub(super) block_time_ms: Option<u64>,
    /// Block time while there is nothing to include, in milliseconds [default: 600000].
    #[arg(long, value_name = "MS")]
    pub(super) idle_block_time_ms: Option<u64>,
    /// Maximum time for which blocks are collected before they are posted to L1, in milliseconds
    /// [default: 12000].
    #[arg(long, value_name = "MS")]
    pub(super) submit_interval_ms: Option<u64>,
    /// L1 polling interval, in milliseconds [default: 500].
    #[arg(long, value_name = "MS")]
    pub(super) poll_interval_ms: Option<u64>,
    /// Number of confirmations of an L1 block before its messages and forced transactions are
    /// included in the L2 [default: 0].
    #[arg(long, value_name = "BLOCKS")]
    pub(super) l1_confirmations: Option<u64>,
    /// Maximum time for which blocks are built while L1 does not respond, in milliseconds; at most
    /// half of the rollup's MAX_LAG [default: 300000].
    #[arg(long, value_name = "MS")]
    pub(super) l1_drift_ms: Option<u64>,
    /// Key that signs L1 transactions: a keystore (Web3 Secret Storage), or the key file of
    /// `enshrine init`, which contains it as `advance`. Set a raw key in ENSHRINE_ADVANCE_KEY or in
    /// the file of --config.
    #[arg(long, value_name = "FILE")]
    pub(super) advance_key: Option<String>,
    /// Key that signs the operator's L2 transactions, in the forms of --advance-key; a key file
    /// contains it as `operator`.
    #[arg(long, value_name = "FILE")]
    pub(super) operator_key: Option<String>,
    /// File with the password of the keystore in --advance-key.
    #[arg(long, value_name = "FILE")]
    pub(super) advance_password_file: Option<PathBuf>,
    /// File with the password of the keystore in --operator-key.
    #[arg(long, value_name = "FILE")]
    pub(super) operator_password_file: Option<PathBuf>,
    /// URL of a Web3Signer that signs L1 transactions; requires --advance-address.
    #[arg(long, value_name = "URL")]
    pub(super) advance_signer: Option<String>,
    /// Account for which --advance-signer signs.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) advance_address: Option<Address>,
    /// URL of a Web3Signer that signs the operator's L2 transactions; requires --operator-address.
    #[arg(long, value_name = "URL")]
    pub(super) operator_signer: Option<String>,
    /// Account for which --operator-signer signs.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) operator_address: Option<Address>,
    /// Maximum amount spent on L1 per day, in gwei [default: 10000000000].
    #[arg(long, value_name = "GWEI")]
    pub(super) daily_limit_gwei: Option<u64>,
    /// Maximum fee per blob gas, in gwei; while blobs cost more, blocks are posted as calldata
    /// [default: 100].
    #[arg(long, value_name = "GWEI")]
    pub(super) blob_fee_limit_gwei: Option<u64>,
    /// Maximum fee of an L1 transaction without its blobs, in gwei, like the L1 node's
    /// --rpc.txfeecap [default: 1000000000].
    #[arg(long, value_name = "GWEI")]
    pub(super) l1_tx_fee_cap_gwei: Option<u64>,
    /// Maximum number of pending L1 transactions [default: 8].
    #[arg(long, value_name = "COUNT")]
    pub(super) l1_in_flight: Option<usize>,
    /// Maximum size of an L1 transaction, in bytes, for an L1 that accepts larger ones than the
    /// public mempool of mainnet [default: 131072].
    #[arg(long, value_name = "BYTES")]
    pub(super) l1_transaction_bytes: Option<usize>,
    /// Maximum gas limit of an L1 transaction, for an L1 that allows more than EIP-7825; at most
    /// the gas limit of L1's blocks [default: 16777216].
    #[arg(long, value_name = "GAS")]
    pub(super) l1_transaction_gas: Option<u64>,
    /// Gas schedule of EXECUTE on L1: default, flat, ethrex, BASE+PER_BYTE or
    /// BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM [default: default].
    #[arg(long, value_name = "SCHEDULE")]
    pub(super) l1_execute_gas: Option<String>,
    /// Maximum time from sealing a block to its inclusion on L1, in milliseconds; the sequencer
    /// stops sealing if it cannot be met [default and maximum: half of the rollup's MAX_LAG].
    #[arg(long, value_name = "MS")]
    pub(super) backlog_age_ms: Option<u64>,
    /// Backlog from which the sequencer builds smaller blocks at longer intervals, as a percentage
    /// of what L1 includes within --backlog-age-ms [default: 50].
    #[arg(long, value_name = "PERCENT")]
    pub(super) backlog_slow_percent: Option<u8>,
    /// Assumed time between two blocks of L1 until the sequencer has measured how many transactions
    /// L1 includes, in milliseconds [default: 12000].
    #[arg(long, value_name = "MS")]
    pub(super) l1_slot_ms: Option<u64>,
    /// Maximum number of transactions in a sequencer's pool [default: 20000].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_transactions: Option<usize>,
    /// Maximum number of pooled transactions per account [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_per_account: Option<usize>,
    /// Maximum number of gapped transactions, which wait for a missing nonce [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_gapped: Option<usize>,
    /// Maximum number of gapped transactions per account [default: 16].
    #[arg(long, value_name = "COUNT")]
    pub(super) pool_gapped_per_account: Option<usize>,
    /// Number of blocks after which a gapped transaction is dropped [default: 300].
    #[arg(long, value_name = "BLOCKS")]
    pub(super) pool_gapped_lifetime: Option<u64>,
    /// Accept legacy transactions without EIP-155 replay protection, which are valid on every
    /// chain.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) allow_unprotected: Option<bool>,
    /// Accounts that are exempt from the limits of the pool and whose transactions are never
    /// evicted.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(super) pool_local: Option<Vec<Address>>,
    /// Minimum priority fee for a sequencer to accept a transaction, in wei per gas [default: 0].
    #[arg(long, value_name = "WEI")]
    pub(super) min_tip: Option<u64>,
    /// Minimum tip for each byte that a transaction adds to a block's input on L1, in wei [default:
    /// 0]. While more than half of the daily limit is spent, transactions that pay less than their
    /// bytes cost on L1 wait.
    #[arg(long, value_name = "WEI")]
    pub(super) byte_price: Option<u64>,
    /// Sign prefixes of each block while it is built, so that users know the result of a
    /// transaction before the block is sealed. Requires --data-dir.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) preconfirm: Option<bool>,
    /// Minimum time between two signed prefixes of a block, in milliseconds [default: 100].
    #[arg(long, value_name = "MILLISECONDS")]
    pub(super) slice_ms: Option<u64>,
    /// Address of the contract PreconfBonds on L1 where the sequencer has its bond. Signed prefixes
    /// are bound to it. Without this flag, the one in the deployment file is used; if there is
    /// none, they are bound to the rollup.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) preconf_bonds: Option<Address>,
    /// Key of the account that submits evidence of `enshrine watch`, in the forms of --advance-key.
    /// Without it, evidence is only reported.
    #[arg(long, value_name = "FILE")]
    pub(super) reporter_key: Option<String>,
    /// File with the password of the keystore in --reporter-key.
    #[arg(long, value_name = "FILE")]
    pub(super) reporter_password_file: Option<PathBuf>,
    /// URL of a Web3Signer that signs the transactions with evidence; requires --reporter-address.
    #[arg(long, value_name = "URL")]
    pub(super) reporter_signer: Option<String>,
    /// Account for which --reporter-signer signs.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) reporter_address: Option<Address>,
    /// Submit evidence even if the reward is less than the cost of the L1 transactions.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) report_at_a_loss: Option<bool>,
    /// With `enshrine watch`, on a rollup under HybridSequencing: post signed blocks of the
    /// sequencer from the account of --reporter-key, if they are not on L1 a minute after any
    /// account may post them.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) post: Option<bool>,
    /// WebSocket URL of the sequencer, for unsafe blocks, which are not on L1 yet. A node with
    /// --role sequencer starts as a follower if the node at this URL is already the sequencer.
    #[arg(long, value_name = "URL")]
    pub(super) sequencer: Option<String>,
    /// WebSocket URLs of nodes that relay unsafe blocks, separated by commas. A follower reads them
    /// from there instead of --sequencer, to which it still forwards users' transactions.
    #[arg(long, value_name = "URLS")]
    pub(super) sequencer_feed: Option<String>,
    /// Accounts whose signatures on unsafe blocks are trusted, separated by commas. Without it, the
    /// accounts that the rollup's policy admits.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(super) feed_signer: Option<Vec<Address>>,
    /// URLs of the members of an etcd cluster, separated by commas: https, or http on a loopback
    /// address. Of several nodes with the keys of a sequencer, only the one that holds the lease in
    /// etcd builds blocks; when its lease ends, another node becomes the leader.
    #[arg(long, value_name = "URLS")]
    pub(super) lease_endpoints: Option<String>,
    /// File with the user and password of etcd: user:password.
    #[arg(long, value_name = "FILE")]
    pub(super) lease_credentials: Option<PathBuf>,
    /// PEM file with the authorities that sign etcd's certificates. Without it, those of the
    /// system.
    #[arg(long, value_name = "FILE")]
    pub(super) lease_ca: Option<PathBuf>,
    /// PEM file with this node's client certificate for etcd and its key.
    #[arg(long, value_name = "FILE")]
    pub(super) lease_cert: Option<PathBuf>,
    /// WebSocket URL at which other nodes follow this node while it holds the lease.
    #[arg(long, value_name = "URL")]
    pub(super) lease_url: Option<String>,
    /// Time after which a lease holder that cannot seal, cannot post or gets no response from L1
    /// releases the lease if another node requests it, in milliseconds [default: 10000].
    #[arg(long, value_name = "MS")]
    pub(super) lease_work_timeout_ms: Option<u64>,
    /// Loopback address and port of the admin API, which changes the role of the node
    /// (rollup_promote, rollup_demote), and stops and starts sealing and posting.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) admin_addr: Option<SocketAddr>,
    /// File with the bearer token of the admin API, which is created if it is missing. Without this
    /// flag, admin.token in --data-dir.
    #[arg(long, value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// Address and port on which the Engine API is served; requires --jwt-secret.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) engine_addr: Option<SocketAddr>,
    /// URL of the Engine API of another execution client, which this node keeps at its own head;
    /// requires --jwt-secret.
    #[arg(long, value_name = "URL")]
    pub(super) engine: Option<String>,
    /// File with the JWT secret of the Engine API: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    pub(super) jwt_secret: Option<PathBuf>,
}

impl Values {
    /// Returns a placeholder for every value, from which names and types are derived.
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
            preconfirm: Some(false),
            preconf_bonds: Some(Address::ZERO),
            reporter_key: text(),
            reporter_password_file: Some(PathBuf::new()),
            reporter_signer: text(),
            reporter_address: Some(Address::ZERO),
            report_at_a_loss: Some(false),
            post: Some(false),
            allow_altered_genesis: Some(false),
            allow_balance: Some(Vec::new()),
            allow_code: Some(Vec::new()),
            sequencer: text(),
            sequencer_feed: text(),
            feed_signer: Some(Vec::new()),
            lease_endpoints: text(),
            lease_credentials: Some(PathBuf::new()),
            lease_ca: Some(PathBuf::new()),
            lease_cert: Some(PathBuf::new()),
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

    /// Returns the default values. Required values, and those that are off by default, have none.
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
            l1_slot_ms: u64::try_from(BacklogConfig::default().l1_slot.as_millis()).ok(),
            pool_transactions: Some(pool.transactions),
            pool_per_account: Some(pool.per_sender),
            pool_gapped: Some(pool.gapped),
            pool_gapped_per_account: Some(pool.gapped_per_sender),
            pool_gapped_lifetime: Some(pool.gapped_lifetime),
            min_tip: Some(0),
            byte_price: Some(0),
            slice_ms: Some(100),
            ..Self::default()
        }
    }

    /// Returns the values without secrets, for output.
    pub(super) fn redacted(self) -> Self {
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
            reporter_key: hidden(self.reporter_key),
            l1: redacted(self.l1),
            l1_beacon: redacted(self.l1_beacon),
            advance_signer: redacted(self.advance_signer),
            operator_signer: redacted(self.operator_signer),
            reporter_signer: redacted(self.reporter_signer),
            sequencer: redacted(self.sequencer),
            sequencer_feed: redacted(self.sequencer_feed),
            lease_endpoints: redacted(self.lease_endpoints),
            lease_url: redacted(self.lease_url),
            engine: redacted(self.engine),
            ..self
        }
    }
}
