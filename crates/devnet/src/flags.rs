//! Flags for forking another node and for the output, and flags of anvil that have no effect.

use crate::{DevnetError, Fork, ServerConfig, Traces, cache};
use alloy_primitives::B256;
use chain::{ForkTime, ForkTimes};
use clap::{ArgAction, Args, ValueEnum};
use rpc::RequestLimits;
use std::{path::PathBuf, time::Duration};
use wire::ProtocolFork;

/// Flags for forking another node's chain.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fork")]
pub struct ForkArgs {
    /// Fork this node's chain; `@NUM` at the end of the URL sets the block. If given more than
    /// once, requests rotate through the URLs
    #[arg(short, long, value_name = "URL", visible_alias = "rpc-url", value_parser = node_address)]
    pub fork_url: Vec<String>,

    /// Block to fork [default: the newest]
    #[arg(long, value_name = "NUM", requires = "fork_url", allow_hyphen_values = true)]
    pub fork_block_number: Option<i64>,

    /// Use this chain id instead of requesting it from the forked node
    #[arg(long, value_name = "ID", requires = "fork_url", value_parser = chain_id)]
    pub fork_chain_id: Option<u64>,

    /// Header to send with each request, e.g. "Authorization: Bearer ..."
    #[arg(long = "fork-header", value_name = "HEADER", requires = "fork_url", value_parser = header)]
    pub fork_headers: Vec<(String, String)>,

    /// Number of retries of a request that fails or that the node is too busy for
    #[arg(long, default_value_t = 5, value_name = "NUM")]
    pub retries: u32,

    /// Milliseconds before the first retry of a request; the pause doubles with each retry
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    pub fork_retry_backoff: u64,

    /// Timeout of a request, in milliseconds
    #[arg(long, default_value_t = 45_000, value_name = "MS")]
    pub timeout: u64,

    /// Compute units per second that the provider allows
    #[arg(long, default_value_t = 330, value_name = "CUPS")]
    pub compute_units_per_second: u64,

    /// Disable rate limiting by compute units
    #[arg(long, visible_alias = "no-rpc-rate-limit")]
    pub no_rate_limit: bool,

    /// Do not cache the forked node's responses on disk
    #[arg(long)]
    pub no_storage_caching: bool,
}

impl ForkArgs {
    /// Returns the fork that the flags request, if any.
    pub(crate) fn fork(&self) -> Option<Fork> {
        let (url, more) = self.fork_url.split_first()?;
        Some(Fork {
            url: url.clone(),
            more_urls: more.to_vec(),
            block: self.fork_block_number,
            chain_id: self.fork_chain_id,
            headers: self.fork_headers.clone(),
            timeout: Duration::from_millis(self.timeout),
            retries: self.retries,
            backoff: Duration::from_millis(self.fork_retry_backoff),
            units_per_second: (!self.no_rate_limit).then_some(self.compute_units_per_second),
            gas_limit: None,
            base_fee: None,
            cache: cache::default_folder().filter(|_| !self.no_storage_caching && !is_local(url)),
        })
    }
}

/// Rejects an alias of `foundry.toml` in place of a URL.
fn node_address(text: &str) -> Result<String, String> {
    let host = text.split_once('@').map_or(text, |(host, _)| host);
    if host == "localhost" || text.contains(['.', ':', '/']) {
        return Ok(text.to_owned());
    }
    Err("the URL has neither a scheme nor a host, and aliases of foundry.toml are not read: give an \
         address such as https://host/path"
        .to_owned())
}

/// Returns `true` if the URL is that of a node on this machine. Such a node may run another chain
/// tomorrow, so its responses are not cached.
fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local) || host.contains(&format!("@{local}")))
}

