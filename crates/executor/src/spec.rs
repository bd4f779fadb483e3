//! Rules of a chain, and the timestamps from which they apply.

use alloc::vec::Vec;
use alloy_eips::eip7840::BlobParams;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256, address};
use wire::ProtocolFork;

/// Address used if there is no deposit contract.
///
/// The block executor interprets "none" as the deposit contract of mainnet. On another chain, code
/// at that address, or at any other address, must not cause deposits. ECRECOVER is a precompile in
/// every fork: the EVM runs no code at its address, so that it never logs.
const NO_DEPOSIT_CONTRACT: Address = Address::with_last_byte(1);

/// The rules of a chain: chain id, forks, deposit contract, blob parameters.
#[derive(Debug, Clone)]
pub struct ChainSpec {
    chain_id: u64,
    forks: EthereumChainHardforks,
    deposit_contract: Option<Address>,
    /// Blob parameters by first timestamp, ascending; empty for the defaults of the forks.
    blob_schedule: Vec<(u64, BlobParams)>,
    /// First proof-of-stake block, if the forks define the merge by total difficulty.
    merged_at: Option<u64>,
}

impl ChainSpec {
    /// Chain id of mainnet.
    pub const MAINNET: u64 = 1;
    /// Chain id of Sepolia.
    pub const SEPOLIA: u64 = 11_155_111;
    /// Chain id of Hoodi.
    pub const HOODI: u64 = 560_048;

    /// Creates a chain with its own forks.
    pub const fn new(
        chain_id: u64,
        forks: EthereumChainHardforks,
        deposit_contract: Option<Address>,
    ) -> Self {
        Self { chain_id, forks, deposit_contract, blob_schedule: Vec::new(), merged_at: None }
    }

    /// Ethereum mainnet.
    pub fn mainnet() -> Self {
        let deposits = address!("0x00000000219ab540356cbb839cbe05303d7705fa");
        Self::new(Self::MAINNET, EthereumChainHardforks::mainnet(), Some(deposits))
    }

    /// The Sepolia testnet.
    pub fn sepolia() -> Self {
        let deposits = address!("0x7f02c3e3c98b133055b8b348b2ac625669ed295d");
        Self::new(Self::SEPOLIA, EthereumChainHardforks::sepolia(), Some(deposits))
    }

    /// The Hoodi testnet.
    pub fn hoodi() -> Self {
        let deposits = address!("0x00000000219ab540356cbb839cbe05303d7705fa");
        Self::new(Self::HOODI, EthereumChainHardforks::hoodi(), Some(deposits))
    }

    /// Creates a chain with the rules of one fork from genesis, without a deposit contract.
    pub fn constant(chain_id: u64, fork: ProtocolFork) -> Self {
        Self::scheduled(chain_id, fork, &[])
    }

    /// Creates a chain with the rules of `first` from genesis and those of later forks from the
    /// given timestamps, without a deposit contract.
    pub fn scheduled(chain_id: u64, first: ProtocolFork, later: &[(ProtocolFork, u64)]) -> Self {
        Self::from_hardfork(chain_id, hardfork(first), later)
    }

    /// Like [`scheduled`](Self::scheduled), but the first fork may precede the merge. Its blocks
    /// then have the difficulty that they are given, which is zero if no work is done for them.
    pub fn from_hardfork(
        chain_id: u64,
        first: EthereumHardfork,
        later: &[(ProtocolFork, u64)],
    ) -> Self {
        let activation = |fork: EthereumHardfork| match fork {
            // Forks between `first` and the merge activate by number or difficulty, which a
            // schedule of timestamps does not contain.
            fork if fork > first && fork <= EthereumHardfork::Paris => ForkCondition::Never,
            // The DAO fork changes the state of a single chain, but no rules.
            EthereumHardfork::Dao => ForkCondition::Never,
            // These forks have no schema id and change no rules.
            EthereumHardfork::Bpo3 | EthereumHardfork::Bpo4 | EthereumHardfork::Bpo5 => {
                ForkCondition::Never
            }
            EthereumHardfork::Paris => ForkCondition::TTD {
                activation_block_number: 0,
                fork_block: Some(0),
                total_difficulty: U256::ZERO,
            },
            fork if fork < EthereumHardfork::Shanghai => ForkCondition::Block(0),
            fork if fork <= first => ForkCondition::Timestamp(0),
            fork => later
                .iter()
                .filter(|(later, _)| hardfork(*later) >= fork)
                // A fork that is not named activates together with the next one that is.
                .map(|(_, timestamp)| *timestamp)
                .min()
                .map_or(ForkCondition::Never, ForkCondition::Timestamp),
        };
        let forks = EthereumHardfork::VARIANTS.iter().map(|fork| (*fork, activation(*fork)));
        Self::new(chain_id, EthereumChainHardforks::new(forks), None)
    }

    /// Returns the same chain with a deposit contract (EIP-6110).
    #[must_use]
    pub const fn with_deposit_contract(mut self, address: Address) -> Self {
        self.deposit_contract = Some(address);
        self
    }

    /// Returns the same chain with its own blob parameters (EIP-7840), each from a timestamp.
    /// Before the first of them, the defaults of the forks apply.
    #[must_use]
    pub fn with_blob_schedule(mut self, mut schedule: Vec<(u64, BlobParams)>) -> Self {
        schedule.sort_by_key(|(timestamp, _)| *timestamp);
        self.blob_schedule = schedule;
        self
    }

