//! The rules of a chain.

use crate::{ExecuteMarket, dao::move_dao_funds};
use alloy_consensus::Header;
use alloy_eips::{eip7702::SignedAuthorization, eip7840::BlobParams};
use alloy_evm::precompiles::PrecompilesMap;
use alloy_genesis::ChainConfig as GenesisConfig;
use alloy_hardforks::{
    EthereumChainHardforks, EthereumHardfork, EthereumHardforks as _, ForkCondition,
};
use alloy_primitives::{Address, Sealed, U256};
use codec::{Allowance, ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use core::fmt;
use executor::{
    BlockError, BlockTally, ChainSpec, Cryptography, EvmOverrides, ExecutionOutcome, HookState,
    Invalid, SystemCode, Transaction,
};
use revm::context::CfgEnv;
use std::{any::Any, sync::Arc};

/// Parameters of a chain.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// Chain id and fork schedule.
    pub spec: ChainSpec,
    /// Code that is allowed at the system addresses. A private chain has the canonical code there;
    /// some official fixtures do not.
    pub system_code: SystemCode,
    /// EVM limits that are relaxed compared to Ethereum.
    pub limits: LiftedLimits,
    /// Extensions of the execution of its blocks, in the order in which they apply. Unless all are
    /// [verifiable](EvmOverrides::is_verifiable), blocks are not
    /// [provable](crate::store::Block::provable): only this chain can verify them.
    pub extensions: Arc<[Arc<dyn Extension>]>,
    /// Precompile for transactions of type `0x05`; without it the chain rejects this type. No L2
    /// has it.
    pub execute_tx: Option<ExecuteTxPrecompile>,
    /// Implementation of the cryptography; results do not depend on the choice.
    pub cryptography: &'static dyn Cryptography,
}

/// An extension of a chain, identified by its type.
pub trait Extension: EvmOverrides + Any {}

impl<T: EvmOverrides + Any> Extension for T {}

/// Precompile of a chain's transactions of type `0x05`.
#[derive(Clone)]
pub struct ExecuteTxPrecompile {
    address: Address,
    market: Option<ExecuteMarket>,
    install: Arc<Install>,
    /// Installs the precompile in an EVM that verifies a block.
    verifying: Arc<Install>,
}

/// Installs the precompile in an EVM, for the calls in this transaction of type `0x05`, or with
/// `None` for one of another type.
type Install = dyn Fn(Option<&Arc<Sealed<SignedExecuteTx>>>, &mut PrecompilesMap, &Arc<BlockTally>)
    + Send
    + Sync;

impl ExecuteTxPrecompile {
    /// Creates the precompile at this address. `install` installs it in an EVM, for the calls in a
    /// transaction of type `0x05`, or for one of another type.
    ///
    /// Only a chain with a `market` has transactions with an allowance. Their tally must be exactly
    /// the EXECUTE gas of all calls, which is at most the allowance.
    pub fn new(
        address: Address,
        market: Option<ExecuteMarket>,
        install: impl Fn(Option<&Arc<Sealed<SignedExecuteTx>>>, &mut PrecompilesMap, &Arc<BlockTally>)
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let install: Arc<Install> = Arc::new(install);
        Self { address, market, verifying: Arc::clone(&install), install }
    }

    /// Returns the same precompile, with `install` for EVMs that
    /// [verify](crate::verify_child) blocks. It must not reuse the builder's cached
    /// verdicts, because verification could then not detect a wrong one.
    #[must_use]
    pub fn verified_by(
        self,
        install: impl Fn(Option<&Arc<Sealed<SignedExecuteTx>>>, &mut PrecompilesMap, &Arc<BlockTally>)
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { verifying: Arc::new(install), ..self }
    }

    /// Returns the precompile for the verification of a block.
    pub(crate) fn for_verification(&self) -> Self {
        Self { install: Arc::clone(&self.verifying), ..self.clone() }
    }

    /// Returns the market that sells allowances of EXECUTE gas, if the chain has one.
    pub const fn market(&self) -> Option<&ExecuteMarket> {
        self.market.as_ref()
    }

    /// Returns the reason if a transaction has a part that the chain does not support: bytes that
    /// would not be paid for, or an allowance on a chain without a market.
    pub fn refusal(&self, tx: &ExecuteTx) -> Option<&'static str> {
        match &tx.version {
            ExecuteTxVersion::V1 { blob_hashes } if !blob_hashes.is_empty() => {
                Some("an ExecuteTx with blobs, which has no fee for them")
            }
            ExecuteTxVersion::V3 { .. } if self.market().is_none() => {
                Some("an ExecuteTx with an allowance, but this chain has no market")
            }
            _ if !tx.withdrawals.is_empty() => {
                Some("an ExecuteTx with withdrawals, which no block of an L2 has")
            }
            _ => None,
        }
    }

    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    pub(crate) fn install(
        &self,
        transaction: Option<&Arc<Sealed<SignedExecuteTx>>>,
        precompiles: &mut PrecompilesMap,
        tally: &Arc<BlockTally>,
    ) {
        (self.install)(transaction, precompiles, tally);
    }
}

