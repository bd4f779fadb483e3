//! Configuration of a devnet, independent of flags and builders.

use crate::{
    Fork, MnemonicSource,
    accounts::{DEFAULT_DERIVATION_PATH, DEFAULT_MNEMONIC},
};
use alloy_genesis::Genesis;
use alloy_primitives::U256;
use chain::ForkTime;
pub use node::TimeOfDay;
pub use rpc::ServerConfig;
use std::{num::NonZeroUsize, path::PathBuf, time::Duration};
use variants::{Dialects, GasSchedule};
use wire::ProtocolFork;

/// Fork in force at genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, clap::ValueEnum)]
pub enum Hardfork {
    /// July 2015, the first.
    Frontier,
    /// March 2016.
    Homestead,
    /// Same rules as Homestead: the fork changed the state of one chain.
    Dao,
    /// October 2016.
    #[value(alias = "eip150")]
    Tangerine,
    /// November 2016.
    #[value(name = "spuriousdragon", aliases = ["spurious-dragon", "spurious_dragon"])]
    SpuriousDragon,
    /// October 2017.
    Byzantium,
    /// Same rules as Petersburg, which began at the same block.
    Constantinople,
    /// February 2019.
    Petersburg,
    /// December 2019.
    Istanbul,
    /// Istanbul with a delayed difficulty bomb.
    #[value(name = "muirglacier", alias = "muir-glacier")]
    MuirGlacier,
    /// April 2021: access lists.
    Berlin,
    /// August 2021: the base fee.
    London,
    /// London with a delayed difficulty bomb.
    #[value(name = "arrowglacier", alias = "arrow-glacier")]
    ArrowGlacier,
    /// London with a further delay.
    #[value(name = "grayglacier", alias = "gray-glacier")]
    GrayGlacier,
    /// The merge, September 2022.
    #[value(alias = "merge")]
    Paris,
    /// April 2023.
    Shanghai,
    /// March 2024.
    Cancun,
    /// May 2025.
    Prague,
    /// December 2025.
    Osaka,
    /// Osaka with the first increase of the blob parameters.
    #[default]
    #[value(alias = "latest")]
    Bpo1,
    /// Osaka with the second increase.
    Bpo2,
    /// The fork with block access lists.
    Amsterdam,
}

/// Executions whose traces are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Traces {
    /// None.
    #[default]
    None,
    /// Failed transactions.
    Failures,
    /// All transactions, and `eth_call`.
    All,
    /// All transactions and `eth_call`, with storage changes.
    Storage,
}

/// Trigger of block production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MiningMode {
    /// One block at once for each transaction.
    #[default]
    Instant,
    /// Blocks at an interval.
    Interval(Duration),
    /// Both.
    Mixed(Duration),
    /// Blocks on request.
    Manual,
}

/// Origin of the chain.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// A genesis of the devnet's own.
    #[default]
    Own,
    /// A given genesis, with an optional file of blocks after it.
    Genesis {
        /// The genesis.
        genesis: Box<Genesis>,
        /// A file of RLP blocks, one after another.
        blocks: Option<PathBuf>,
    },
    /// The chain of another node.
    Fork(Fork),
}