    /// Returns the same chain with another id.
    #[must_use]
    pub const fn with_chain_id(mut self, chain_id: u64) -> Self {
        self.chain_id = chain_id;
        self
    }

    /// Returns the same chain with block `number` as its first proof-of-stake block.
    #[must_use]
    pub const fn merged_at(mut self, number: u64) -> Self {
        self.merged_at = Some(number);
        self
    }

    /// Returns the rules for an input with this chain id and schema id: those of the public network
    /// if the id is known, otherwise `fork` from genesis.
    pub fn for_input(chain_id: u64, fork: ProtocolFork) -> Self {
        Self::known(chain_id).unwrap_or_else(|| Self::constant(chain_id, fork))
    }

    /// Returns the public network with this id.
    pub fn known(chain_id: u64) -> Option<Self> {
        match chain_id {
            Self::MAINNET => Some(Self::mainnet()),
            Self::SEPOLIA => Some(Self::sepolia()),
            Self::HOODI => Some(Self::hoodi()),
            _ => None,
        }
    }

    /// Returns the deposit contract (EIP-6110), if the chain has one.
    pub const fn deposit_contract(&self) -> Option<Address> {
        self.deposit_contract
    }

    /// Returns the EIP-155 chain id.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Returns the latest fork that is active at a timestamp, or `None` before Shanghai: older
    /// blocks have no schema id.
    pub fn fork_at(&self, timestamp: u64) -> Option<ProtocolFork> {
        // Paris itself activates by total difficulty, so no timestamp selects it.
        ProtocolFork::ALL.into_iter().rev().filter(|fork| *fork > ProtocolFork::Paris).find(
            |fork| self.forks.is_ethereum_fork_active_at_timestamp(hardfork(*fork), timestamp),
        )
    }

    /// Returns the forks with a schema id that are active at some time, oldest first.
    pub fn forks(&self) -> Vec<ProtocolFork> {
        self.fork_times().into_iter().map(|(fork, _)| fork).collect()
    }

    /// Returns the forks with a schema id that are active at some time, with their activation
    /// timestamps, oldest first.
    pub fn fork_times(&self) -> Vec<(ProtocolFork, u64)> {
        let since = |fork: ProtocolFork| {
            let since = self.forks.ethereum_fork_activation(hardfork(fork)).as_timestamp()?;
            (self.fork_at(since) == Some(fork)).then_some((fork, since))
        };
        ProtocolFork::ALL.into_iter().filter_map(since).collect()
    }

    /// Returns the latest fork that is active for a block, of all forks since Frontier.
    ///
    /// The DAO fork changes the state of one chain but no rules, so it is never returned.
    pub fn hardfork_at(&self, number: u64, timestamp: u64) -> EthereumHardfork {
        EthereumHardfork::VARIANTS
            .iter()
            .rev()
            .filter(|fork| **fork != EthereumHardfork::Dao)
            .find(|fork| {
                self.ethereum_fork_activation(**fork)
                    .active_at_timestamp_or_number(timestamp, number)
            })
            .copied()
            .unwrap_or(EthereumHardfork::Frontier)
    }

    /// Returns the blob parameters that apply at a timestamp (EIP-7840), or `None` if there are no
    /// blobs.
    pub fn blob_params_at(&self, timestamp: u64) -> Option<BlobParams> {
        let fork = self.fork_at(timestamp)?;
        let own = self.blob_schedule.iter().rev().find(|(from, _)| *from <= timestamp);
        match own {
            Some((_, params)) if fork >= ProtocolFork::Cancun => Some(*params),
            _ => blob_params(fork),
        }
    }
}

/// Returns the blob parameters of a fork.
const fn blob_params(fork: ProtocolFork) -> Option<BlobParams> {
    match fork {
        ProtocolFork::Paris | ProtocolFork::Shanghai => None,
        ProtocolFork::Cancun => Some(BlobParams::cancun()),
        ProtocolFork::Prague => Some(BlobParams::prague()),
        ProtocolFork::Osaka => Some(BlobParams::osaka()),
        ProtocolFork::Bpo1 => Some(BlobParams::bpo1()),
        ProtocolFork::Bpo2 | ProtocolFork::Amsterdam => Some(BlobParams::bpo2()),
    }
}

const fn hardfork(fork: ProtocolFork) -> EthereumHardfork {
    match fork {
        ProtocolFork::Paris => EthereumHardfork::Paris,
        ProtocolFork::Shanghai => EthereumHardfork::Shanghai,
        ProtocolFork::Cancun => EthereumHardfork::Cancun,
        ProtocolFork::Prague => EthereumHardfork::Prague,
        ProtocolFork::Osaka => EthereumHardfork::Osaka,
        ProtocolFork::Bpo1 => EthereumHardfork::Bpo1,
        ProtocolFork::Bpo2 => EthereumHardfork::Bpo2,
        ProtocolFork::Amsterdam => EthereumHardfork::Amsterdam,
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        let condition = self.forks.ethereum_fork_activation(fork);
        match (condition, self.merged_at) {
            (ForkCondition::TTD { fork_block, total_difficulty, .. }, Some(number)) => {
                ForkCondition::TTD { activation_block_number: number, fork_block, total_difficulty }
            }
            _ => condition,
        }
    }
}

impl EthExecutorSpec for ChainSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        Some(self.deposit_contract.unwrap_or(NO_DEPOSIT_CONTRACT))
    }
}
