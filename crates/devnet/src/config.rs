//! Configuration of a devnet, independent of the command line.

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

/// Fork active at genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, clap::ValueEnum)]
pub enum Hardfork {
    /// July 2015, the first fork.
    Frontier,
    /// March 2016.
    Homestead,
    /// Same rules as Homestead: the DAO fork only changed mainnet's state.
    Dao,
    /// October 2016.
    #[value(alias = "eip150")]
    Tangerine,
    /// November 2016.
    #[value(name = "spuriousdragon", aliases = ["spurious-dragon", "spurious_dragon"])]
    SpuriousDragon,
    /// October 2017.
    Byzantium,
    /// Same rules as Petersburg, which mainnet activated at the same block.
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
    /// August 2021: base fee.
    London,
    /// London with a delayed difficulty bomb.
    #[value(name = "arrowglacier", alias = "arrow-glacier")]
    ArrowGlacier,
    /// London with a difficulty bomb delayed further.
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
    /// Osaka with the first increase of the blob parameters (BPO1).
    #[default]
    #[value(alias = "latest")]
    Bpo1,
    /// Osaka with the second increase of the blob parameters (BPO2).
    Bpo2,
    /// Fork with block access lists (EIP-7928).
    Amsterdam,
}

/// Selects the executions whose traces are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Traces {
    /// None.
    #[default]
    None,
    /// Failed transactions and calls.
    Failures,
    /// All transactions and calls.
    All,
    /// All transactions and calls, with storage changes.
    Storage,
}

/// What triggers block production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MiningMode {
    /// One block per transaction, immediately.
    #[default]
    Instant,
    /// A block at every interval.
    Interval(Duration),
    /// A block per transaction and one at every interval.
    Mixed(Duration),
    /// A block only on request.
    Manual,
}

/// Origin of a devnet's chain.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// Genesis built from the configuration.
    #[default]
    Own,
    /// Given genesis, with an optional file of blocks after it.
    Genesis {
        /// The genesis.
        genesis: Box<Genesis>,
        /// File of consecutive RLP blocks.
        blocks: Option<PathBuf>,
    },
    /// Fork of another node's chain.
    Fork(Fork),
}

