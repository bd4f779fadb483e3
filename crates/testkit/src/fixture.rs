//! A rollup for tests, which can be deployed on an L1 in this process or on a node by RPC.

use crate::{
    Artifacts, CHAIN_ID, ETHER, HarnessError, InProcessRollup, Key, L1, L2, Rollup,
    TRANSACTION_GAS_CAP, rich,
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, LogData, TxKind, U64, U256, hex};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use alloy_sol_types::{SolEvent as _, SolValue as _};
use chain::{Chain, ChainConfig, spec_of};
use client::{Client, ClientError};
use contracts::{
    Deployment, RollupConfig, Verification,
    bindings::INativeRollup::{Advanced, BlockAdded},
    l2_chain_config, l2_chain_config_following, l2_genesis,
};
use execute::EXECUTE_ADDRESS;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};
use wire::ProtocolFork;

/// Default gas limit of L2 blocks.
const GAS_LIMIT: u64 = 10_000_000;
/// Maximum fee per gas of a deployment in wei, more than a devnet requires.
const MAX_FEE: u128 = 20_000_000_000;
/// Number of polls for a receipt, and the pause between them.
const TRIES: (u32, Duration) = (1_000, Duration::from_millis(20));
/// Age of the head in seconds after which accounts other than the sequencer may advance.
const SILENCE: u64 = 6_300;
/// Age of a signed block in seconds from which any account may post it, with a bond.
const POST_DELAY: u64 = 300;

/// Name of the rollup contract, which calls EXECUTE.
const ROLLUP: &str = "NativeRollup";

/// Wei that covers the fee of any forced transaction in these rollups; the queue returns the
/// excess.
pub const FORCED_FEE: u128 = ETHER / 10;
/// Minimum gas limit of a forced transaction without data.
pub const FORCED_GAS: u64 = contracts::capacity::minimum_forced_gas(0);

/// Rollup that is not deployed yet: its L2 genesis, and the parameters of its contracts.
///
/// By default any account may advance the rollup, and only forced transactions have a fee, which is
/// a hundredth of the base fee.
#[derive(Debug, Clone)]
pub struct RollupFixture {
    genesis: Genesis,
    /// Fork of the L2's first blocks.
    fork: ProtocolFork,
    config: RollupConfig,
    sequencer: Option<Address>,
    /// Minimum bond of the sequencer in wei, or zero.
    min_bond: u128,
    /// Address of EXECUTE that the rollup calls.
    execute: Address,
    /// Deploys the bytecode of an earlier day instead of the checkout's.
    pinned: bool,
}

impl RollupFixture {
    /// Returns a rollup whose L2 starts at this time with the predeploys of the checkout and only
    /// the protocol's accounts.
    ///
    /// # Errors
    ///
    /// If the contracts cannot be compiled.
    pub fn new(chain_id: u64, fork: ProtocolFork, time: u64) -> Result<Self, HarnessError> {
        let predeploys = Artifacts::load(&toolchain::progress_to_stderr)?.predeploys()?;
        let mut genesis = l2_genesis(&predeploys, fork, GAS_LIMIT, time);
        genesis.config = l2_chain_config(chain_id, fork);
        Ok(Self::of(genesis))
    }

    /// Returns a rollup with later forks at these timestamps and with the system contracts of all
    /// forks in its genesis, as `enshrine init` does.
    ///
    /// # Errors
    ///
    /// If the contracts cannot be compiled.
    pub fn forking(
        chain_id: u64,
        first: ProtocolFork,
        later: &[(ProtocolFork, u64)],
        time: u64,
    ) -> Result<Self, HarnessError> {
        let newest = ProtocolFork::ALL.into_iter().max().unwrap_or(first);
        let mut fixture = Self::new(chain_id, newest, time)?;
        fixture.genesis.config = l2_chain_config_following(chain_id, first, later);
        Ok(Self::of(fixture.genesis))
    }

    /// Returns a rollup whose L2 has this genesis.
    ///
    /// # Panics
    ///
    /// If the genesis is before all forks.
    pub fn of(genesis: Genesis) -> Self {
        let fork =
            spec_of(&genesis.config).fork_at(genesis.timestamp).expect("a genesis at a fork");
        let config = RollupConfig::new(genesis.config.chain_id, fork.schema(), Address::ZERO);
        let mut config = RollupConfig { fee_percent: 0, ..config };
        config.forced.fee_percent = 1;
        Self {
            genesis,
            fork,
            config,
            sequencer: None,
            min_bond: 0,
            execute: EXECUTE_ADDRESS,
            pinned: false,
        }
    }

