//! Flags of `enshrine devnet`: anvil's, as far as they apply to a devnet, and those of EXECUTE.

pub use crate::flags::{AnvilArgs, Color, DisplayArgs, ForkArgs, Hardforks, LimitArgs, Network};
use crate::{
    DevnetConfig, DevnetError, Fork, MiningMode, MnemonicSource, ServerConfig,
    accounts::{DEFAULT_DERIVATION_PATH, DEFAULT_MNEMONIC},
    config::{Origin, TimeOfDay, ether},
    flags,
    genesis::{base_fee_before, read_genesis},
    state_file::StateFile,
};
use alloy_genesis::Genesis;
use chain::ForkTime;
use clap::{Args, ValueEnum};
use rpc::{Access, Namespaces};
use std::{net::IpAddr, num::NonZeroUsize, path::PathBuf, time::Duration};
use variants::{DialectName, Dialects, GasSchedule};
use wire::ProtocolFork;

/// Order of pending transactions within a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OrderFlag {
    /// By fee, highest first.
    #[default]
    Fees,
    /// By arrival, earliest first.
    Fifo,
}

/// Default path of the IPC socket.
pub const DEFAULT_IPC: &str = "/tmp/enshrine.ipc";

/// Command-line flags of a devnet.
#[derive(Debug, Clone, Args)]
pub struct DevnetArgs {
    /// Number of test accounts
    #[arg(short, long, default_value_t = 10, value_name = "NUM", help_heading = "Accounts")]
    pub accounts: u32,

    /// Balance of each test account, in ether
    #[arg(long, default_value_t = DevnetConfig::BALANCE, value_name = "NUM", help_heading = "Accounts")]
    pub balance: u64,

    /// BIP-39 mnemonic of the test accounts [default: test test … junk]
    #[arg(short, long, value_name = "PHRASE", conflicts_with_all = ["mnemonic_random", "mnemonic_seed"], help_heading = "Accounts")]
    pub mnemonic: Option<String>,

    /// Generate a mnemonic of this many words
    #[arg(long, value_name = "WORDS", num_args = 0..=1, default_missing_value = "12", conflicts_with = "mnemonic_seed", help_heading = "Accounts")]
    pub mnemonic_random: Option<usize>,

    /// Derive the mnemonic from this seed; never use it for valuable keys
    #[arg(long = "mnemonic-seed-unsafe", value_name = "SEED", help_heading = "Accounts")]
    pub mnemonic_seed: Option<u64>,

    /// Derivation path to which the index of an account is appended
    #[arg(long, default_value = DEFAULT_DERIVATION_PATH, value_name = "PATH", help_heading = "Accounts")]
    pub derivation_path: String,

    /// Accept unsigned transactions from any sender
    #[arg(long, visible_alias = "auto-unlock", help_heading = "Accounts")]
    pub auto_impersonate: bool,

    /// Chain id or name, such as mainnet [default: 31337, or that of the genesis file]
    #[arg(long, value_name = "ID", value_parser = flags::chain_id, help_heading = "Chain")]
    pub chain_id: Option<u64>,