/// Limits of requests and connections. They are far above what tests need, and keep one client from
/// exhausting the machine.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct LimitArgs {
    /// Maximum size of a response, and of the responses to a batch, in bytes
    #[arg(long, default_value_t = ServerConfig::default().max_response, value_name = "BYTES")]
    pub max_response_bytes: u32,

    /// Maximum size of the traces, logs or call outputs of a request, or of the past logs of all
    /// filters, in bytes
    #[arg(long, default_value_t = RequestLimits::default().trace_bytes, value_name = "BYTES")]
    pub max_trace_bytes: u64,

    /// Maximum time of a call, an estimate, a simulation or a log search, in milliseconds
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    pub call_timeout_ms: u64,

    /// Maximum time of a request that traces, in milliseconds
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    pub trace_timeout_ms: u64,

    /// Maximum time that eth_sendRawTransactionSync and eth_sendTransactionSync wait for a block,
    /// in milliseconds
    #[arg(long, default_value_t = 30_000, value_name = "MS")]
    pub sync_timeout_ms: u64,

    /// Maximum number of open connections per address; the first 64 bits of an IPv6 address count
    /// as one
    #[arg(long, default_value_t = ServerConfig::default().max_connections_per_address, value_name = "NUM")]
    pub max_connections_per_address: u32,

    /// Timeout for receiving a whole request, and for a client to read any part of its response, in
    /// milliseconds
    #[arg(long, default_value_t = 30_000, value_name = "MS")]
    pub request_timeout_ms: u64,

    /// Maximum number of bytes queued for the client of a connection
    #[arg(long, default_value_t = ServerConfig::default().max_queued, value_name = "BYTES")]
    pub max_queued_bytes: usize,

    /// Maximum number of bytes of requests and responses, over all connections
    #[arg(long, default_value_t = ServerConfig::default().max_held, value_name = "BYTES")]
    pub max_held_bytes: usize,

    /// Maximum number of subscriptions, over all connections
    #[arg(long, default_value_t = RequestLimits::default().subscriptions, value_name = "NUM")]
    pub max_subscriptions: usize,

    /// Maximum number of subscriptions per connection
    #[arg(long, default_value_t = ServerConfig::default().max_subscriptions, value_name = "NUM")]
    pub max_subscriptions_per_connection: u32,
}

impl LimitArgs {
    /// Returns a server configuration with these limits.
    pub(crate) fn server(&self) -> ServerConfig {
        ServerConfig {
            max_response: self.max_response_bytes,
            max_connections_per_address: self.max_connections_per_address,
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            max_queued: self.max_queued_bytes,
            max_held: self.max_held_bytes,
            max_subscriptions: self.max_subscriptions_per_connection,
            limits: RequestLimits {
                trace_bytes: self.max_trace_bytes,
                call_time: Duration::from_millis(self.call_timeout_ms),
                trace_time: Duration::from_millis(self.trace_timeout_ms),
                sync_time: Duration::from_millis(self.sync_timeout_ms),
                subscriptions: self.max_subscriptions,
            },
            ..ServerConfig::default()
        }
    }
}

/// Flags for the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct DisplayArgs {
    /// Print nothing, and log only what RUST_LOG selects
    #[arg(short = 'q', long, visible_alias = "silent")]
    pub quiet: bool,

    /// Print more: -v what the node does, -vv rejected requests, -vvv traces of failures, -vvvv all
    /// traces, -vvvvv storage changes too
    #[arg(short = 'v', long = "verbosity", action = ArgAction::Count)]
    pub verbosity: u8,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,

    /// Print the traces of transactions and eth_call
    #[arg(long, visible_alias = "enable-trace-printing")]
    pub print_traces: bool,

    /// Do not print console.log output of contracts
    #[arg(long, visible_alias = "no-console-log")]
    pub disable_console_log: bool,
}

impl DisplayArgs {
    /// Returns which executions have their traces printed.
    pub(crate) const fn traces(&self) -> Traces {
        match self.verbosity {
            5.. => Traces::Storage,
            4 => Traces::All,
            _ if self.print_traces => Traces::All,
            3 => Traces::Failures,
            _ => Traces::None,
        }
    }
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Only on a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Network families that anvil supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Ethereum.
    Ethereum,
    /// The OP Stack.
    Optimism,
    /// Tempo.
    Tempo,
}

/// Flags of anvil that have no effect here, because the devnet always behaves as they request, or
/// cannot do so.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accepted for compatibility with anvil")]
pub struct AnvilArgs {
    /// No effect: states share their data, and all of them stay in memory
    #[arg(long, value_name = "NUM")]
    pub max_persisted_states: Option<usize>,

    /// No effect: states are never moved to disk
    #[arg(long, value_name = "PATH")]
    pub cache_path: Option<PathBuf>,

    /// No effect: the output has no colors
    #[arg(long, value_enum, value_name = "WHEN")]
    pub color: Option<Color>,

    /// No effect: the output is valid Markdown already
    #[arg(long)]
    pub md: bool,

    /// Network family; only Ethereum is supported
    #[arg(short = 'n', long, value_enum, value_name = "NAME")]
    pub network: Option<Network>,

    /// Refused: only Ethereum is supported
    #[arg(long, hide = true)]
    pub celo: bool,

    /// Refused: only Ethereum is supported
    #[arg(long, hide = true)]
    pub optimism: bool,

    /// Refused: only Ethereum is supported
    #[arg(long, hide = true)]
    pub tempo: bool,

    /// Refused: gas bounds the memory of the EVM
    #[arg(long, hide = true, value_name = "BYTES")]
    pub memory_limit: Option<u64>,