impl fmt::Debug for ExecuteTxPrecompile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteTxPrecompile")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// EVM limits that a chain relaxes. By default, the limits of the fork apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiftedLimits {
    /// Maximum length of contract code in bytes; twice that for init code.
    pub code_size: Option<usize>,
    /// `true` if a transaction may use all the gas of its block (EIP-7825 is disabled).
    pub no_transaction_gas_cap: bool,
}

impl ChainConfig {
    /// Returns the market of the chain and the allowance that a transaction requests from it.
    pub fn market_for(
        &self,
        transaction: &crate::store::Transaction,
    ) -> Option<(&ExecuteMarket, Allowance)> {
        let market = self.execute_tx.as_ref().and_then(ExecuteTxPrecompile::market);
        market.zip(transaction.as_execute().and_then(|execute_tx| execute_tx.tx.allowance()))
    }

    /// Creates the parameters of a chain with these rules, without extensions.
    pub fn new(spec: ChainSpec) -> Self {
        let limits = LiftedLimits { code_size: None, no_transaction_gas_cap: false };
        Self {
            spec,
            system_code: SystemCode::Canonical,
            limits,
            extensions: Arc::default(),
            execute_tx: None,
            cryptography: &(),
        }
    }

    /// Returns the same parameters with this cryptography.
    #[must_use]
    pub fn with_cryptography(self, cryptography: &'static dyn Cryptography) -> Self {
        Self { cryptography, ..self }
    }

    /// Returns the same parameters with an extension after the others. It replaces one of the same
    /// type in its position.
    #[must_use]
    pub fn with_extension(mut self, extension: Arc<dyn Extension>) -> Self {
        self.set_extension(extension);
        self
    }

    /// Adds an extension after the others. It replaces one of the same type in its position.
    pub fn set_extension(&mut self, extension: Arc<dyn Extension>) {
        let kind = |extension: &dyn Extension| (extension as &dyn Any).type_id();
        let mut all = self.extensions.to_vec();
        match all.iter_mut().find(|existing| kind(&***existing) == kind(&*extension)) {
            Some(present) => *present = extension,
            None => all.push(extension),
        }
        self.extensions = all.into();
    }

    /// Returns the extension of this type, if the chain has one.
    pub fn extension<T: Extension>(&self) -> Option<&T> {
        self.extensions.iter().find_map(|extension| (&**extension as &dyn Any).downcast_ref())
    }
}

impl EvmOverrides for ChainConfig {
    fn cryptography(&self) -> &dyn Cryptography {
        self.cryptography
    }

    fn limits(&self, cfg: &mut CfgEnv) {
        if let Some(size) = self.limits.code_size {
            cfg.limit_contract_code_size = Some(size);
            cfg.limit_contract_initcode_size = Some(size.saturating_mul(2));
        }
        if self.limits.no_transaction_gas_cap {
            cfg.tx_gas_limit_cap = Some(u64::MAX);
        }
        self.extensions.iter().for_each(|extension| extension.limits(cfg));
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        self.extensions.iter().for_each(|extension| extension.precompiles(precompiles, tally));
    }

    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        self.extensions.iter().find_map(|extension| extension.authority(authorization))
    }

    fn is_verifiable(&self) -> bool {
        self.extensions.iter().all(|extension| extension.is_verifiable())
    }

    fn begin_block(&self, header: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        move_dao_funds(&self.spec, header, state)?;
        self.extensions.iter().try_for_each(|extension| extension.begin_block(header, state))
    }

    fn before_transaction(
        &self,
        index: usize,
        transaction: &Transaction,
        sender: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        self.extensions.iter().try_for_each(|extension| {
            extension.before_transaction(index, transaction, sender, state)
        })
    }

    fn end_block(
        &self,
        header: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        self.extensions.iter().try_for_each(|extension| extension.end_block(header, state, tally))
    }

    fn check_outcome(&self, header: &Header, outcome: &ExecutionOutcome) -> Result<(), Invalid> {
        self.extensions.iter().try_for_each(|extension| extension.check_outcome(header, outcome))
    }
}

