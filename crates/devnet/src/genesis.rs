//! Initial chain of a devnet: genesis, imported blocks or fork.

use crate::{
    Accounts, DevnetConfig, DevnetError, Hardfork, MiningMode,
    cheats::EvmCheats,
    config::Origin,
    fork::Remote,
    registry::{REGISTRY_ADDRESS, registry_code},
};
use alloy_eips::{
    eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS},
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, U256, address, bytes};
use chain::{
    Chain, ChainConfig, EditState as _, ExecuteMarket, ExecuteTxPrecompile, Extension, ForkTimes,
    ForkTimesError, LiftedLimits, empty_genesis, spec_of,
};
use codec::RawBlock;
use execute::{Execute, ForkRule, Rules};
use executor::{ChainSpec, ForkBackend, SYSTEM_CONTRACTS, SystemCode};
use node::{BlobStore, Clock};
use rpc::{ExecuteObserver, Telemetry};
use std::{fs, path::Path, sync::Arc};
use variants::{
    BlobSource, Dialects, ExecuteExtension,
    market::{LIMIT, MARKET_ADDRESS, MARKET_CODE, excess_at, price_on},
};
use wire::ProtocolFork;

/// CREATE2 deployer that tools use for addresses that do not depend on the sender.
const CREATE2_DEPLOYER: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");

/// Code of the CREATE2 deployer.
const CREATE2_DEPLOYER_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

impl Hardfork {
    /// Returns the protocol fork; `None` before the merge.
    pub(crate) const fn merged(self) -> Option<ProtocolFork> {
        Some(match self {
            Self::Paris => ProtocolFork::Paris,
            Self::Shanghai => ProtocolFork::Shanghai,
            Self::Cancun => ProtocolFork::Cancun,
            Self::Prague => ProtocolFork::Prague,
            Self::Osaka => ProtocolFork::Osaka,
            Self::Bpo1 => ProtocolFork::Bpo1,
            Self::Bpo2 => ProtocolFork::Bpo2,
            Self::Amsterdam => ProtocolFork::Amsterdam,
            _ => return None,
        })
    }
}

impl From<Hardfork> for EthereumHardfork {
    fn from(fork: Hardfork) -> Self {
        match fork {
            Hardfork::Frontier => Self::Frontier,
            Hardfork::Homestead => Self::Homestead,
            Hardfork::Dao => Self::Dao,
            Hardfork::Tangerine => Self::Tangerine,
            Hardfork::SpuriousDragon => Self::SpuriousDragon,
            Hardfork::Byzantium => Self::Byzantium,
            Hardfork::Constantinople => Self::Constantinople,
            Hardfork::Petersburg => Self::Petersburg,
            Hardfork::Istanbul => Self::Istanbul,
            Hardfork::MuirGlacier => Self::MuirGlacier,
            Hardfork::Berlin => Self::Berlin,
            Hardfork::London => Self::London,
            Hardfork::ArrowGlacier => Self::ArrowGlacier,
            Hardfork::GrayGlacier => Self::GrayGlacier,
            Hardfork::Paris => Self::Paris,
            Hardfork::Shanghai => Self::Shanghai,
            Hardfork::Cancun => Self::Cancun,
            Hardfork::Prague => Self::Prague,
            Hardfork::Osaka => Self::Osaka,
            Hardfork::Bpo1 => Self::Bpo1,
            Hardfork::Bpo2 => Self::Bpo2,
            Hardfork::Amsterdam => Self::Amsterdam,
        }
    }
}

