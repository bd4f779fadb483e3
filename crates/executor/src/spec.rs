//! Which rules hold on a chain, and when.

use crate::state::unguessable;
use alloy_eips::eip7840::BlobParams;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256, address};
use std::sync::LazyLock;
use wire::ProtocolFork;

/// An account that no chain has, to stand for a deposit contract that a chain does not have.
///
/// The block executor takes "none" for "that of mainnet". On a chain of one's own, whatever stands
/// at that address must not make deposits, nor what stands at any other that somebody could know:
/// so it is drawn anew by each process.
static NO_DEPOSIT_CONTRACT: LazyLock<Address> =
    LazyLock::new(|| Address::from_slice(&unguessable()[12..]));

/// The rules of a chain: its id, its forks, its deposit contract, its blob parameters.
#[derive(Debug, Clone)]
pub struct ChainSpec {
    chain_id: u64,
    forks: EthereumChainHardforks,
    deposit_contract: Option<Address>,
    /// Blob parameters from a timestamp on, ascending; empty for those of the forks.
    blob_schedule: Vec<(u64, BlobParams)>,
    /// The first block that is proof of stake, where the forks leave that to total difficulty.
    merged_at: Option<u64>,
}

impl ChainSpec {
    /// Chain id of mainnet.
    pub const MAINNET: u64 = 1;
    /// Chain id of Sepolia.
    pub const SEPOLIA: u64 = 11_155_111;
    /// Chain id of Hoodi.
    pub const HOODI: u64 = 560_048;

    /// A chain with forks of its own.
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

    /// A chain on which the rules of one fork hold from genesis, without a deposit contract.
    pub fn constant(chain_id: u64, fork: ProtocolFork) -> Self {
        Self::scheduled(chain_id, fork, &[])
    }

    /// A chain on which the rules of `first` hold from genesis and those of later forks from the
    /// given timestamps on, without a deposit contract.
    pub fn scheduled(chain_id: u64, first: ProtocolFork, later: &[(ProtocolFork, u64)]) -> Self {
        Self::from_first(chain_id, hardfork(first), later)
    }

    /// A chain on which the rules of one fork hold from genesis, which may be one from before the merge.
    /// Then its blocks have the difficulty that they are given: none, where nobody works for them.
    pub fn of_hardfork(chain_id: u64, fork: EthereumHardfork) -> Self {
        Self::from_first(chain_id, fork, &[])
    }

    fn from_first(chain_id: u64, first: EthereumHardfork, later: &[(ProtocolFork, u64)]) -> Self {
        let activation = |fork: EthereumHardfork| match fork {
            fork if fork > first && fork <= EthereumHardfork::Paris => ForkCondition::Never,
            // Not a change of rules but of one chain's state.
            EthereumHardfork::Dao => ForkCondition::Never,
            // Numbered forks beyond the last with a schema id change nothing.
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
                .map(|(_, timestamp)| *timestamp)
                .min()
                .map_or(ForkCondition::Never, ForkCondition::Timestamp),
        };
        let forks = EthereumHardfork::VARIANTS.iter().map(|fork| (*fork, activation(*fork)));
        Self::new(chain_id, EthereumChainHardforks::new(forks), None)
    }

    /// The same chain with a deposit contract (EIP-6110).
    #[must_use]
    pub const fn with_deposit_contract(mut self, address: Address) -> Self {
        self.deposit_contract = Some(address);
        self
    }

    /// The same chain with blob parameters of its own (EIP-7840), each from a timestamp on. Where
    /// there are none the forks' own hold.
    #[must_use]
    pub fn with_blob_schedule(mut self, mut schedule: Vec<(u64, BlobParams)>) -> Self {
        schedule.sort_by_key(|(timestamp, _)| *timestamp);
        self.blob_schedule = schedule;
        self
    }

    /// The same chain with another id.
    #[must_use]
    pub const fn with_chain_id(mut self, chain_id: u64) -> Self {
        self.chain_id = chain_id;
        self
    }

    /// The same chain, on which block `number` is known to be the first of proof of stake.
    #[must_use]
    pub const fn merged_at(mut self, number: u64) -> Self {
        self.merged_at = Some(number);
        self
    }

    /// The total difficulty that ends proof of work, if it is not known yet at which block it did.
    pub fn pending_merge(&self) -> Option<U256> {
        match self.ethereum_fork_activation(EthereumHardfork::Paris) {
            ForkCondition::TTD { activation_block_number: u64::MAX, total_difficulty, .. } => {
                Some(total_difficulty)
            }
            _ => None,
        }
    }

    /// The rules for an input that names `chain_id` and a schema of `fork`: those of the network if
    /// the id is a known one, else `fork` from genesis.
    pub fn for_input(chain_id: u64, fork: ProtocolFork) -> Self {
        Self::known(chain_id).unwrap_or_else(|| Self::constant(chain_id, fork))
    }

    /// The public network with this id.
    pub fn known(chain_id: u64) -> Option<Self> {
        match chain_id {
            Self::MAINNET => Some(Self::mainnet()),
            Self::SEPOLIA => Some(Self::sepolia()),
            Self::HOODI => Some(Self::hoodi()),
            _ => None,
        }
    }

    /// The deposit contract (EIP-6110), if the chain has one.
    pub const fn deposit_contract(&self) -> Option<Address> {
        self.deposit_contract
    }

    /// EIP-155 chain id.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The newest fork in force at a timestamp, or `None` before Paris' successors: blocks that old
    /// have no schema.
    pub fn fork_at(&self, timestamp: u64) -> Option<ProtocolFork> {
        ProtocolFork::ALL.into_iter().rev().filter(|fork| *fork > ProtocolFork::Paris).find(
            |fork| self.forks.is_ethereum_fork_active_at_timestamp(hardfork(*fork), timestamp),
        )
    }

    /// The forks with a schema that are in force at some time, oldest first.
    pub fn forks(&self) -> Vec<ProtocolFork> {
        self.fork_times().into_iter().map(|(fork, _)| fork).collect()
    }

    /// The forks with a schema that are in force at some time, and the timestamps from which they are, oldest
    /// first.
    pub fn fork_times(&self) -> Vec<(ProtocolFork, u64)> {
        let since = |fork: ProtocolFork| {
            let since = self.forks.ethereum_fork_activation(hardfork(fork)).as_timestamp()?;
            (self.fork_at(since) == Some(fork)).then_some((fork, since))
        };
        ProtocolFork::ALL.into_iter().filter_map(since).collect()
    }

    /// The newest fork in force for a block: of all forks, from Frontier on.
    ///
    /// The DAO fork changes one chain's state and no rules, so it is never the answer.
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

    /// Blob parameters in force at a timestamp (EIP-7840), if blobs are.
    pub fn blob_params_at(&self, timestamp: u64) -> Option<BlobParams> {
        let fork = self.fork_at(timestamp)?;
        let own = self.blob_schedule.iter().rev().find(|(from, _)| *from <= timestamp);
        match own {
            Some((_, params)) if fork >= ProtocolFork::Cancun => Some(*params),
            _ => blob_params(fork),
        }
    }
}

/// Blob parameters of a fork.
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
        Some(self.deposit_contract.unwrap_or(*NO_DEPOSIT_CONTRACT))
    }
}