    /// Sets the gas limit of L2 blocks.
    #[must_use]
    pub const fn gas_limit(mut self, gas: u64) -> Self {
        self.genesis.gas_limit = gas;
        self
    }

    /// Gives the accounts of these names this much wei on the L2.
    #[must_use]
    pub fn rich<'n>(self, names: impl IntoIterator<Item = &'n str>, wei: u128) -> Self {
        self.accounts(names.into_iter().map(|name| (Key::named(name).address(), rich(wei))))
    }

    /// Adds accounts to the L2 genesis.
    #[must_use]
    pub fn accounts(
        mut self,
        accounts: impl IntoIterator<Item = (Address, GenesisAccount)>,
    ) -> Self {
        self.genesis.alloc.extend(accounts);
        self
    }

    /// Changes the L2 genesis.
    #[must_use]
    pub fn with_genesis(mut self, change: impl FnOnce(&mut Genesis)) -> Self {
        change(&mut self.genesis);
        self
    }

    /// Changes the parameters of the contracts.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut RollupConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Lets accounts other than this sequencer advance only if the head is an hour old. Only
    /// [`Self::deploy_over_rpc`] uses this setting.
    #[must_use]
    pub const fn sequenced_by(mut self, sequencer: Address) -> Self {
        self.sequencer = Some(sequencer);
        self
    }

    /// Has the sequencer of [`Self::sequenced_by`] deposit at least this bond in wei in a new
    /// registry, and lets other accounts post blocks that it has signed.
    #[must_use]
    pub const fn bonded(mut self, min_bond: u128) -> Self {
        self.min_bond = min_bond;
        self
    }

    /// Has the rollup contract call EXECUTE at another address of at most two bytes.
    #[must_use]
    pub const fn calling(mut self, execute: Address) -> Self {
        self.execute = execute;
        self
    }

    /// Deploys the bytecode in `pinned/`, which was compiled on 2026-11-29, with its constructors
    /// of that day. Only [`Self::deploy_in`] uses this setting.
    #[must_use]
    pub const fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// Deploys the contracts on an L1 in this process, and starts the L2.
    ///
    /// # Errors
    ///
    /// If a contract cannot be deployed.
    pub fn deploy_in(self, l1: &mut L1, deployer: &Key) -> Result<(L2, Rollup), HarnessError> {
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let config = ChainConfig::new(spec_of(&self.genesis.config));
        let l2 = L2::configured(&self.genesis, config)?;
        let nonce = l1.chain().nonce(deployer.address())?;
        let rollup = create_contracts(
            &self.config,
            l2.chain().head(),
            (deployer.address(), nonce),
            |name, arguments| {
                let code = match pinned_code(name).filter(|_| self.pinned) {
                    Some(code) => code,
                    None => init_code(artifacts, name, self.execute)?,
                };
                l1.deploy(deployer, [&code[..], &arguments].concat().into())
            },
        )?;
        Ok((l2, rollup))
    }

    /// Like [`Self::deploy_in`], and returns everything as one value.
    ///
    /// # Errors
    ///
    /// If a contract cannot be deployed.
    pub fn deploy_on(self, mut l1: L1, operator: Key) -> Result<InProcessRollup, HarnessError> {
        let (l2, rollup) = self.deploy_in(&mut l1, &operator)?;
        Ok(InProcessRollup { l1, l2, contracts: rollup, operator, sent: Vec::new() })
    }

    /// Deploys the contracts on the L1 of a node, where the deployer must have ETH.
    ///
    /// # Errors
    ///
    /// If a request to the node or a deployment fails.
    pub fn deploy_over_rpc(self, l1: &Client, deployer: &Key) -> Result<Deployment> {
        let Self { genesis, fork, mut config, sequencer, min_bond, execute, .. } = self;
        let chain = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
        let first = chain.head();
        let number =
            |method: &str| l1.request::<_, U64>(method, ()).map(|number| number.to::<u64>());
        let (l1_chain_id, l1_block) = (number("eth_chainId")?, number("eth_blockNumber")?);
        let mut creator = Creator { execute, ..Creator::new(l1, deployer, l1_chain_id, fork)? };
        let mut preconf_bonds = Address::ZERO;
        if let Some(sequencer) = sequencer {
            let arguments = (sequencer, Address::ZERO, SILENCE);
            config.policy = match min_bond {
                0 => creator.create("PermissionedSequencing", &arguments.abi_encode_params())?,
                wei => {
                    preconf_bonds = creator.create("PreconfBonds", &[])?;
                    let bond = (POST_DELAY, preconf_bonds, U256::from(wei));
                    let arguments = (arguments.0, arguments.1, arguments.2, bond.0, bond.1, bond.2);
                    creator.create("HybridSequencing", &arguments.abi_encode_params())?
                }
            };
        }
        let from = (deployer.address(), creator.nonce);
        let Rollup { address, message_queue, forced, exit } =
            create_contracts(&config, first, from, |name, arguments| {
                creator.create(name, &arguments)
            })?;
        Ok(Deployment {
            l1_chain_id,
            l1_block,
            l2_chain_id: genesis.config.chain_id,
            genesis_hash: first.hash,
            genesis_state_root: first.header.state_root,
            deployer: deployer.address(),
            rollup: address,
            message_queue,
            forced,
            exit,
            policy: config.policy,
            preconf_bonds,
            l1_bridge: Address::ZERO,
            l2_bridge: Address::ZERO,
            verification: Verification::Native,
            genesis,
        })
    }
}