/// Returns the fork schedule of a chain whose first block has this number and timestamp.
fn scheduled(
    config: &DevnetConfig,
    chain_id: u64,
    first: (u64, u64),
) -> Result<ChainSpec, DevnetError> {
    const FLAG: &str = "--hardfork";
    // Mainnet activated both at the same block, so Constantinople's own rules never applied.
    let fork = match config.hardfork {
        Hardfork::Constantinople => Hardfork::Petersburg,
        fork => fork,
    };
    if config.later_forks.is_empty() {
        return Ok(ChainSpec::from_hardfork(chain_id, fork.into(), &[]));
    }
    let Some(merged) = fork.merged() else {
        let reason = "only forks from cancun on can be scheduled".to_owned();
        return Err(DevnetError::Flag { flag: FLAG, reason });
    };
    let block_time = match config.mining {
        MiningMode::Interval(time) | MiningMode::Mixed(time) => Some(time.as_secs()),
        MiningMode::Instant | MiningMode::Manual => None,
    };
    let schedule = ForkTimes { first: merged, later: config.later_forks.clone() };
    let later = schedule.timestamps(first, block_time.filter(|seconds| *seconds > 0));
    let later = later.map_err(|error| {
        let hint = match error {
            ForkTimesError::NoBlockTime { .. } => "; use --block-time with whole seconds",
            _ => "",
        };
        DevnetError::Flag { flag: FLAG, reason: format!("{error}{hint}") }
    })?;
    Ok(ChainSpec::scheduled(chain_id, merged, &later))
}

/// Returns the last fork of the chain's schedule.
fn last_fork(config: &DevnetConfig) -> Option<ProtocolFork> {
    config.later_forks.last().map(|(fork, _)| *fork).or_else(|| config.hardfork.merged())
}

/// Rejects flags that need EXECUTE on a chain before the merge, or a witness before Cancun.
fn check_fork(config: &DevnetConfig) -> Result<(), DevnetError> {
    const UNVERIFIED: &str = "no block from before Cancun is verified from a witness";
    if !config.later_forks.is_empty() && matches!(config.origin, Origin::Genesis { .. }) {
        let reason =
            "the genesis file schedules forks itself, by times such as amsterdamTime".to_owned();
        return Err(DevnetError::Flag { flag: "--hardfork", reason });
    }
    // A genesis file schedules its own forks.
    if let Origin::Genesis { genesis, .. } = &config.origin {
        if config.verify_blocks && genesis.config.cancun_time.is_none() {
            let reason = format!("{UNVERIFIED}, and the genesis file has no cancunTime");
            return Err(DevnetError::Flag { flag: "--verify-blocks", reason });
        }
        return Ok(());
    }
    let witness = (Hardfork::Cancun, UNVERIFIED);
    let execute = (Hardfork::Paris, "before the merge there is no EXECUTE");
    let options = [
        ("--verify-blocks", config.verify_blocks, witness),
        ("--execute-schema", !config.execute_forks.is_empty(), execute),
        ("--execute-dialects", config.execute_dialects != Dialects::default(), execute),
        ("--execute-any-block", config.execute_any_block, execute),
        ("--execute-market", config.execute_market, execute),
        ("--fork-registry", config.fork_registry, execute),
    ];
    let is_early = |since| config.hardfork < since;
    match options.into_iter().find(|(_, is_set, (since, _))| *is_set && is_early(*since)) {
        Some((flag, _, (_, reason))) => Err(DevnetError::Flag {
            flag,
            reason: format!("{reason}: use --hardfork cancun or later"),
        }),
        None => Ok(()),
    }
}

/// Reads a genesis file in geth's format.
///
/// # Errors
///
/// [`DevnetError::File`] and [`DevnetError::Format`].
pub fn read_genesis(path: &Path) -> Result<Genesis, DevnetError> {
    let bytes = fs::read(path).map_err(DevnetError::file("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| DevnetError::Format {
        path: path.to_owned(),
        expected: "genesis file",
        reason: error.to_string(),
    })
}

