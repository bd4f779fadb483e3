//! A rollup on a node of L1, by way of its RPC.

use crate::{Artifacts, ETHER, Key, TRANSACTION_GAS_CAP};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolValue as _;
use chain::{Chain, ChainConfig, spec_of};
use client::Client;
use contracts::{Deployment, RollupConfig};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};
use wire::ProtocolFork;

/// Fee per gas of a creation, in wei: more than a devnet demands.
const MAX_FEE: u128 = 20_000_000_000;
/// Number of polls for a receipt, and the pause between them.
const TRIES: (u32, Duration) = (1_000, Duration::from_millis(20));

/// Wei that covers the fee of any forced transaction of these rollups; the queue returns the rest.
pub const FORCED_FEE: u128 = ETHER / 10;

/// Age of the head, in seconds, from which on others than the sequencer may advance.
const SILENCE: u64 = 3_600;

/// Deploys the contracts of a rollup that anyone may advance, for an L2 with this genesis, without fees. The
/// deployer has to have ETH on L1.
///
/// # Errors
///
/// If the node refuses anything.
pub fn deploy(l1: &Client, deployer: &Key, genesis: Genesis) -> Result<Deployment> {
    deploy_for(l1, deployer, genesis, None, |_| {})
}

/// Deploys a rollup that anyone may advance, with parameters that `change` has set.
///
/// # Errors
///
/// If the node refuses anything.
pub fn deploy_with(
    l1: &Client,
    deployer: &Key,
    genesis: Genesis,
    change: impl FnOnce(&mut RollupConfig),
) -> Result<Deployment> {
    deploy_for(l1, deployer, genesis, None, change)
}

/// Deploys a rollup for one sequencer: others may advance when the head is an hour old.
///
/// # Errors
///
/// If the node refuses anything.
pub fn deploy_permissioned(
    l1: &Client,
    deployer: &Key,
    genesis: Genesis,
    sequencer: Address,
) -> Result<Deployment> {
    deploy_for(l1, deployer, genesis, Some(sequencer), |_| {})
}

fn deploy_for(
    l1: &Client,
    deployer: &Key,
    genesis: Genesis,
    sequencer: Option<Address>,
    change: impl FnOnce(&mut RollupConfig),
) -> Result<Deployment> {
    let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
    let spec = spec_of(&genesis.config);
    let first = Chain::new(&genesis, ChainConfig::new(spec.clone()))?.head().clone();
    let l2_chain_id = genesis.config.chain_id;
    let fork = spec.fork_at(first.header.timestamp).ok_or_eyre("a genesis before all forks")?;
    let mut config = RollupConfig {
        fee_percent: 0,
        ..RollupConfig::new(l2_chain_id, fork.schema(), Address::ZERO)
    };
    // The rules of L1 are those of its L2s. From Amsterdam on what stays in the state is paid beside the cap of a
    // transaction (EIP-8037).
    let gas_limit =
        if fork >= ProtocolFork::Amsterdam { 3 * TRANSACTION_GAS_CAP } else { TRANSACTION_GAS_CAP };
    config.forced.fee_percent = 1;
    change(&mut config);

    let account = deployer.address();
    let number = |method: &str| l1.request::<_, U64>(method, ()).map(|it| it.to::<u64>());
    let (l1_chain_id, l1_block) = (number("eth_chainId")?, number("eth_blockNumber")?);
    let mut nonce: u64 = l1.request::<_, U64>("eth_getTransactionCount", (account, "latest"))?.to();
    let rollup = account.create(nonce + 2 + u64::from(sequencer.is_some()));
    let mut create = |name: &str, arguments: Vec<u8>| {
        let code = &artifacts.get(name)?.init_code;
        let transaction = deployer.sign(TxEip1559 {
            chain_id: l1_chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: MAX_FEE,
            to: TxKind::Create,
            value: U256::ZERO,
            input: Bytes::from([&code[..], &arguments].concat()),
            ..Default::default()
        });
        nonce += 1;
        let raw = Bytes::from(transaction.encoded_2718());
        let receipt = receipt(l1, l1.request("eth_sendRawTransaction", (raw,))?)?;
        ensure!(receipt.status(), "{name} is not deployed");
        receipt.contract_address.ok_or_eyre("a creation without an address")
    };
    if let Some(sequencer) = sequencer {
        let arguments = (sequencer, Address::ZERO, SILENCE).abi_encode_params();
        config.policy = create("PermissionedSequencing", arguments)?;
    }
    let message_queue = create("L1MessageQueue", config.message_queue_arguments(rollup))?;
    let forced = create("ForcedInbox", config.forced_inbox_arguments(rollup))?;
    let made = create("NativeRollup", config.rollup_arguments(&first, message_queue, forced))?;
    ensure!(made == rollup, "the rollup is at {made}, and its queues expect it at {rollup}");
    Ok(Deployment {
        l1_chain_id,
        l1_block,
        l2_chain_id,
        genesis_hash: first.hash,
        genesis_state_root: first.header.state_root,
        deployer: account,
        rollup,
        message_queue,
        forced,
        policy: config.policy,
        l1_bridge: Address::ZERO,
        l2_bridge: Address::ZERO,
        genesis,
    })
}

/// Writes a deployment file into a folder, as `script/Deploy.s.sol` does; its path.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_deployment(deployment: &Deployment, folder: &Path) -> Result<PathBuf> {
    let it = deployment;
    let text = json!({
        "l1ChainId": it.l1_chain_id, "l1Block": it.l1_block, "l2ChainId": it.l2_chain_id,
        "genesisHash": it.genesis_hash, "genesisStateRoot": it.genesis_state_root,
        "deployer": it.deployer, "rollup": it.rollup, "messageQueue": it.message_queue, "forced": it.forced,
        "policy": it.policy, "l1Bridge": it.l1_bridge, "l2Bridge": it.l2_bridge,
        "genesis": it.genesis,
    });
    let path = folder.join("deployment.json");
    fs::write(&path, text.to_string())?;
    Ok(path)
}

fn receipt(node: &Client, hash: B256) -> Result<TransactionReceipt> {
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match node.request("eth_getTransactionReceipt", (hash,))? {
            Some(receipt) => return Ok(receipt),
            None => sleep(pause),
        }
    }
    Err(eyre::eyre!("transaction {hash} is in no block"))
}
