//! Real blocks through EXECUTE.

use crate::gas::Scheduled;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_rpc_types_eth::TransactionReceipt;
use chain::to_stateless_input;
use chain::{Call, Chain, ChainConfig, empty_genesis};
use codec::RawBlock;
use execute::{EXECUTE_ADDRESS, Execute, ExecuteError, Rules};
use executor::ChainSpec;
use eyre::{Result, ensure, eyre};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, sync::Arc, time::Instant};
use testkit::localnet::{
    devnet::build,
    report::{RealBlock, Report},
};
use testkit::{
    NodeProcess,
    vectors::{self, Block},
};
use variants::ExecuteExtension;
use wire::{ProtocolFork, StatelessInput, StatelessResult};

/// Gas limit of a transaction with a real block, more than any of them uses.
const TRANSACTION_GAS: u64 = 1_000_000_000;

/// Number of EXECUTE calls per block. The report contains the time of the fastest.
const CALLS: usize = 3;

/// Starts a devnet process whose EXECUTE accepts blocks of all forks in the vectors.
fn devnet() -> Result<NodeProcess> {
    let mut command = Command::new(build()?);
    command.env("RUST_LOG", "error");
    command.args([
        "devnet",
        "--silent",
        "--mainnet",
        "--disable-block-gas-limit",
        "--no-tx-gas-cap",
    ]);
    command.args(["--max-tx-size", "16000000", "--execute-any-block", "--execute-schema"]);
    command.arg("cancun,prague,osaka,bpo1,bpo2");
    Ok(NodeProcess::start(&mut command)?)
}

/// Sends an input to EXECUTE in a devnet transaction and returns the charge.
fn through(devnet: &NodeProcess, name: &str, calldata: &Bytes) -> Result<u64> {
    let node = devnet.client();
    let accounts: Vec<Address> = node.request("eth_accounts", ())?;
    let from = accounts.first().ok_or_else(|| eyre!("a devnet without accounts"))?;
    let sent = json!({
        "from": from, "to": EXECUTE_ADDRESS, "input": calldata, "gas": U64::from(TRANSACTION_GAS),
    });
    let hash: B256 = node.request("eth_sendTransaction", (sent,))?;
    let receipt: TransactionReceipt = node.request("eth_getTransactionReceipt", (hash,))?;
    let calls: Value = node.request("enshrine_explainExecute", (hash,))?;
    ensure!(calls[0]["verdict"] == "valid", "{name}: the devnet says {calls}");
    ensure!(receipt.status(), "{name}: the devnet transaction failed");
    let charged: u64 = serde_json::from_value::<U64>(calls[0]["gasUsed"].clone())?.to();
    let tokens = calldata.iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum::<u64>();
    let (parts, floor) = (21_000 + 4 * tokens + charged, 21_000 + 10 * tokens);
    let used = receipt.gas_used;
    ensure!(
        used == parts.max(floor),
        "{name}: {used} gas used, expected {parts} or the floor {floor}"
    );
    Ok(charged)
}

/// Creates an L1 without gas limits whose EXECUTE accepts any valid block.
fn unlimited_l1() -> Result<Chain> {
    let fork = ProtocolFork::Osaka;
    let config = ChainConfig::new(ChainSpec::constant(31_337, fork))
        .with_extension(Arc::new(ExecuteExtension::new(Execute::l1())));
    let genesis = Genesis { gas_limit: u64::MAX / 2, ..empty_genesis(fork) };
    Ok(Chain::new(&genesis, config)?)
}

pub(crate) fn verify(files: &[PathBuf], report: &mut Report) -> Result<()> {
    let blocks = if files.is_empty() {
        vectors::blocks("blocks", "real blocks through EXECUTE")?
    } else {
        files.iter().map(|path| vectors::read_block(path)).collect::<Result<Vec<Block>>>()?
    };
    if blocks.is_empty() {
        return Ok(());
    }
    report.part("Real blocks through EXECUTE");
    let (l1, devnet) = (unlimited_l1()?, devnet()?);
    for Block { name, bundle } in blocks {
        let spec = ChainSpec::known(bundle.chain_id)
            .ok_or_else(|| eyre!("{name}: chain {} is not a public network", bundle.chain_id))?;
        let raw = RawBlock::decode(&bundle.block)?;
        let calldata = to_stateless_input(&raw, &bundle.witness, &spec)?;
        let call = || {
            let start = Instant::now();
            let outcome = l1.call(Call {
                to: Some(EXECUTE_ADDRESS),
                data: Bytes::copy_from_slice(&calldata),
                ..Default::default()
            })?;
            eyre::Ok((outcome, start.elapsed().as_secs_f64() * 1e3))
        };
        let (outcome, mut ms) = call()?;
        for _ in 1..CALLS {
            ms = call()?.1.min(ms);
        }
        ensure!(outcome.success, "{name}: EXECUTE rejects a real block");
        ensure!(StatelessResult::decode(&outcome.output)?.valid, "{name}: not valid");

        let l2 = Execute { rules: Rules::default(), ..Execute::l1() };
        let refusal = l2.run(&calldata, u64::MAX).err();
        let blobs_or_withdrawals = !raw.versioned_hashes.is_empty()
            || raw.withdrawals.as_ref().is_some_and(|w| !w.is_empty());
        ensure!(
            matches!(refusal, Some(ExecuteError::Rules(_))) == blobs_or_withdrawals,
            "{name}: under L2 rules: {refusal:?}"
        );
        let input = StatelessInput::decode(&calldata)?;
        let execute_gas = Execute::l1().run(&calldata, u64::MAX)?.gas;
        let scheduled = Scheduled::of(&calldata)?;
        ensure!(
            execute_gas == scheduled.sum(),
            "{name}: EXECUTE charges {execute_gas}, expected by the schedule: {}",
            scheduled.shown()
        );
        let charged = through(&devnet, &name, &Bytes::copy_from_slice(&calldata))?;
        ensure!(
            charged == execute_gas,
            "{name}: the devnet charges {charged}, expected {execute_gas}"
        );
        report.shown(format!(
            "{} is valid, in process and in a devnet transaction, for {}",
            name.replace('_', " "),
            scheduled.shown()
        ));
        report.real_blocks.push(RealBlock {
            name,
            gas: raw.header.gas_used,
            transactions: raw.transactions.len(),
            witness_bytes: input.witness.encoded_len(),
            input_bytes: calldata.len(),
            execute_gas,
            ms,
            refused_under_l2_rules: refusal.map(|refusal| refusal.to_string()),
        });
    }
    Ok(())
}