/// Creates the chain, at its genesis or its last imported block, and its clock.
pub(crate) fn start(
    config: &DevnetConfig,
    accounts: &Accounts,
    remote: Option<&Arc<Remote>>,
    telemetry: &Arc<Telemetry>,
    blobs: &Arc<BlobStore>,
) -> Result<(Chain, Clock), DevnetError> {
    check_fork(config)?;
    let rules = |spec: ChainSpec| {
        let execute = execute_extension(config, &spec, telemetry, blobs);
        let mut extensions: Vec<Arc<dyn Extension>> = Vec::new();
        extensions
            .extend(execute.iter().cloned().map(|extension| -> Arc<dyn Extension> { extension }));
        extensions.push(Arc::new(EvmCheats::default()));
        ChainConfig {
            extensions: extensions.into(),
            execute_tx: execute.and_then(execute_tx),
            cryptography: crypto::libraries(),
            spec,
            system_code: SystemCode::Canonical,
            limits: LiftedLimits {
                code_size: config.code_size_limit,
                no_transaction_gas_cap: !config.tx_gas_cap,
            },
        }
    };
    if let Some(remote) = remote {
        let chain_id = config.chain_id.unwrap_or(remote.chain_id);
        let start = config.timestamp.unwrap_or(remote.header.timestamp);
        let spec = scheduled(config, chain_id, (remote.number(), start))?;
        return forked(config, accounts, remote, rules(spec));
    }
    let Origin::Genesis { genesis, blocks } = &config.origin else {
        let chain_id = config.chain_id.unwrap_or(DevnetConfig::CHAIN_ID);
        let (mut genesis, clock) = own_genesis(config, accounts);
        let spec = scheduled(config, chain_id, (config.number, genesis.timestamp))?;
        if config.fork_registry {
            put_registry(&mut genesis, &spec);
        }
        return Ok((Chain::new(&genesis, rules(spec))?, clock));
    };
    let mut genesis = (**genesis).clone();
    if let Some(id) = config.chain_id {
        genesis.config.chain_id = id;
    }
    if let Some(timestamp) = config.timestamp {
        genesis.timestamp = timestamp;
    }
    let mut rules = rules(spec_of(&genesis.config));
    match blocks {
        // Imported blocks belong to their genesis, so its hash must not change.
        Some(blocks) => {
            rules.system_code = SystemCode::Any;
            let mut chain = Chain::new(&genesis, rules)?;
            import(&mut chain, blocks)?;
            let begins = config.time.now().max(chain.head().header.timestamp);
            let clock = Clock::starting_by(config.time.clone(), begins);
            Ok((chain, clock))
        }
        None => {
            fund(&mut genesis, config, accounts);
            if config.execute_market {
                let base_fee = genesis.base_fee_per_gas.unwrap_or_default();
                open_market(&mut genesis, u64::try_from(base_fee).unwrap_or(u64::MAX));
            }
            if config.fork_registry {
                put_registry(&mut genesis, &rules.spec);
            }
            let begins = match genesis.timestamp {
                0 => config.time.now(),
                timestamp => timestamp,
            };
            let clock = Clock::starting_by(config.time.clone(), begins);
            Ok((Chain::new(&genesis, rules)?, clock))
        }
    }
}

/// Slots that the system calls of the next block read: the request queues (EIP-7002, EIP-7251) and
/// the slot of the parent's hash (EIP-2935).
fn system_slots(number: u64) -> impl Iterator<Item = (Address, U256)> {
    /// Number of slots of a queue: excess, count, head and tail.
    const QUEUE_FIELDS: u64 = 4;
    let queues = [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS];
    let fields = queues
        .into_iter()
        .flat_map(|queue| (0..QUEUE_FIELDS).map(move |field| (queue, U256::from(field))));
    let hash = U256::from(number % HISTORY_SERVE_WINDOW as u64);
    fields.chain([(HISTORY_STORAGE_ADDRESS, hash)])
}