/// Returns the rules of the chain configuration in a genesis file.
pub fn spec_of(config: &GenesisConfig) -> ChainSpec {
    let block = |number: Option<u64>| number.map_or(ForkCondition::Never, ForkCondition::Block);
    let time = |at: Option<u64>| at.map_or(ForkCondition::Never, ForkCondition::Timestamp);
    let merged = config.terminal_total_difficulty.map(|total_difficulty| ForkCondition::TTD {
        activation_block_number: if total_difficulty.is_zero() { 0 } else { u64::MAX },
        fork_block: config.merge_netsplit_block,
        total_difficulty,
    });
    let condition = |fork: EthereumHardfork| match fork {
        EthereumHardfork::Frontier => ForkCondition::Block(0),
        EthereumHardfork::Homestead => block(config.homestead_block),
        EthereumHardfork::Dao if config.dao_fork_support => block(config.dao_fork_block),
        EthereumHardfork::Tangerine => block(config.eip150_block),
        EthereumHardfork::SpuriousDragon => block(config.eip155_block.max(config.eip158_block)),
        EthereumHardfork::Byzantium => block(config.byzantium_block),
        EthereumHardfork::Constantinople => block(config.constantinople_block),
        EthereumHardfork::Petersburg => {
            block(config.petersburg_block.or(config.constantinople_block))
        }
        EthereumHardfork::Istanbul => block(config.istanbul_block),
        EthereumHardfork::MuirGlacier => block(config.muir_glacier_block),
        EthereumHardfork::Berlin => block(config.berlin_block),
        EthereumHardfork::London => block(config.london_block),
        EthereumHardfork::ArrowGlacier => block(config.arrow_glacier_block),
        EthereumHardfork::GrayGlacier => block(config.gray_glacier_block),
        EthereumHardfork::Paris => merged.unwrap_or(ForkCondition::Never),
        EthereumHardfork::Shanghai => time(config.shanghai_time),
        EthereumHardfork::Cancun => time(config.cancun_time),
        EthereumHardfork::Prague => time(config.prague_time),
        EthereumHardfork::Osaka => time(config.osaka_time),
        EthereumHardfork::Bpo1 => time(config.bpo1_time),
        EthereumHardfork::Bpo2 => time(config.bpo2_time),
        EthereumHardfork::Bpo3 => time(config.bpo3_time),
        EthereumHardfork::Bpo4 => time(config.bpo4_time),
        EthereumHardfork::Bpo5 => time(config.bpo5_time),
        EthereumHardfork::Amsterdam => time(config.amsterdam_time),
        _ => ForkCondition::Never,
    };
    let forks = EthereumHardfork::VARIANTS.iter().map(|fork| (*fork, condition(*fork)));
    let deposits = config.deposit_contract_address.filter(|address| *address != Address::ZERO);
    ChainSpec::new(config.chain_id, EthereumChainHardforks::new(forks), deposits)
        .with_blob_schedule(blob_schedule(config))
}

/// Returns the blob parameters from the start of each fork for which the configuration has any.
fn blob_schedule(config: &GenesisConfig) -> Vec<(u64, BlobParams)> {
    [
        ("cancun", config.cancun_time, BlobParams::cancun()),
        ("prague", config.prague_time, BlobParams::prague()),
        ("osaka", config.osaka_time, BlobParams::osaka()),
        ("bpo1", config.bpo1_time, BlobParams::bpo1()),
        ("bpo2", config.bpo2_time, BlobParams::bpo2()),
        ("bpo3", config.bpo3_time, BlobParams::bpo2()),
        ("bpo4", config.bpo4_time, BlobParams::bpo2()),
        ("bpo5", config.bpo5_time, BlobParams::bpo2()),
        ("amsterdam", config.amsterdam_time, BlobParams::bpo2()),
    ]
    .into_iter()
    .filter_map(|(name, at, default)| {
        let own = config.blob_schedule.get(name)?;
        // Minimum fee, base cost and blobs per transaction depend on the fork; the schedule has the
        // rest.
        let params = BlobParams {
            target_blob_count: own.target_blob_count,
            max_blob_count: own.max_blob_count,
            update_fraction: own.update_fraction,
            // Before Osaka one transaction may have all blobs of its block.
            max_blobs_per_tx: if default.blob_base_cost == 0 {
                own.max_blob_count
            } else {
                default.max_blobs_per_tx
            },
            ..default
        };
        Some((at?, params))
    })
    .collect()
}

/// Returns the terminal total difficulty, if the number of the merge block is unknown.
pub(crate) fn pending_merge(spec: &ChainSpec) -> Option<U256> {
    match spec.ethereum_fork_activation(EthereumHardfork::Paris) {
        ForkCondition::TTD { activation_block_number: u64::MAX, total_difficulty, .. } => {
            Some(total_difficulty)
        }
        _ => None,
    }
}
