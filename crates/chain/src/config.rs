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
use codec::{Allowance, SignedExecuteTx};
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
    /// Its id and forks.
    pub spec: ChainSpec,
    /// Code that is allowed at the system addresses. A private chain keeps the canonical code;
    /// official fixtures do not always.
    pub system_code: SystemCode,
    /// Limits of its EVM that exceed Ethereum's.
    pub limits: LiftedLimits,
    /// Extensions of the execution of its blocks, in the order in which they apply. Unless all are
    /// [verifiable](EvmOverrides::is_verifiable), blocks are not
    /// [provable](store::Block::provable): only this chain can verify them.
    pub extensions: Arc<[Arc<dyn Extension>]>,
    /// Precompile of transactions of type `0x05`, which do not exist without it. No L2 has it.
    pub execute_tx: Option<ExecuteTxPrecompile>,
    /// Cryptography for the blocks, which do not depend on it.
    pub cryptography: &'static dyn Cryptography,
}

/// An extension of a chain, which is found by its type.
pub trait Extension: EvmOverrides + Any {}

impl<T: EvmOverrides + Any> Extension for T {}

/// Precompile of a chain's transactions of type `0x05`.
#[derive(Clone)]
pub struct ExecuteTxPrecompile {
    address: Address,
    market: Option<ExecuteMarket>,
    install: Arc<Install>,
    /// Puts the precompile into an EVM that verifies a block.
    verifying: Arc<Install>,
}

/// Puts the precompile into an EVM, for the calls in this transaction, or in one of another type.
type Install = dyn Fn(Option<&Arc<Sealed<SignedExecuteTx>>>, &mut PrecompilesMap, &Arc<BlockTally>)
    + Send
    + Sync;

impl ExecuteTxPrecompile {
    /// Creates the precompile at this address, which `install` puts into an EVM: for the calls in a
    /// transaction, or in one of another type.
    ///
    /// Only a chain with a `market` has transactions with an allowance. In these the tally has to
    /// count what all calls of EXECUTE draw, which is no more than the allowance, and nothing else.
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

    /// Returns the same precompile, which `install` puts into EVMs that
    /// [verify](crate::State::verify_child) blocks. It must not use verdicts that the builder has
    /// come to: a verification that does finds no false one.
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

/// Limits of the EVM that a chain lifts. By default there are none: those of the fork hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiftedLimits {
    /// Most bytes of code; twice as many of initialisation code.
    pub code_size: Option<usize>,
    /// Transactions may use all the gas of their block (EIP-7825 is off).
    pub no_transaction_gas_cap: bool,
}

impl ChainConfig {
    /// Returns the allowance that a transaction asks for, and the market of the chain that sells
    /// it.
    pub fn market_for(
        &self,
        transaction: &store::Transaction,
    ) -> Option<(&ExecuteMarket, Allowance)> {
        let market = self.execute_tx.as_ref().and_then(ExecuteTxPrecompile::market);
        market.zip(transaction.as_execute().and_then(|it| it.tx.allowance()))
    }

    /// A chain by these rules, without extensions.
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

    /// Returns the same chain with this cryptography.
    #[must_use]
    pub fn with_cryptography(self, cryptography: &'static dyn Cryptography) -> Self {
        Self { cryptography, ..self }
    }

    /// Returns the same chain with an extension behind the others, or in the place of the one of
    /// the same type.
    #[must_use]
    pub fn with_extension(mut self, extension: Arc<dyn Extension>) -> Self {
        self.set_extension(extension);
        self
    }

    /// Sets an extension behind the others, or in the place of the one of the same type.
    pub fn set_extension(&mut self, extension: Arc<dyn Extension>) {
        let kind = |it: &dyn Extension| (it as &dyn Any).type_id();
        let mut all = self.extensions.to_vec();
        match all.iter_mut().find(|it| kind(&***it) == kind(&*extension)) {
            Some(present) => *present = extension,
            None => all.push(extension),
        }
        self.extensions = all.into();
    }

    /// Returns the extension of this type, if the chain has one.
    pub fn extension<T: Extension>(&self) -> Option<&T> {
        self.extensions.iter().find_map(|it| (&**it as &dyn Any).downcast_ref())
    }

    /// Removes the extension of this type.
    pub fn remove_extension<T: Extension>(&mut self) {
        let others = self.extensions.iter().filter(|it| !(&***it as &dyn Any).is::<T>());
        self.extensions = others.cloned().collect();
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

/// The rules that the configuration of a genesis file describes.
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

/// Blob parameters from each fork on that the configuration gives any for.
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
        // Minimum fee, base cost and blobs per transaction are the fork's; the schedule has the
        // rest.
        let params = BlobParams {
            target_blob_count: own.target_blob_count,
            max_blob_count: own.max_blob_count,
            update_fraction: own.update_fraction,
            // Before Osaka a transaction may fill its block.
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

/// Returns the total difficulty that ends proof of work, if the block at which it did is unknown.
pub(crate) fn pending_merge(spec: &ChainSpec) -> Option<U256> {
    match spec.ethereum_fork_activation(EthereumHardfork::Paris) {
        ForkCondition::TTD { activation_block_number: u64::MAX, total_difficulty, .. } => {
            Some(total_difficulty)
        }
        _ => None,
    }
}