/// Configuration of a devnet.
#[derive(Debug, Clone)]
pub struct DevnetConfig {
    /// Chain id; `None` selects that of the genesis file, or 31337.
    pub chain_id: Option<u64>,
    /// Fork active at genesis.
    pub hardfork: Hardfork,
    /// Later forks and their activation, in order.
    pub later_forks: Vec<(ProtocolFork, ForkTime)>,
    /// Number of test accounts.
    pub accounts: u32,
    /// Balance of each test account, in wei.
    pub balance: U256,
    /// Source of the test accounts' keys.
    pub mnemonic: MnemonicSource,
    /// Derivation path to which the account index is appended.
    pub derivation_path: String,
    /// Timestamp of the genesis block, in seconds; `None` selects the current time.
    pub timestamp: Option<u64>,
    /// Clock for the time of day.
    pub time: TimeOfDay,
    /// Number of the genesis block.
    pub number: u64,
    /// Block gas limit.
    pub gas_limit: u64,
    /// Base fee of the first block after the genesis, in wei.
    pub base_fee: u64,
    /// Minimum of `eth_gasPrice`, in wei per gas.
    pub gas_price: Option<u128>,
    /// What triggers block production.
    pub mining: MiningMode,
    /// `true` to order pending transactions by fee, `false` by arrival.
    pub order_by_fees: bool,
    /// Blocks per epoch: `safe` is one epoch behind the head, `finalized` two.
    pub slots_in_an_epoch: u64,
    /// `true` to accept unsigned transactions from any sender.
    pub auto_impersonate: bool,
    /// `true` if step tracing was requested. Struct logs are always available, so this is only
    /// reported.
    pub steps_tracing: bool,
    /// Number of states kept before the latest one; `None` keeps all.
    pub history: Option<u64>,
    /// Number of blocks whose transactions and receipts are kept; `None` keeps all.
    pub bodies: Option<u64>,
    /// `true` to include the states of earlier blocks in state files.
    pub preserve_states: bool,
    /// `true` to cap the gas of a transaction (EIP-7825).
    pub tx_gas_cap: bool,
    /// Maximum size of a transaction in the pool, in bytes; `None` leaves only the limit on
    /// requests.
    pub max_tx_size: Option<usize>,
    /// `true` if the pool rejects a gas limit below the calldata floor (EIP-7623).
    pub floor_check: bool,
    /// Maximum code size, in bytes; `None` selects the fork's.
    pub code_size_limit: Option<usize>,
    /// `true` to enable EXECUTE.
    pub execute: bool,
    /// Forks whose schema ids EXECUTE accepts in addition to those of the chain.
    pub execute_forks: Vec<ProtocolFork>,
    /// `true` to deploy the [registry](crate::REGISTRY_ADDRESS) of EIP-8357.
    pub fork_registry: bool,
    /// Gas schedule of EXECUTE.
    pub execute_gas: GasSchedule,
    /// Dialects of EXECUTE and their addresses.
    pub execute_dialects: Dialects,
    /// `true` to let EXECUTE accept any valid block, `false` to accept only blocks that obey the L2
    /// rules.
    pub execute_any_block: bool,
    /// `true` to sell EXECUTE gas on a market.
    pub execute_market: bool,
    /// Origin of the chain.
    pub origin: Origin,
    /// `true` to verify each new block from its own witness.
    pub verify_blocks: bool,
    /// `true` to print the lines of `console.log`.
    pub console: bool,
    /// Selects the executions whose traces are printed.
    pub traces: Traces,
    /// `true` to allow blocks whose timestamp is not later than their parent's.
    pub loose_timestamps: bool,
    /// Maximum number of transactions per block; `None` for no limit.
    pub max_transactions: Option<usize>,
    /// `true` if the pool accepts transactions that their sender cannot pay for.
    pub unpaid: bool,
    /// Suggested priority fee, in wei per gas.
    pub suggested_tip: u128,
    /// `true` to deploy the CREATE2 deployer at genesis.
    pub create2_deployer: bool,
    /// Number of threads for executions, and again for writes; `None` selects the number of cores.
    pub threads: Option<NonZeroUsize>,
    /// Configuration of the RPC server.
    pub server: ServerConfig,
}

impl DevnetConfig {
    /// Default chain id.
    pub const CHAIN_ID: u64 = 31337;
    /// Default block gas limit, as in anvil.
    pub const GAS_LIMIT: u64 = 30_000_000;
    /// Default base fee of the first block after the genesis, in wei, as in anvil.
    pub const BASE_FEE: u64 = 1_000_000_000;
    /// Maximum size of a transaction in the pools of Ethereum clients: 128 KiB.
    pub const MAX_TX_SIZE: usize = 128 * 1024;
    /// Default gas price of a chain without a base fee, in wei per gas, as in anvil.
    pub const LEGACY_GAS_PRICE: u128 = 1_875_000_000;
    /// Default suggested priority fee, in wei per gas.
    pub const TIP: u128 = 1_000_000_000;
    /// Gas limit of a block if the limit is disabled, as in anvil.
    pub const NO_GAS_LIMIT: u64 = u64::MAX;
    /// Maximum gas limit that mainnet's rules allow in a header.
    pub const MAX_GAS_LIMIT: u64 = i64::MAX as u64;
    /// Default balance of a test account, in ether.
    pub const BALANCE: u64 = 10_000;

    /// Applies the rules that L1 enforces but anvil does not: increasing timestamps, the gas cap of
    /// EIP-7825, 128 KiB per transaction, the calldata floor of EIP-7623 at admission, the maximum
    /// block gas limit, and the fork's limit on code size.
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

    /// Adapts the configuration to a fork of another node.
    #[must_use]
    pub fn forking(mut self, url: impl Into<String>, block: Option<i64>) -> Self {
        self.origin = Origin::Fork(Fork::at(url, block));
        self
    }

    /// Describes the active rules for the banner.
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