/// Configuration of a devnet.
#[derive(Debug, Clone)]
pub struct DevnetConfig {
    /// Chain id; `None` for that of the genesis file, else 31337.
    pub chain_id: Option<u64>,
    /// Fork at genesis.
    pub hardfork: Hardfork,
    /// Later forks with their times, oldest first.
    pub later_forks: Vec<(ProtocolFork, ForkTime)>,
    /// Number of accounts.
    pub accounts: u32,
    /// Balance of each account, in wei.
    pub balance: U256,
    /// Source of the accounts' keys.
    pub mnemonic: MnemonicSource,
    /// Derivation path to which the index of an account is appended.
    pub derivation_path: String,
    /// Timestamp of the genesis, in seconds; `None` for the clock's.
    pub timestamp: Option<u64>,
    /// Source of the time of day.
    pub time: TimeOfDay,
    /// Block number of the genesis.
    pub number: u64,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// Base fee of the genesis, in wei.
    pub base_fee: u64,
    /// Minimum of `eth_gasPrice`, in wei.
    pub gas_price: Option<u128>,
    /// Trigger of block production.
    pub mining: MiningMode,
    /// `true` if pending transactions are ordered by fees, `false` if by arrival.
    pub order_by_fees: bool,
    /// Blocks per epoch: `safe` is one epoch behind the head, `finalized` two.
    pub slots_in_an_epoch: u64,
    /// `true` if transactions of any sender are accepted unsigned.
    pub auto_impersonate: bool,
    /// `true` if struct logs were asked for. They are always available.
    pub steps_tracing: bool,
    /// Number of kept states below the newest; `None` for all.
    pub history: Option<u64>,
    /// Number of blocks whose transactions and receipts are kept; `None` for all.
    pub bodies: Option<u64>,
    /// `true` if states of earlier blocks are written to state files.
    pub preserve_states: bool,
    /// `true` if EIP-7825 caps the gas of a transaction.
    pub tx_gas_cap: bool,
    /// Maximum length of a transaction in the pool, in bytes; `None` for that of a request.
    pub max_tx_size: Option<usize>,
    /// `true` if the pool refuses a gas limit below the calldata floor of EIP-7623.
    pub floor_check: bool,
    /// Maximum code size, in bytes; `None` for the fork's.
    pub code_size_limit: Option<usize>,
    /// `true` if the chain has EXECUTE.
    pub execute: bool,
    /// Forks whose schema ids EXECUTE accepts beside those of the chain itself.
    pub execute_forks: Vec<ProtocolFork>,
    /// `true` to deploy the [registry](crate::REGISTRY_ADDRESS) of EIP-8357.
    pub fork_registry: bool,
    /// Price of EXECUTE.
    pub execute_gas: GasSchedule,
    /// Dialects of EXECUTE, and their addresses.
    pub execute_dialects: Dialects,
    /// `true` if EXECUTE accepts any valid block, `false` if it accepts only blocks that obey the
    /// L2 rules.
    pub execute_any_block: bool,
    /// `true` if EXECUTE gas is sold on a market.
    pub execute_market: bool,
    /// Origin of the chain.
    pub origin: Origin,
    /// `true` to verify each new block from its own witness.
    pub verify_blocks: bool,
    /// `true` to print the output of `console.log`.
    pub console: bool,
    /// Executions whose traces are printed.
    pub traces: Traces,
    /// `true` if blocks may have timestamps up to their parents'.
    pub loose_timestamps: bool,
    /// Maximum number of transactions in a block.
    pub max_transactions: Option<usize>,
    /// `true` if the pool accepts transactions that their sender cannot pay.
    pub unpaid: bool,
    /// Suggested tip, in wei.
    pub suggested_tip: u128,
    /// `true` if the genesis has the CREATE2 deployer.
    pub create2_deployer: bool,
    /// Number of threads for executions, and as many for writes; `None` for the number of cores.
    pub threads: Option<NonZeroUsize>,
    /// Configuration of the server.
    pub server: ServerConfig,
}

impl DevnetConfig {
    /// Default chain id.
    pub const CHAIN_ID: u64 = 31337;
    /// Default gas limit: anvil's.
    pub const GAS_LIMIT: u64 = 30_000_000;
    /// Default base fee of the genesis: anvil's.
    pub const BASE_FEE: u64 = 1_000_000_000;
    /// Maximum length of a transaction in the pools of Ethereum's clients (128 KiB).
    pub const MAX_TX_SIZE: usize = 128 * 1024;
    /// Default gas price of a chain without a base fee, in wei: anvil's.
    pub const LEGACY_GAS_PRICE: u128 = 1_875_000_000;
    /// Default tip, in wei.
    pub const TIP: u128 = 1_000_000_000;
    /// Gas limit of a block without a limit: anvil's.
    pub const NO_GAS_LIMIT: u64 = u64::MAX;
    /// Maximum gas limit of a header by the rules of mainnet.
    pub const MAX_GAS_LIMIT: u64 = i64::MAX as u64;
    /// Default balance of an account, in wei: 10,000 ether.
    pub const BALANCE: u64 = 10_000;