/// Creates a fork of another node's chain, whose state also contains the system contracts of the
/// rules and the test accounts' balances.
fn forked(
    config: &DevnetConfig,
    accounts: &Accounts,
    remote: &Arc<Remote>,
    rules: ChainConfig,
) -> Result<(Chain, Clock), DevnetError> {
    let begins = config.timestamp.unwrap_or(remote.header.timestamp);
    let clock = Clock::starting_by(config.time.clone(), begins);
    let fork_backend: Arc<dyn ForkBackend> = Arc::<Remote>::clone(remote);
    let mut chain = Chain::forked(remote.header.clone(), fork_backend, rules)?;
    let fork = last_fork(config);
    let failed = |error: chain::ChainError| DevnetError::Flag {
        flag: "--fork-url",
        reason: error.to_string(),
    };
    // Prefetched in one batch, because sequential requests would take one round trip each.
    let system = SYSTEM_CONTRACTS.iter().map(|contract| contract.address);
    let slots = system_slots(remote.number()).filter(|_| fork >= Some(ProtocolFork::Prague));
    remote
        .fetch(system.chain(accounts.addresses()), slots)
        .map_err(|error| DevnetError::Flag { flag: "--fork-url", reason: error.to_string() })?;
    for contract in SYSTEM_CONTRACTS.iter().filter(|contract| Some(contract.since) <= fork) {
        if chain.code(contract.address).map_err(failed)?.is_empty() {
            chain
                .edit(|state| state.set_code(contract.address, contract.code()))
                .map_err(failed)?;
        }
    }
    if config.fork_registry {
        let code = registry_code(&chain.config().spec);
        chain.edit(|state| state.set_code(REGISTRY_ADDRESS, code)).map_err(failed)?;
    }
    if config.execute_market && chain.code(MARKET_ADDRESS).map_err(failed)?.is_empty() {
        let base_fee = chain.state().next_base_fee().map_err(failed)?;
        chain
            .edit(|state| {
                state.set_code(MARKET_ADDRESS, Bytes::from_static(MARKET_CODE))?;
                state.set_slot(MARKET_ADDRESS, U256::ZERO, U256::from(excess_at(base_fee)))
            })
            .map_err(failed)?;
    }
    chain
        .edit(|state| {
            for address in accounts.addresses() {
                state.set_balance(address, config.balance)?;
            }
            Ok(())
        })
        .map_err(failed)?;
    Ok((chain, clock))
}

/// Returns EXECUTE as configured, if it is enabled.
fn execute_extension(
    config: &DevnetConfig,
    spec: &ChainSpec,
    telemetry: &Arc<Telemetry>,
    blobs: &Arc<BlobStore>,
) -> Option<Arc<ExecuteExtension>> {
    let market = config.execute_market;
    config.execute.then(|| {
        let execute = execute(config, spec, telemetry, blobs);
        Arc::new(ExecuteExtension { market, ..ExecuteExtension::new(execute) })
    })
}

/// Returns the precompile of type `0x05` transactions, if the corresponding dialect is enabled.
fn execute_tx(execute: Arc<ExecuteExtension>) -> Option<ExecuteTxPrecompile> {
    let address = execute.execute_tx_address()?;
    let market = execute.market.then_some(ExecuteMarket { limit: LIMIT, price: price_on });
    // Verification has a separate cache of verdicts, because it must not rely on the pool's
    // verdicts, which it verifies.
    let verifying = ExecuteExtension { verdicts: Arc::default(), ..(*execute).clone() };
    let precompile =
        ExecuteTxPrecompile::new(address, market, move |transaction, precompiles, tally| {
            execute.install_execute_tx(transaction, precompiles, tally);
        });
    Some(precompile.verified_by(move |transaction, precompiles, tally| {
        verifying.install_execute_tx(transaction, precompiles, tally);
    }))
}

/// Creates EXECUTE with the chain's fork schedule. If additional forks are configured, EXECUTE
/// accepts these and all forks of the chain at any timestamp.
fn execute(
    config: &DevnetConfig,
    spec: &ChainSpec,
    telemetry: &Arc<Telemetry>,
    blobs: &Arc<BlobStore>,
) -> Execute {
    let mut execute = Execute::following(spec.clone());
    if !config.execute_forks.is_empty() {
        let mut forks = execute.forks.forks();
        forks.extend_from_slice(&config.execute_forks);
        execute.forks = ForkRule::Any(forks);
    }
    execute = Execute {
        gas: config.execute_gas.into(),
        observer: Arc::new(ExecuteObserver(Arc::clone(telemetry))),
        rules: if config.execute_any_block { Rules::L1 } else { Rules::default() },
        cryptography: crypto::libraries(),
        ..execute
    };
    let source: Arc<dyn BlobSource> = Arc::<BlobStore>::clone(blobs);
    config.execute_dialects.of(execute, &source)
}