    /// Fork active at genesis: frontier, homestead, dao, tangerine, spuriousdragon, byzantium,
    /// constantinople, petersburg, istanbul, muirglacier, berlin, london, arrowglacier,
    /// grayglacier, paris, shanghai, cancun, prague, osaka, bpo1, bpo2 or amsterdam. Later forks,
    /// from cancun on, can follow with their activation: FORK@+SECONDS after genesis,
    /// FORK@TIMESTAMP, or with --block-time FORK@#BLOCK, e.g. prague,osaka@+60,amsterdam@+120
    #[arg(
        long,
        value_parser = flags::hardforks,
        default_value = "bpo1",
        value_name = "FORKS",
        help_heading = "Chain"
    )]
    pub hardfork: Hardforks,

    /// Enforce L1's rules where anvil's are looser: increasing timestamps, the gas cap of EIP-7825,
    /// 128 KiB per transaction, the calldata floor of EIP-7623 at admission, and the fork's limits
    /// on code and initcode size. The flag of a single rule overrides this flag
    #[arg(long, help_heading = "Chain")]
    pub mainnet: bool,

    /// Start from this genesis file, in geth's format
    #[arg(long, value_name = "FILE", visible_alias = "genesis", help_heading = "Chain")]
    pub init: Option<PathBuf>,

    /// File of consecutive RLP blocks to import after the genesis
    #[arg(long, value_name = "FILE", requires = "init", help_heading = "Chain")]
    pub import: Option<PathBuf>,

    /// Timestamp of the genesis block, in seconds [default: now]
    #[arg(long, value_name = "SECONDS", help_heading = "Chain")]
    pub timestamp: Option<u64>,

    /// Number of the genesis block
    #[arg(long, value_name = "NUM", help_heading = "Chain")]
    pub number: Option<u64>,

    /// Block gas limit [default: 30000000]
    #[arg(long, value_name = "GAS", help_heading = "Chain")]
    pub gas_limit: Option<u64>,

    /// Disable the block gas limit
    #[arg(long, conflicts_with = "gas_limit", help_heading = "Chain")]
    pub disable_block_gas_limit: bool,

    /// Base fee of the first block, in wei; the genesis block's base fee is derived from it
    /// [default: 1000000000]
    #[arg(
        long = "block-base-fee-per-gas",
        visible_alias = "base-fee",
        value_name = "FEE",
        help_heading = "Chain"
    )]
    pub base_fee: Option<u64>,

    /// Minimum suggested gas price, in wei
    #[arg(long, value_name = "PRICE", help_heading = "Chain")]
    pub gas_price: Option<u128>,

    /// Suggest a priority fee of zero
    #[arg(long, visible_alias = "no-priority-fee", help_heading = "Chain")]
    pub disable_min_priority_fee: bool,

    /// Omit the CREATE2 deployer from the genesis
    #[arg(long, visible_alias = "no-create2", help_heading = "Chain")]
    pub disable_default_create2_deployer: bool,

    /// Blocks per epoch; `safe` is one epoch behind the head, `finalized` two
    #[arg(long, default_value_t = 32, value_name = "NUM", help_heading = "Chain")]
    pub slots_in_an_epoch: u64,

    /// Maximum size of a contract's code, in bytes [default: the fork's]
    #[arg(long, value_name = "BYTES", help_heading = "Chain")]
    pub code_size_limit: Option<usize>,

    /// Disable the limit on code size
    #[arg(long, conflicts_with = "code_size_limit", help_heading = "Chain")]
    pub disable_code_size_limit: bool,

    /// Seconds between blocks, instead of one block per transaction
    #[arg(short, long, value_name = "SECONDS", visible_alias = "blockTime", value_parser = seconds, help_heading = "Mining")]
    pub block_time: Option<Duration>,

    /// Seal blocks only on request
    #[arg(long, visible_alias = "no-mine", conflicts_with = "block_time", help_heading = "Mining")]
    pub no_mining: bool,

    /// Seal a block per transaction, in addition to those of `--block-time`
    #[arg(long, requires = "block_time", help_heading = "Mining")]
    pub mixed_mining: bool,

    /// Make timestamps increase from block to block, as verifiers require (part of --mainnet)
    #[arg(long, help_heading = "Mining")]
    pub increasing_timestamps: bool,

    /// With --mainnet: use the clock's time for blocks as anvil does, even if it is not later than
    /// the parent's timestamp
    #[arg(long, conflicts_with = "increasing_timestamps", help_heading = "Mining")]
    pub loose_timestamps: bool,

    /// Maximum number of transactions in a block
    #[arg(long, value_name = "NUM", help_heading = "Mining")]
    pub max_transactions: Option<usize>,

    /// Admit transactions that their senders cannot pay for to the pool
    #[arg(long, help_heading = "Mining")]
    pub disable_pool_balance_checks: bool,

    /// Order of pending transactions
    #[arg(long, value_enum, default_value_t, help_heading = "Mining")]
    pub order: OrderFlag,

    /// Port of HTTP and WebSocket; 0 selects a free one
    #[arg(short, long, default_value_t = 8545, value_name = "NUM", help_heading = "Server")]
    pub port: u16,

    /// Addresses to listen on
    #[arg(
        long,
        value_name = "IP",
        value_delimiter = ',',
        env = "ANVIL_IP_ADDR",
        default_value = "127.0.0.1",
        help_heading = "Server"
    )]
    pub host: Vec<IpAddr>,

    /// Serve IPC as well [default path: /tmp/enshrine.ipc]
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = DEFAULT_IPC, visible_alias = "ipcpath", help_heading = "Server")]
    pub ipc: Option<PathBuf>,

    /// Origin from which browsers may send requests
    #[arg(long, default_value = "*", value_name = "ORIGIN", help_heading = "Server")]
    pub allow_origin: String,

    /// Send no CORS headers, and reject requests from web pages
    #[arg(long, conflicts_with = "allow_origin", help_heading = "Server")]
    pub no_cors: bool,

    /// Allowed host names in requests, besides IP addresses; `*` allows all
    #[arg(
        long,
        default_value = "localhost",
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Server"
    )]
    pub http_vhosts: Vec<String>,

    /// Maximum size of a request body, in bytes
    #[arg(long, default_value_t = ServerConfig::default().max_body, value_name = "BYTES", help_heading = "Server")]
    pub max_body_size: u32,

    /// Disable the limit on request bodies
    #[arg(long, conflicts_with = "max_body_size", help_heading = "Server")]
    pub no_request_size_limit: bool,

    /// Maximum number of open connections, including idle ones
    #[arg(long, default_value_t = ServerConfig::default().max_connections, value_name = "NUM", help_heading = "Server")]
    pub max_connections: u32,

    /// Method namespaces served over HTTP, e.g. eth,net,web3
    #[arg(long, default_value = "all", value_name = "NAMES", help_heading = "Server")]
    pub http_api: Namespaces,

    /// Method namespaces served over WebSocket
    #[arg(long, default_value = "all", value_name = "NAMES", help_heading = "Server")]
    pub ws_api: Namespaces,

    /// Number of threads for executions, and again for writes; 0 for the number of cores
    #[arg(short = 'j', long, value_name = "NUM", visible_alias = "jobs", help_heading = "Server")]
    pub threads: Option<usize>,

    /// Write accounts, keys and fees to this JSON file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub config_out: Option<PathBuf>,

    /// Load this state file at startup if it exists, and write it on exit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["load_state", "dump_state", "init"], help_heading = "State")]
    pub state: Option<PathBuf>,

    /// Load this state file at startup; anvil's files work too
    #[arg(long, value_name = "FILE", conflicts_with = "init", help_heading = "State")]
    pub load_state: Option<PathBuf>,

    /// Write the state to this file on exit, in anvil's format
    #[arg(long, value_name = "FILE", help_heading = "State")]
    pub dump_state: Option<PathBuf>,

    /// Also write the state file at this interval, in seconds
    #[arg(short, long, value_name = "SECONDS", help_heading = "State")]
    pub state_interval: Option<u64>,

    /// Include the states of earlier blocks in state files
    #[arg(long, help_heading = "State")]
    pub preserve_historical_states: bool,

    /// Keep only this many states before the newest one [default: none]; blocks and receipts are
    /// kept (see --transaction-block-keeper)
    #[arg(long, value_name = "NUM", num_args = 0..=1, default_missing_value = "0", help_heading = "State")]
    pub prune_history: Option<u64>,

    /// Keep transactions and receipts of only this many blocks, and headers of all others
    #[arg(long, value_name = "NUM", value_parser = clap::value_parser!(u64).range(1..), help_heading = "State")]
    pub transaction_block_keeper: Option<u64>,

    /// Disable EXECUTE
    #[arg(long, help_heading = "EXECUTE")]
    pub no_execute: bool,

    /// Forks whose blocks EXECUTE accepts in addition to the chain's own, by name or schema id
    #[arg(
        long,
        value_name = "FORKS",
        value_delimiter = ',',
        value_parser = flags::execute_fork,
        conflicts_with = "no_execute",
        help_heading = "EXECUTE"
    )]
    pub execute_schema: Vec<ProtocolFork>,

    /// Deploy the registry of EIP-8357, which returns the schema of the active fork
    #[arg(long, conflicts_with = "no_execute", help_heading = "EXECUTE")]
    pub fork_registry: bool,

    /// Prices of EXECUTE: default, flat, ethrex, `BASE+PER_BYTE` or
    /// `BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM`
    #[arg(
        long,
        default_value_t,
        value_name = "SCHEDULE",
        conflicts_with = "no_execute",
        help_heading = "EXECUTE"
    )]
    pub execute_gas: GasSchedule,

    /// Dialects of EXECUTE, each at its default address or a given one: `specs` (0x0101), `drake`
    /// (0x0102), `blobs` (0x0103), `nested` (0x0101, replaces `specs`), `headers` (0x0105),
    /// `headers-blobs` (0x0106), `execute-tx` (0x12, with transactions of type 0x05), e.g.
    /// `specs,drake@0x0000000000000000000000000000000000000112`
    #[arg(
        long,
        default_value_t,
        value_name = "DIALECTS",
        conflicts_with = "no_execute",
        help_heading = "EXECUTE"
    )]
    pub execute_dialects: Dialects,

    /// Enable the dialect `blobs` as well: inputs that continue in blobs of their own transaction
    #[arg(long, conflicts_with = "no_execute", help_heading = "EXECUTE")]
    pub execute_blobs: bool,

    /// Let EXECUTE accept any valid block, including blobs, withdrawals and requests, which L2
    /// blocks may not contain
    #[arg(long, conflicts_with = "no_execute", help_heading = "EXECUTE")]
    pub execute_any_block: bool,

    /// Sell EXECUTE gas on a market, with a limit per block and a price that follows demand
    #[arg(long, conflicts_with = "no_execute", help_heading = "EXECUTE")]
    pub execute_market: bool,

    /// Cap the gas of a transaction from Osaka on, as EIP-7825 requires (part of --mainnet)
    #[arg(
        long,
        visible_alias = "tx-gas-limit",
        conflicts_with = "no_tx_gas_cap",
        help_heading = "Pool"
    )]
    pub enable_tx_gas_limit: bool,

    /// With --mainnet: disable the gas cap of EIP-7825
    #[arg(long, help_heading = "Pool")]
    pub no_tx_gas_cap: bool,

    /// Maximum size of a transaction in the pool, in bytes [default: none; with --mainnet: 131072]
    #[arg(long, value_name = "BYTES", help_heading = "Pool")]
    pub max_tx_size: Option<usize>,

    /// Reject a gas limit below the calldata floor of EIP-7623 at admission (part of --mainnet)
    #[arg(long, help_heading = "Pool")]
    pub check_floor_gas: bool,

    /// Verify each new block from its own witness; implies --increasing-timestamps, without which
    /// few blocks can be verified
    #[arg(long, help_heading = "EXECUTE")]
    pub verify_blocks: bool,

    /// No effect: struct logs of debug traces are always available
    #[arg(long, visible_alias = "tracing", help_heading = "Tracing")]
    pub steps_tracing: bool,

    /// Limits of requests and connections.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Flags for the output.
    #[command(flatten)]
    pub display: DisplayArgs,

    /// Flags for forking another node.
    #[command(flatten)]
    pub fork: ForkArgs,

    /// Flags of anvil that have no effect.
    #[command(flatten)]
    pub anvil: AnvilArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("the time between blocks must be greater than 0".to_owned()),
    }
}