    /// Adds the rules that L1 enforces and anvil does not: increasing timestamps, the gas cap of
    /// EIP-7825, 128 KiB per transaction, the calldata floor of EIP-7623 at admission, and the
    /// fork's limits of gas limit and code size.
    #[must_use]
    pub fn with_mainnet_rules(self) -> Self {
        Self {
            loose_timestamps: false,
            tx_gas_cap: true,
            max_tx_size: Some(Self::MAX_TX_SIZE),
            floor_check: true,
            code_size_limit: None,
            gas_limit: self.gas_limit.min(Self::MAX_GAS_LIMIT),
            ..self
        }
    }

    /// Sentence of the banner about the rules in force.
    pub(crate) fn rules(&self) -> String {
        let size = self.max_tx_size.map(|size| format!("{size} bytes per transaction"));
        let parts = [
            (!self.loose_timestamps).then(|| "increasing timestamps".to_owned()),
            self.tx_gas_cap.then(|| "the gas cap of EIP-7825".to_owned()),
            size,
            self.floor_check.then(|| "the calldata floor of EIP-7623 at admission".to_owned()),
        ];
        let on: Vec<_> = parts.iter().flatten().map(String::as_str).collect();
        let rules = match (on.len() == parts.len(), on.is_empty()) {
            (true, _) => format!("mainnet's: {}", on.join(", ")),
            (false, true) => "anvil's; --mainnet enforces what L1 does".to_owned(),
            (false, false) => format!("anvil's, with {}", on.join(", ")),
        };
        match self.code_size_limit {
            None => rules,
            Some(usize::MAX) => format!("{rules}; contract code of any size"),
            Some(limit) => format!("{rules}; contract code of at most {limit} bytes"),
        }
    }
}

/// Converts ether to wei.
pub(crate) fn ether(count: u64) -> U256 {
    U256::from(count) * U256::from(1_000_000_000_000_000_000_u64)
}

impl Default for DevnetConfig {
    fn default() -> Self {
        Self {
            chain_id: None,
            hardfork: Hardfork::default(),
            later_forks: Vec::new(),
            accounts: 10,
            balance: ether(Self::BALANCE),
            mnemonic: MnemonicSource::Phrase(DEFAULT_MNEMONIC.to_owned()),
            derivation_path: DEFAULT_DERIVATION_PATH.to_owned(),
            timestamp: None,
            time: TimeOfDay::System,
            number: 0,
            gas_limit: Self::GAS_LIMIT,
            base_fee: Self::BASE_FEE,
            gas_price: None,
            mining: MiningMode::default(),
            order_by_fees: true,
            slots_in_an_epoch: 32,
            auto_impersonate: false,
            steps_tracing: false,
            history: None,
            bodies: None,
            preserve_states: false,
            tx_gas_cap: false,
            max_tx_size: None,
            floor_check: false,
            code_size_limit: None,
            execute: true,
            execute_forks: Vec::new(),
            fork_registry: false,
            execute_gas: GasSchedule::DEFAULT,
            execute_dialects: Dialects::default(),
            execute_any_block: false,
            execute_market: false,
            origin: Origin::default(),
            verify_blocks: false,
            console: true,
            traces: Traces::default(),
            loose_timestamps: true,
            max_transactions: None,
            unpaid: false,
            suggested_tip: Self::TIP,
            create2_deployer: true,
            threads: None,
            server: ServerConfig::default(),
        }
    }
}