    /// Refused: a fork always begins after a whole block
    #[arg(long, hide = true, value_name = "HASH")]
    pub fork_transaction_hash: Option<B256>,
}

impl AnvilArgs {
    /// Rejects flags that the devnet cannot support.
    pub(crate) fn check(&self) -> Result<(), DevnetError> {
        let refused =
            |flag, reason: &str| Err(DevnetError::Flag { flag, reason: reason.to_owned() });
        let of_another_network = [
            ("--celo", self.celo),
            ("--optimism", self.optimism),
            ("--tempo", self.tempo),
            ("--network", self.network.is_some_and(|network| network != Network::Ethereum)),
        ];
        if let Some((flag, _)) = of_another_network.into_iter().find(|(_, is_given)| *is_given) {
            return refused(
                flag,
                "the devnet only supports Ethereum's rules: for other networks use anvil",
            );
        }
        if self.memory_limit.is_some() {
            return refused("--memory-limit", "gas bounds the memory of the EVM: use --gas-limit");
        }
        if self.fork_transaction_hash.is_some() {
            return refused(
                "--fork-transaction-hash",
                "a fork begins after a whole block: use --fork-block-number with the block before \
                 and send the transactions up to that one",
            );
        }
        Ok(())
    }
}

/// Parses a chain id or the name of a known chain.
pub(crate) fn chain_id(text: &str) -> Result<u64, String> {
    let chain: Result<alloy_chains::Chain, _> = text.parse();
    chain.map(|chain| chain.id()).map_err(|_| {
        "expected a number, or the name of a chain such as mainnet or sepolia".to_owned()
    })
}

fn header(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "expected a name and a value, separated by a colon".to_owned())
}

/// Fork schedule of `--hardfork`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardforks {
    /// Fork active at genesis.
    pub first: crate::Hardfork,
    /// Later forks and their activation, in order.
    pub later: Vec<(ProtocolFork, ForkTime)>,
}

/// Parses a single fork or a [schedule](ForkTimes).
pub(crate) fn hardforks(text: &str) -> Result<Hardforks, String> {
    if !text.contains([',', '@']) {
        return Ok(Hardforks { first: hardfork(text)?, later: Vec::new() });
    }
    let ForkTimes { first, later } = text.parse().map_err(|error| format!("{error}"))?;
    Ok(Hardforks { first: hardfork(first.name())?, later })
}

/// Parses the name of a fork.
pub(crate) fn hardfork(text: &str) -> Result<crate::Hardfork, String> {
    let all = crate::Hardfork::value_variants();
    let by_schema_id = || {
        let fork = codec::parse_fork(text).ok()?;
        all.iter().copied().find(|known| known.merged() == Some(fork))
    };
    crate::Hardfork::from_str(text, true).ok().or_else(by_schema_id).ok_or_else(|| {
        let known = all.iter().filter_map(|fork| fork.to_possible_value());
        let names: Vec<_> = known.map(|value| value.get_name().to_owned()).collect();
        format!("expected one of {}, or a schema id such as 0x1201", names.join(", "))
    })
}

/// Parses a fork whose blocks EXECUTE can verify.
pub(crate) fn execute_fork(text: &str) -> Result<ProtocolFork, String> {
    let oldest = ProtocolFork::Cancun;
    let fork = codec::parse_fork(text).map_err(|error| format!("{error}"))?;
    if fork < oldest {
        let known = ProtocolFork::ALL.into_iter().filter(|fork| *fork >= oldest);
        let names: Vec<_> = known.map(ProtocolFork::name).collect();
        return Err(format!("EXECUTE only supports blocks of {}", names.join(", ")));
    }
    Ok(fork)
}

/// Returns the error for `--init` together with a fork.
pub(crate) fn init_of_a_fork() -> DevnetError {
    let reason = "with --fork-url the chain begins at a block of the forked node, and has its genesis: \
                  leave --init out, set the chain id with --chain-id, and accounts with \
                  anvil_setBalance, anvil_setCode and anvil_setStorageAt";
    DevnetError::Flag { flag: "--init", reason: reason.to_owned() }
}

/// Returns the block gas limit of the flags; `unlimited` is the value if the limit is disabled.
pub(crate) fn gas_limit(
    limit: Option<u64>,
    unlimited: Option<u64>,
) -> Result<Option<u64>, DevnetError> {
    if limit.is_some_and(|limit| limit < 5000) {
        let reason = "the minimum is 5000".to_owned();
        return Err(DevnetError::Flag { flag: "--gas-limit", reason });
    }
    Ok(limit.or(unlimited))
}
