//! `enshrine node`: a sequencer or a follower, from its configuration to the signal that ends it.

use super::key_source::{KeySource, refuse_secret};
use crate::output::{self, say};
use ::rollup::{
    BacklogConfig, Check, CheckOutcome, Config, EngineConfig, L1Limits, L1Profile, LeaseConfig,
    PoolLimits, Prices, Role, RollupNode, SequencerConfig, SubmitterConfig,
};
use alloy_primitives::Address;
use clap::{Args, ValueEnum};
use engine::JwtSecret;
use eyre::{Report, Result, WrapErr as _, bail, ensure, eyre};
use rpc::{Namespaces, RequestLimits, ServerConfig};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::time;
use variants::GasSchedule;

/// Time that a node may take to finish its work in progress.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Namespaces that strangers may ask: none that traces, lists the pool or builds blocks.
const PUBLIC_API: &str = "enshrine,eth,net,rollup,web3";
/// Wei in a gwei.
const GWEI: u128 = 1_000_000_000;
/// Prefix of the environment variables.
const PREFIX: &str = "ENSHRINE_";

/// A value of the configuration comes from its flag, or from ENSHRINE_NAME in the environment, or from the
/// file; or it is the default.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A TOML file with values by the names of the flags (`http_port` for --http-port).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    values: Values,
    /// Print the configuration that all this comes to, and end.
    #[arg(long)]
    print_config: bool,
    /// Check the configuration against L1, print each check, and end: with 0 if all passed, with 1 if not.
    #[arg(long, conflicts_with = "print_config")]
    check: bool,
    /// Print the checks as JSON.
    #[arg(long, requires = "check")]
    json: bool,
}

/// Role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// Makes blocks, and brings them to L1.
    Sequencer,
    /// Rebuilds the L2 from L1.
    Follower,
}