impl DevnetArgs {
    fn dialects(&self) -> Result<Dialects, DevnetError> {
        let dialects = self.execute_dialects.clone();
        if !self.execute_blobs {
            return Ok(dialects);
        }
        let added = dialects.with(DialectName::Blobs);
        added.map_err(|error| DevnetError::Flag {
            flag: "--execute-blobs",
            reason: error.to_string(),
        })
    }

    /// Converts the flags to a configuration.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Flag`] for invalid combinations that clap cannot detect.
    pub fn config(&self) -> Result<DevnetConfig, DevnetError> {
        self.anvil.check()?;
        self.check_times()?;
        let mnemonic = match (&self.mnemonic, self.mnemonic_random, self.mnemonic_seed) {
            (Some(phrase), ..) => MnemonicSource::Phrase(phrase.clone()),
            (_, Some(words), _) => MnemonicSource::Random(words),
            (.., Some(seed)) => MnemonicSource::Seed(seed),
            _ => MnemonicSource::Phrase(DEFAULT_MNEMONIC.to_owned()),
        };
        let mining = match self.block_time {
            Some(time) if self.mixed_mining => MiningMode::Mixed(time),
            Some(time) => MiningMode::Interval(time),
            None if self.no_mining => MiningMode::Manual,
            None => MiningMode::Instant,
        };
        let rules = match self.mainnet {
            true => DevnetConfig::default().with_mainnet_rules(),
            false => DevnetConfig::default(),
        };
        Ok(DevnetConfig {
            chain_id: self.chain_id,
            hardfork: self.hardfork.first,
            later_forks: self.hardfork.later.clone(),
            accounts: self.accounts,
            balance: ether(self.balance),
            mnemonic,
            derivation_path: self.derivation_path.clone(),
            timestamp: self.timestamp,
            time: TimeOfDay::System,
            number: self.number.unwrap_or_default(),
            gas_limit: self.block_gas_limit()?.unwrap_or(DevnetConfig::GAS_LIMIT),
            base_fee: self.base_fee.unwrap_or(DevnetConfig::BASE_FEE),
            gas_price: self.gas_price,
            mining,
            order_by_fees: self.order == OrderFlag::Fees,
            slots_in_an_epoch: self.slots_in_an_epoch,
            auto_impersonate: self.auto_impersonate,
            steps_tracing: self.steps_tracing,
            history: self.prune_history,
            bodies: self.transaction_block_keeper,
            preserve_states: self.preserve_historical_states,
            tx_gas_cap: (rules.tx_gas_cap || self.enable_tx_gas_limit) && !self.no_tx_gas_cap,
            max_tx_size: self.max_tx_size.or(rules.max_tx_size),
            floor_check: rules.floor_check || self.check_floor_gas,
            code_size_limit: match self.disable_code_size_limit {
                true => Some(usize::MAX),
                false => self.code_size_limit,
            },
            execute: !self.no_execute,
            execute_forks: self.execute_schema.clone(),
            fork_registry: self.fork_registry,
            execute_gas: self.execute_gas,
            execute_dialects: self.dialects()?,
            execute_any_block: self.execute_any_block,
            execute_market: self.execute_market,
            origin: match (&self.init, self.fork.fork()) {
                (Some(_), Some(_)) => return Err(flags::init_of_a_fork()),
                (Some(path), None) => Origin::Genesis {
                    genesis: Box::new(self.over(read_genesis(path)?)),
                    blocks: self.import.clone(),
                },
                (None, Some(fork)) => {
                    let gas_limit = self.block_gas_limit()?;
                    Origin::Fork(Fork { gas_limit, base_fee: self.base_fee, ..fork })
                }
                (None, None) => Origin::Own,
            },
            verify_blocks: self.verify_blocks,
            console: !self.display.disable_console_log,
            traces: self.display.traces(),
            loose_timestamps: self.loose_timestamps
                || !(self.mainnet || self.increasing_timestamps || self.verify_blocks),
            max_transactions: self.max_transactions,
            unpaid: self.disable_pool_balance_checks,
            suggested_tip: if self.disable_min_priority_fee { 0 } else { DevnetConfig::TIP },
            create2_deployer: !self.disable_default_create2_deployer,
            threads: self.threads.and_then(NonZeroUsize::new),
            server: ServerConfig {
                hosts: self.host.clone(),
                port: self.port,
                ipc: self.ipc.clone(),
                access: Access {
                    hosts: self.http_vhosts.clone(),
                    origin: (!self.no_cors).then(|| self.allow_origin.clone()),
                    token: None,
                },
                max_body: match self.no_request_size_limit {
                    true => u32::MAX,
                    false => self.max_body_size,
                },
                max_connections: self.max_connections,
                http_api: self.http_api.clone(),
                ws_api: self.ws_api.clone(),
                ..self.limits.server()
            },
        })
    }