/// Deploys the contracts of a rollup in the order of their nonces, from an account with this nonce.
fn create_contracts<E>(
    config: &RollupConfig,
    first: &chain::Block,
    (deployer, nonce): (Address, u64),
    mut create: impl FnMut(&str, Vec<u8>) -> Result<Address, E>,
) -> Result<Rollup, E> {
    // The constructors of the queues need the address of the rollup, which is deployed after them,
    // and that of the exit, which reads the rollup.
    let rollup = deployer.create(nonce + 2);
    let exit = config.lost_after.map_or(Address::ZERO, |_| deployer.create(nonce + 3));
    let message_queue = create("L1MessageQueue", config.message_queue_arguments(rollup, exit))?;
    let forced = create("ForcedInbox", config.forced_inbox_arguments(rollup))?;
    let address = create(ROLLUP, config.rollup_arguments(first, message_queue, forced))?;
    assert_eq!(address, rollup, "the queues have another address of the rollup");
    if let Some(arguments) = config.exit_arguments(message_queue) {
        let address = create("RollupExit", arguments)?;
        assert_eq!(address, exit, "the queue has another address of the exit");
    }
    Ok(Rollup { address, message_queue, forced, exit })
}

/// Returns the init code of a contract. The rollup contract calls EXECUTE at this address.
fn init_code(artifacts: &Artifacts, name: &str, execute: Address) -> Result<Bytes, HarnessError> {
    let artifact = artifacts.get(name)?;
    if name != ROLLUP || execute == EXECUTE_ADDRESS {
        return Ok(artifact.init_code.clone());
    }
    artifact.calling(execute).ok_or(HarnessError::OtherExecute(ROLLUP, execute))
}

/// Returns the init code of a contract in `pinned/`.
pub fn pinned_code(name: &str) -> Option<Bytes> {
    let text = match name {
        ROLLUP => include_str!("../pinned/NativeRollup.hex"),
        "L1MessageQueue" => include_str!("../pinned/L1MessageQueue.hex"),
        "ForcedInbox" => include_str!("../pinned/ForcedInbox.hex"),
        "HeaderReader" => include_str!("../pinned/HeaderReader.hex"),
        _ => return None,
    };
    hex::decode(text.trim()).ok().map(Bytes::from)
}

/// Account that deploys contracts over a node's RPC.
struct Creator<'l> {
    l1: &'l Client,
    key: &'l Key,
    chain_id: u64,
    nonce: u64,
    gas_limit: u64,
    /// Address of EXECUTE that a rollup calls.
    execute: Address,
}

impl<'l> Creator<'l> {
    fn new(l1: &'l Client, key: &'l Key, chain_id: u64, fork: ProtocolFork) -> Result<Self> {
        let nonce: U64 = l1.request("eth_getTransactionCount", (key.address(), "latest"))?;
        // L1 has the rules of its L2s. Since Amsterdam, the transaction gas cap does not cover
        // state gas (EIP-8037).
        let more = if fork >= ProtocolFork::Amsterdam { 3 } else { 1 };
        let gas_limit = more * TRANSACTION_GAS_CAP;
        let execute = EXECUTE_ADDRESS;
        Ok(Self { l1, key, chain_id, nonce: nonce.to(), gas_limit, execute })
    }