/// The values of the configuration, as far as one place has them.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    /// Role of the node [default: follower].
    #[arg(long, value_enum)]
    role: Option<RoleName>,
    /// URLs of L1 nodes, separated by commas. With several, the next one is asked when one fails, and a header is taken
    /// if more than half of those that answer have it.
    #[arg(long, value_name = "URLS")]
    l1: Option<String>,
    /// URLs of consensus clients of L1, separated by commas, for L2 blocks in blobs. A sequencer that has any posts
    /// through blobs when that is cheaper.
    #[arg(long, value_name = "URLS")]
    l1_beacon: Option<String>,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// Start although the genesis has other protocol contracts than this build, which may empty the escrow on L1.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_altered_genesis: Option<bool>,
    /// Folder of the chain; without it, the chain is kept in memory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the RPC [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    http_host: Option<std::net::IpAddr>,
    /// Port of the RPC, for HTTP and WebSocket; 0 for a free one [default: 9545].
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Namespaces of methods that are served over HTTP, with commas between them; `all` for every one [default:
    /// enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    http_api: Option<String>,
    /// Namespaces of methods that are served over WebSocket [default: enshrine,eth,net,rollup,web3].
    #[arg(long, value_name = "NAMES")]
    ws_api: Option<String>,
    /// Most bytes of an answer, and of the answers to a batch [default: 26214400].
    #[arg(long, value_name = "BYTES")]
    max_response_bytes: Option<u32>,
    /// Most requests in a batch [default: 1000].
    #[arg(long, value_name = "COUNT")]
    max_batch: Option<u32>,
    /// Most bytes that a trace, or the logs of a request, come to before it is given up [default: 26214400].
    #[arg(long, value_name = "BYTES")]
    max_trace_bytes: Option<u64>,
    /// Most milliseconds for a call, an estimate, a simulation or a search for logs [default: 5000].
    #[arg(long, value_name = "MS")]
    call_timeout_ms: Option<u64>,
    /// Most milliseconds for a request that traces [default: 5000].
    #[arg(long, value_name = "MS")]
    trace_timeout_ms: Option<u64>,
    /// Milliseconds that eth_sendRawTransactionSync waits for a block, if its caller does not want less [default:
    /// 10000].
    #[arg(long, value_name = "MS")]
    sync_timeout_ms: Option<u64>,
    /// Connections that may be open at once, idle ones and WebSockets too [default: 4096].
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<u32>,
    /// Connections that one address may have open at once; of IPv6 the first 64 bits are an address [default: 512].
    #[arg(long, value_name = "COUNT")]
    max_connections_per_address: Option<u32>,
    /// Milliseconds for a whole request, and for a client to read anything of its answer [default: 10000].
    #[arg(long, value_name = "MS")]
    request_timeout_ms: Option<u64>,
    /// Bytes that may wait for the client of a connection to read them [default: 33554432].
    #[arg(long, value_name = "BYTES")]
    max_queued_bytes: Option<usize>,
    /// Bytes of requests and answers that all connections may hold together [default: 134217728].
    #[arg(long, value_name = "BYTES")]
    max_held_bytes: Option<usize>,
    /// Most subscriptions of all connections together [default: 4096].
    #[arg(long, value_name = "COUNT")]
    max_subscriptions: Option<usize>,
    /// Most subscriptions of a connection [default: 128].
    #[arg(long, value_name = "COUNT")]
    max_subscriptions_per_connection: Option<u32>,
    /// Milliseconds from one block to the next, if there is anything to put into it [default: 1000].
    #[arg(long, value_name = "MS")]
    block_time_ms: Option<u64>,
    /// Milliseconds from one block to the next if there is nothing [default: 600000].
    #[arg(long, value_name = "MS")]
    idle_block_time_ms: Option<u64>,
    /// Milliseconds for which blocks are collected before they go to L1 [default: 12000].
    #[arg(long, value_name = "MS")]
    submit_interval_ms: Option<u64>,
    /// Milliseconds between two looks at L1 [default: 500].
    #[arg(long, value_name = "MS")]
    poll_interval_ms: Option<u64>,
    /// L1 blocks on top of one before its messages and forced transactions are taken over [default: 0].
    #[arg(long, value_name = "BLOCKS")]
    l1_confirmations: Option<u64>,
    /// Most milliseconds for which blocks are made while L1 does not answer; half of the rollup's lag, if that is less
    /// [default: 300000].
    #[arg(long, value_name = "MS")]
    l1_drift_ms: Option<u64>,
    /// Key that signs for L1: a keystore (Web3 secret storage), or the file of keys that holds it as `advance`. A raw key
    /// is taken from ENSHRINE_ADVANCE_KEY or the file of --config.
    #[arg(long, value_name = "FILE")]
    advance_key: Option<String>,
    /// Key that signs for the L2, in the same forms; a file of keys holds it as `operator`.
    #[arg(long, value_name = "FILE")]
    operator_key: Option<String>,
    /// File with the password of the keystore of --advance-key.
    #[arg(long, value_name = "FILE")]
    advance_password_file: Option<PathBuf>,
    /// File with the password of the keystore of --operator-key.
    #[arg(long, value_name = "FILE")]
    operator_password_file: Option<PathBuf>,
    /// URL of a Web3Signer that holds the key for L1; needs --advance-address.
    #[arg(long, value_name = "URL")]
    advance_signer: Option<String>,
    /// Account of the key that --advance-signer holds.
    #[arg(long, value_name = "ADDRESS")]
    advance_address: Option<Address>,
    /// URL of a Web3Signer that holds the key for the L2; needs --operator-address.
    #[arg(long, value_name = "URL")]
    operator_signer: Option<String>,
    /// Account of the key that --operator-signer holds.
    #[arg(long, value_name = "ADDRESS")]
    operator_address: Option<Address>,
    /// Most gwei that are spent on L1 in a day [default: 10000000000].
    #[arg(long, value_name = "GWEI")]
    daily_limit_gwei: Option<u64>,
    /// Most gwei per blob gas; while blobs cost more, blocks go to L1 as calldata [default: 100].
    #[arg(long, value_name = "GWEI")]
    blob_fee_limit_gwei: Option<u64>,
    /// Most transactions on their way to L1 at once [default: 4].
    #[arg(long, value_name = "COUNT")]
    l1_in_flight: Option<usize>,
    /// Most bytes of a transaction on L1, if it takes more than the public pools of mainnet do [default: 131072].
    #[arg(long, value_name = "BYTES")]
    l1_transaction_bytes: Option<usize>,
    /// Most gas of a transaction on L1, if it allows more than EIP-7825, and no more than its blocks have [default:
    /// 16777216].
    #[arg(long, value_name = "GAS")]
    l1_transaction_gas: Option<u64>,
    /// Gas schedule of EXECUTE on L1: default, flat, ethrex, BASE+PER_BYTE or
    /// BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM [default: default].
    #[arg(long, value_name = "SCHEDULE")]
    l1_execute_gas: Option<String>,
    /// Most milliseconds in which a block has to get to L1: no block is made that would not. Without it, and at most, half
    /// of the rollup's lag.
    #[arg(long, value_name = "MS")]
    backlog_age_ms: Option<u64>,
    /// Percentage of what L1 takes in that time from which on blocks get smaller and come more rarely [default: 50].
    #[arg(long, value_name = "PERCENT")]
    backlog_slow_percent: Option<u8>,
    /// Most transactions that wait in the pool of a sequencer [default: 20000].
    #[arg(long, value_name = "COUNT")]
    pool_transactions: Option<usize>,
    /// Most of them that one account may have [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pool_per_account: Option<usize>,
    /// Most of them that wait for a missing nonce [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pool_gapped: Option<usize>,
    /// Most of these that one account may have [default: 16].
    #[arg(long, value_name = "COUNT")]
    pool_gapped_per_account: Option<usize>,
    /// Blocks after which a transaction is dropped that waits for a missing nonce [default: 300].
    #[arg(long, value_name = "BLOCKS")]
    pool_gapped_lifetime: Option<u64>,
    /// Accept legacy transactions without a chain id (before EIP-155), which are valid on every chain.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_unprotected: Option<bool>,
    /// Accounts to which none of these limits applies, and whose transactions never give way.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pool_local: Option<Vec<Address>>,
    /// Least tip, in wei per gas, of what the pool of a sequencer takes [default: 0].
    #[arg(long, value_name = "WEI")]
    min_tip: Option<u64>,
    /// Least that a transaction pays in tips for each byte that it makes a block longer on L1, in wei [default: 0].
    #[arg(long, value_name = "WEI")]
    byte_price: Option<u64>,
    /// WebSocket URL of a sequencer, for blocks that L1 does not have yet. A sequencer follows the one there if
    /// that is a sequencer already.
    #[arg(long, value_name = "URL")]
    sequencer: Option<String>,
    /// URLs of the witnesses of a lease (`enshrine lease-witness`), separated by commas: of several nodes with the keys
    /// of a sequencer, the one that has the lease makes blocks, and another takes over when that is gone.
    #[arg(long, value_name = "URLS", requires_all = ["lease_secret", "lease_url"])]
    lease_witnesses: Option<String>,
    /// File with the secret of the witnesses: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    lease_secret: Option<PathBuf>,
    /// WebSocket URL at which other nodes follow this one while it has the lease.
    #[arg(long, value_name = "URL")]
    lease_url: Option<String>,
    /// Loopback address and port at which the role can be changed (rollup_promote, rollup_demote).
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_addr: Option<SocketAddr>,
    /// Address and port at which the Engine API is served; needs --jwt-secret.
    #[arg(long, value_name = "ADDRESS:PORT")]
    engine_addr: Option<SocketAddr>,
    /// URL of the Engine API of another client, which is kept at the head of this node; needs --jwt-secret.
    #[arg(long, value_name = "URL")]
    engine: Option<String>,
    /// File with the secret of the Engine API: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    jwt_secret: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let values = arguments.values()?;
    if arguments.print_config {
        let text = toml::to_string(&values.shown()).wrap_err("cannot be written as TOML")?;
        output::write(format_args!("{text}"));
        return Ok(ExitCode::SUCCESS);
    }
    let config = values.config()?;
    if arguments.check {
        return check(&config, arguments.json);
    }
    rpc::allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config));
    // A request to an L1 that does not answer is not waited for.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Prints what a start of the node would check.