    /// Returns the block gas limit of the flags, if set.
    fn block_gas_limit(&self) -> Result<Option<u64>, DevnetError> {
        let unlimited = match self.mainnet {
            true => DevnetConfig::MAX_GAS_LIMIT,
            false => DevnetConfig::NO_GAS_LIMIT,
        };
        flags::gas_limit(self.gas_limit, self.disable_block_gas_limit.then_some(unlimited))
    }

    /// Rejects fork times relative to a genesis that a state file replaces.
    fn check_times(&self) -> Result<(), DevnetError> {
        let is_absolute = |(_, time): &(_, ForkTime)| matches!(time, ForkTime::At(_));
        let relative = self.hardfork.later.iter().find(|later| !is_absolute(later));
        match (relative, self.state_to_load()) {
            (Some((fork, time)), Some(_)) => Err(DevnetError::Flag {
                flag: "--hardfork",
                reason: format!(
                    "{fork}@{time} counts from the genesis, which the loaded state replaces: expected \
                     {fork}@TIMESTAMP"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Applies the flags for block fields to a genesis.
    fn over(&self, mut genesis: Genesis) -> Genesis {
        genesis.number = self.number.or(genesis.number);
        genesis.gas_limit = self.gas_limit.unwrap_or(genesis.gas_limit);
        let base_fee = self.base_fee.map(|wanted| base_fee_before(wanted).into());
        genesis.base_fee_per_gas = base_fee.or(genesis.base_fee_per_gas);
        genesis
    }

    /// Returns the state file or folder to load at startup, if any.
    pub fn state_to_load(&self) -> Option<&PathBuf> {
        let is_there = |path: &&PathBuf| StateFile::at(path).exists();
        self.load_state.as_ref().or_else(|| self.state.as_ref().filter(is_there))
    }

    /// Returns the state file to write on exit, if any.
    pub const fn state_to_dump(&self) -> Option<&PathBuf> {
        match &self.dump_state {
            Some(path) => Some(path),
            None => self.state.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests;