fn own_genesis(config: &DevnetConfig, accounts: &Accounts) -> (Genesis, Clock) {
    let timestamp = config.timestamp.unwrap_or_else(|| config.time.now());
    let mut genesis = empty_genesis(last_fork(config).unwrap_or(ProtocolFork::Paris));
    genesis.number = Some(config.number);
    genesis.timestamp = timestamp;
    genesis.gas_limit = config.gas_limit;
    genesis.base_fee_per_gas = Some(base_fee_before(config.base_fee).into());
    if config.create2_deployer {
        let deployer = GenesisAccount { code: Some(CREATE2_DEPLOYER_CODE), ..Default::default() };
        genesis.alloc.insert(CREATE2_DEPLOYER, deployer);
    }
    if config.execute_market {
        open_market(&mut genesis, config.base_fee);
    }
    fund(&mut genesis, config, accounts);
    (genesis, Clock::starting_by(config.time.clone(), timestamp))
}

/// Adds the fork registry to the genesis of a chain with this schedule.
fn put_registry(genesis: &mut Genesis, spec: &ChainSpec) {
    let code = Some(registry_code(spec));
    let account = GenesisAccount { nonce: Some(1), code, ..Default::default() };
    genesis.alloc.insert(REGISTRY_ADDRESS, account);
}

/// Adds the market contract to a genesis that lacks it, with the price at which EXECUTE gas costs
/// as much as gas.
fn open_market(genesis: &mut Genesis, base_fee: u64) {
    genesis.alloc.entry(MARKET_ADDRESS).or_insert_with(|| GenesisAccount {
        code: Some(Bytes::from_static(MARKET_CODE)),
        storage: Some([(B256::ZERO, U256::from(excess_at(base_fee)).into())].into()),
        ..Default::default()
    });
}

/// Returns the base fee of an empty block whose child has the base fee `wanted`, because the flag
/// sets that of the first block after the genesis.
pub(crate) const fn base_fee_before(wanted: u64) -> u64 {
    wanted.saturating_add(wanted / 7)
}

/// Sets the balance of each test account.
fn fund(genesis: &mut Genesis, config: &DevnetConfig, accounts: &Accounts) {
    for address in accounts.addresses() {
        let account = genesis.alloc.entry(address).or_default();
        if account.balance < config.balance || config.balance == U256::ZERO {
            account.balance = config.balance;
        }
    }
}

/// Imports a file of consecutive blocks.
fn import(chain: &mut Chain, path: &Path) -> Result<(), DevnetError> {
    let bytes = fs::read(path).map_err(DevnetError::file("read", path))?;
    let mut rest = bytes.as_slice();
    let failed = |number: usize, reason: &dyn std::fmt::Display| DevnetError::Format {
        path: path.to_owned(),
        expected: "chain of this genesis",
        reason: format!("block {number}: {reason}"),
    };
    let mut number = 1;
    while !rest.is_empty() {
        let whole = rest;
        let header =
            alloy_rlp::Header::decode(&mut rest).map_err(|error| failed(number, &error))?;
        let length = whole.len() - rest.len() + header.payload_length;
        let (block, after) = whole
            .split_at_checked(length)
            .ok_or_else(|| failed(number, &"the file ends in the middle of it"))?;
        let (raw, ommers) =
            RawBlock::decode_with_ommers(block).map_err(|error| failed(number, &error))?;
        // Files of whole chains include the genesis block, which is skipped.
        if raw.header.number > chain.first_number() {
            let built =
                chain.import_with_ommers(&raw, &ommers).map_err(|error| failed(number, &error))?;
            chain.append(built)?;
        }
        rest = after;
        number += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MnemonicSource;

    #[test]
    fn first_block_has_the_configured_base_fee() {
        for base_fee in [0, 1, 7, 8, 9, 1_000, 999_999_999, 1_000_000_000, u64::MAX / 2] {
            let config = DevnetConfig { base_fee, accounts: 0, ..DevnetConfig::default() };
            let accounts = Accounts::derive(&MnemonicSource::default(), "m", 0).unwrap();
            let (chain, _) =
                start(&config, &accounts, None, &Arc::default(), &Arc::default()).unwrap();
            assert_eq!(chain.state().next_base_fee().unwrap(), base_fee);
        }
    }
}