fn check(config: &Config, json: bool) -> Result<ExitCode> {
    let checks = ::rollup::preflight(config)?;
    if json {
        say!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for Check { name, verdict, got, expected, advice } in &checks {
            let mark = match verdict {
                CheckOutcome::Passed => "passed ",
                CheckOutcome::Warning => "WARNING",
                CheckOutcome::Refused => "REFUSED",
            };
            say!("{mark}  {name}: {got}");
            if let Some(advice) = advice {
                say!("         expected {expected}");
                say!("         {advice}");
            }
        }
    }
    let has_passed = checks.iter().all(|check| check.verdict == CheckOutcome::Passed);
    Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a node until the process is told to end.
async fn serve(config: Config) -> Result<()> {
    let mut end = rpc::termination().wrap_err("cannot listen to signals")?;
    let node = tokio::select! {
        started = RollupNode::start(config) => started?,
        _ = &mut end => return Ok(()),
    };
    for address in node.server().addresses() {
        say!("Listening on {address}");
    }
    if let Some(address) = node.engine_address() {
        say!("Engine API on {address}");
    }
    // It cannot be taken back: the sender speaks once, or is gone with the process.
    let panicked = tokio::select! {
        _ = end => None,
        panicked = node.failed() => Some(panicked),
    };
    tracing::info!("stopping");
    if time::timeout(SHUTDOWN_TIMEOUT, node.stop()).await.is_err() {
        tracing::warn!("shutdown timed out, abandoning remaining tasks");
    }
    // With an error, so that a service manager starts the node anew: all that it acknowledged is on disk.
    panicked.map_or(Ok(()), |panicked| Err(panicked.into()))
}

impl Arguments {
    /// The values from all places, the nearer ones first.
    fn values(&self) -> Result<Values> {
        refuse_secret("--advance-key", self.values.advance_key.as_deref())?;
        refuse_secret("--operator-key", self.values.operator_key.as_deref())?;
        let flags = toml::Table::try_from(&self.values).wrap_err("a flag cannot be understood")?;
        let mut all = toml::Table::try_from(Values::defaults()).wrap_err("the defaults")?;
        all.extend(match &self.config {
            Some(path) => {
                let text = fs::read_to_string(path)
                    .wrap_err_with(|| format!("cannot read {}", path.display()))?;
                let values = text.parse::<toml::Table>().map_err(Report::new);
                values.and_then(checked).wrap_err_with(|| path.display().to_string())?
            }
            None => toml::Table::new(),
        });
        for (name, value) in from_environment() {
            let variable = format!("{PREFIX}{}", name.to_uppercase());
            let value = checked([(name, value)].into_iter().collect()).wrap_err(variable)?;
            all.extend(value);
        }
        all.extend(flags);
        all.try_into().wrap_err("the configuration")
    }
}

/// Returns the table if the configuration has all its keys. Each source is checked by itself, so
/// that an error names the file or the variable.
fn checked(table: toml::Table) -> Result<toml::Table> {
    let _: Values = table.clone().try_into()?;
    Ok(table)
}

/// The values in the environment. Numbers and booleans are that there too.
fn from_environment() -> toml::Table {
    let known = toml::Table::try_from(Values::all()).unwrap_or_default();
    known
        .into_iter()
        .filter_map(|(name, example)| {
            let text = env::var(format!("{PREFIX}{}", name.to_uppercase())).ok()?;
            let number = text.parse::<i64>().ok().filter(|_| example.is_integer());
            let flag = text.parse::<bool>().ok().filter(|_| example.is_bool());
            let value = match number {
                Some(number) => number.into(),
                None if flag.is_some() => flag.unwrap_or_default().into(),
                None if example.is_array() => text.split(',').collect::<Vec<_>>().into(),
                None => text.into(),
            };
            Some((name, value))
        })
        .collect()
}

impl Values {
    /// Each value, to tell their names and kinds.
    fn all() -> Self {
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
            sequencer: text(),
            lease_witnesses: text(),
            lease_secret: Some(PathBuf::new()),
            lease_url: text(),
            admin_addr: address,
            engine_addr: address,
            engine: text(),
            jwt_secret: Some(PathBuf::new()),
            backlog_age_ms: Some(0),
            ..Self::defaults()
        }
    }

    /// The default values. Required values and those that are off by default have none.
    fn defaults() -> Self {
        let (submitter, pool) = (SubmitterConfig::default(), PoolLimits::public());
        let gwei = |wei: u128| u64::try_from(wei / GWEI).ok();
        Self {
            role: Some(RoleName::Follower),
            http_host: Some([127, 0, 0, 1].into()),
            http_port: Some(9_545),
            http_api: Some(PUBLIC_API.to_owned()),
            ws_api: Some(PUBLIC_API.to_owned()),
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
            block_time_ms: Some(1_000),
            idle_block_time_ms: Some(600_000),
            submit_interval_ms: Some(12_000),
            poll_interval_ms: Some(500),
            l1_confirmations: Some(0),
            l1_drift_ms: Some(300_000),
            daily_limit_gwei: gwei(submitter.daily_limit),
            blob_fee_limit_gwei: gwei(submitter.max_blob_fee),
            l1_in_flight: Some(submitter.max_in_flight),
            l1_transaction_bytes: Some(submitter.limits.bytes),
            l1_transaction_gas: Some(submitter.limits.gas),
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
    fn shown(self) -> Self {
        let hidden = |key: Option<String>| {
            key.map(|key| if Path::new(&key).exists() { key } else { "(a key)".to_owned() })
        };
        let (advance_key, operator_key) = (hidden(self.advance_key), hidden(self.operator_key));
        Self { advance_key, operator_key, ..self }
    }

    /// Configuration of block production.
    fn sequencing(&self) -> Result<SequencerConfig> {
        let advance = KeySource {
            name: "advance",
            key: self.advance_key.as_deref(),
            password: self.advance_password_file.as_deref(),
            signer: self.advance_signer.as_deref(),
            address: self.advance_address,
        };
        let operator = KeySource {
            name: "operator",
            key: self.operator_key.as_deref(),
            password: self.operator_password_file.as_deref(),
            signer: self.operator_signer.as_deref(),
            address: self.operator_address,
        };
        let in_flight = given("--l1-in-flight", self.l1_in_flight)?;
        ensure!(in_flight > 0, "--l1-in-flight: at least one");
        // What an L2 block can owe has to fit into a transaction, so neither is less than on mainnet.
        let mainnet = L1Limits::default();
        let bytes = given("--l1-transaction-bytes", self.l1_transaction_bytes)?;
        ensure!(bytes >= mainnet.bytes, "--l1-transaction-bytes: at least {}", mainnet.bytes);
        let gas = given("--l1-transaction-gas", self.l1_transaction_gas)?;
        ensure!(gas >= mainnet.gas, "--l1-transaction-gas: at least {}", mainnet.gas);
        let slow_percent = given("--backlog-slow-percent", self.backlog_slow_percent)?;
        ensure!(slow_percent < 100, "--backlog-slow-percent: less than 100");
        Ok(SequencerConfig {
            advance_key: advance.signer(|keys| keys.advance.secret())?,
            operator_key: operator.signer(|keys| keys.operator.secret())?,
            block_time: milliseconds("--block-time-ms", self.block_time_ms)?,
            idle_block_time: milliseconds("--idle-block-time-ms", self.idle_block_time_ms)?,
            submit_interval: milliseconds("--submit-interval-ms", self.submit_interval_ms)?,
            confirmations: given("--l1-confirmations", self.l1_confirmations)?,
            l1_drift: milliseconds("--l1-drift-ms", self.l1_drift_ms)?,
            submitter: SubmitterConfig {
                daily_limit: wei("--daily-limit-gwei", self.daily_limit_gwei)?,
                max_blob_fee: wei("--blob-fee-limit-gwei", self.blob_fee_limit_gwei)?,
                max_in_flight: in_flight,
                limits: L1Limits { gas, bytes },
                ..SubmitterConfig::default()
            },
            backlog: BacklogConfig {
                max_age: self.backlog_age_ms.map(Duration::from_millis),
                slow_percent,
            },
            pool: PoolLimits {
                transactions: given("--pool-transactions", self.pool_transactions)?,
                per_sender: given("--pool-per-account", self.pool_per_account)?,
                gapped: given("--pool-gapped", self.pool_gapped)?,
                gapped_per_sender: given(
                    "--pool-gapped-per-account",
                    self.pool_gapped_per_account,
                )?,
                gapped_lifetime: given("--pool-gapped-lifetime", self.pool_gapped_lifetime)?,
                accepts_unprotected: self.allow_unprotected.unwrap_or_default(),
                local: self.pool_local.iter().flatten().copied().collect(),
                ..PoolLimits::public()
            },
            prices: Prices {
                gas: given("--min-tip", self.min_tip)?.into(),
                byte: given("--byte-price", self.byte_price)?.into(),
            },
        })
    }

    /// Listening addresses of the node, and limits of what it takes from strangers.
    fn server(&self) -> Result<ServerConfig> {
        Ok(ServerConfig {
            hosts: vec![given("--http-host", self.http_host)?],
            port: given("--http-port", self.http_port)?,
            max_response: given("--max-response-bytes", self.max_response_bytes)?,
            max_batch: given("--max-batch", self.max_batch)?,
            max_connections: given("--max-connections", self.max_connections)?,
            max_connections_per_address: given(
                "--max-connections-per-address",
                self.max_connections_per_address,
            )?,
            request_timeout: milliseconds("--request-timeout-ms", self.request_timeout_ms)?,
            max_queued: given("--max-queued-bytes", self.max_queued_bytes)?,
            max_held: given("--max-held-bytes", self.max_held_bytes)?,
            max_subscriptions: given(
                "--max-subscriptions-per-connection",
                self.max_subscriptions_per_connection,
            )?,
            limits: RequestLimits {
                trace_bytes: given("--max-trace-bytes", self.max_trace_bytes)?,
                call_time: milliseconds("--call-timeout-ms", self.call_timeout_ms)?,
                trace_time: milliseconds("--trace-timeout-ms", self.trace_timeout_ms)?,
                sync_time: milliseconds("--sync-timeout-ms", self.sync_timeout_ms)?,
                subscriptions: given("--max-subscriptions", self.max_subscriptions)?,
            },
            http_api: namespaces("--http-api", self.http_api.as_deref())?,
            ws_api: namespaces("--ws-api", self.ws_api.as_deref())?,
            ..ServerConfig::default()
        })
    }

    fn config(self) -> Result<Config> {
        let server = self.server()?;
        let is_sequencer = self.role == Some(RoleName::Sequencer);
        // A follower that has both keys can be promoted.
        let has_keys = (self.advance_key.is_some() || self.advance_signer.is_some())
            && (self.operator_key.is_some() || self.operator_signer.is_some());
        let sequencing = match is_sequencer || has_keys {
            true => Some(Box::new(self.sequencing()?)),
            false => None,
        };
        let (role, standby, peer) = match sequencing {
            Some(sequencing) if is_sequencer => (Role::Sequencer(sequencing), None, self.sequencer),
            standby => (Role::Follower { sequencer: self.sequencer }, standby, None),
        };
        let engine = match (self.jwt_secret, self.engine_addr, self.engine) {
            (None, None, None) => None,
            (None, _, _) => return Err(missing("--jwt-secret")),
            (Some(_), None, None) => {
                bail!("--jwt-secret: neither --engine-addr nor --engine is given")
            }
            (Some(file), serve, drive) => {
                let secret = JwtSecret::read(&file).wrap_err("--jwt-secret")?;
                Some(EngineConfig { secret, serve, drive })
            }
        };
        let lease = match self.lease_witnesses {
            None => None,
            Some(witnesses) => {
                let secret = given("--lease-secret", self.lease_secret)?;
                let secret = JwtSecret::read(&secret).wrap_err("--lease-secret")?;
                let url = given("--lease-url", self.lease_url)?;
                Some(LeaseConfig { witnesses: urls(&witnesses), secret, url })
            }
        };
        let schedule = given("--l1-execute-gas", self.l1_execute_gas)?;
        let schedule = schedule.parse::<GasSchedule>().wrap_err("--l1-execute-gas")?;
        Ok(Config {
            deployment: given("--deployment", self.deployment)?,
            allow_altered_genesis: self.allow_altered_genesis.unwrap_or_default(),
            l1: urls(&given("--l1", self.l1)?),
            l1_beacon: self.l1_beacon.as_deref().map(urls).unwrap_or_default(),
            l1_timeout: Duration::from_secs(30),
            profile: L1Profile { schedule },
            poll_interval: milliseconds("--poll-interval-ms", self.poll_interval_ms)?,
            data_dir: self.data_dir,
            role,
            standby,
            peer,
            lease,
            admin: self.admin_addr,
            server,
            engine,
        })
    }
}

fn missing(flag: &str) -> Report {
    eyre!("{flag} is missing, and it has no default")
}

/// A value that a source of the configuration, or the default, has set.
fn given<T>(flag: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| missing(flag))
}

/// Each URL of a list that commas separate.
fn urls(list: &str) -> Vec<String> {
    list.split(',').map(|url| url.trim().to_owned()).collect()
}

fn namespaces(flag: &str, names: Option<&str>) -> Result<Namespaces> {
    given(flag, names)?.parse().wrap_err_with(|| flag.to_owned())
}

fn milliseconds(flag: &str, value: Option<u64>) -> Result<Duration> {
    given(flag, value).map(Duration::from_millis)
}

fn wei(flag: &str, gwei: Option<u64>) -> Result<u128> {
    given(flag, gwei).map(|gwei| u128::from(gwei) * GWEI)
}