    fn create(&mut self, name: &str, arguments: &[u8]) -> Result<Address> {
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let code = init_code(artifacts, name, self.execute)?;
        let transaction = self.key.sign(TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: MAX_FEE,
            to: TxKind::Create,
            value: U256::ZERO,
            input: Bytes::from([&code[..], arguments].concat()),
            ..Default::default()
        });
        self.nonce += 1;
        let raw = Bytes::from(transaction.encoded_2718());
        let receipt = receipt(self.l1, self.l1.request("eth_sendRawTransaction", (raw,))?)?;
        ensure!(receipt.status(), "{name} is not deployed");
        receipt.contract_address.ok_or_eyre("a deployment receipt without an address")
    }
}

fn receipt(node: &Client, hash: B256) -> Result<TransactionReceipt> {
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match node.request("eth_getTransactionReceipt", (hash,))? {
            Some(receipt) => return Ok(receipt),
            None => sleep(pause),
        }
    }
    Err(eyre::eyre!("no block includes transaction {hash}"))
}

/// Returns the timestamp of a node's latest block.
///
/// # Errors
///
/// If the request fails.
pub fn head_time(node: &Client) -> Result<u64, ClientError> {
    let head: Block = node.request("eth_getBlockByNumber", ("latest", false))?;
    Ok(head.header.timestamp)
}

/// Sets the balances of accounts on a devnet, in wei.
///
/// # Errors
///
/// If a request fails.
pub fn enrich(
    devnet: &Client,
    accounts: impl IntoIterator<Item = Address>,
    wei: u128,
) -> Result<(), ClientError> {
    accounts.into_iter().try_for_each(|account| {
        devnet.request::<_, Value>("anvil_setBalance", (account, U256::from(wei))).map(drop)
    })
}

/// Writes a deployment file into a directory, as `script/Deploy.s.sol` does, and returns its path.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_deployment(deployment: &Deployment, folder: &Path) -> Result<PathBuf> {
    let text = json!({
        "l1ChainId": deployment.l1_chain_id,
        "l1Block": deployment.l1_block,
        "l2ChainId": deployment.l2_chain_id,
        "genesisHash": deployment.genesis_hash,
        "genesisStateRoot": deployment.genesis_state_root,
        "deployer": deployment.deployer,
        "rollup": deployment.rollup,
        "messageQueue": deployment.message_queue,
        "forced": deployment.forced,
        "exit": deployment.exit,
        "policy": deployment.policy,
        "preconfBonds": deployment.preconf_bonds,
        "l1Bridge": deployment.l1_bridge,
        "l2Bridge": deployment.l2_bridge,
        "genesis": deployment.genesis,
    });
    let path = folder.join("deployment.json");
    fs::write(&path, text.to_string())?;
    Ok(path)
}

/// Returns the data of the rollup's logs for an `advance` that adds these blocks, the first of which
/// has the number `first`.
pub fn advance_logs(first: u64, hashes: impl IntoIterator<Item = B256>) -> Vec<LogData> {
    let added = (first..).zip(hashes).map(|(number, hash)| {
        BlockAdded { number, blockHash: hash, stateRoot: B256::ZERO }.encode_log_data()
    });
    let mut logs: Vec<_> = added.collect();
    let advanced = Advanced {
        first,
        last: first + logs.len() as u64 - 1,
        caller: Address::ZERO,
        inputsHash: B256::ZERO,
        blobs: U256::ZERO,
    };
    logs.push(advanced.encode_log_data());
    logs
}

/// Returns a deployment of contracts that do not exist, besides these addresses.
pub fn bare_deployment(rollup: Address, forced: Address) -> Deployment {
    let zero = Address::ZERO;
    Deployment {
        l1_chain_id: 1,
        l1_block: 1,
        l2_chain_id: CHAIN_ID,
        genesis_hash: B256::ZERO,
        genesis_state_root: B256::ZERO,
        deployer: zero,
        rollup,
        message_queue: Address::repeat_byte(3),
        forced,
        exit: zero,
        policy: zero,
        preconf_bonds: zero,
        l1_bridge: zero,
        l2_bridge: zero,
        verification: Verification::Native,
        genesis: Genesis::default(),
    }
}
