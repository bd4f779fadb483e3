//! Measures the devnet's overhead over EXECUTE for a block with one `advance` of 100 kB.
//!
//! A rollup is deployed on an in-process chain. The devnet imports that chain and receives the
//! transaction over HTTP repeatedly, each time from the same snapshot. EXECUTE is timed separately
//! on the same input.

use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall;
use client::{Client, ClientOptions};
use contracts::bindings::INativeRollup::{self, Evidence};
use enshrine_devnet::{Devnet, Origin};
use execute::Execute;
use serde_json::{Value, json};
use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};
use testkit::{ETHER, Key, L1, RollupFixture, TRANSACTION_GAS_CAP};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Size of the input to EXECUTE, in bytes; nearly all of it is one L2 transaction.
const INPUT: usize = 100_000;
/// Number of repetitions; the fastest one counts.
const ROUNDS: usize = 40;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Chain with a rollup, the transaction that advances it, and the resulting input to EXECUTE.
struct RecordedAdvance {
    genesis: Genesis,
    blocks: Vec<u8>,
    raw: Bytes,
    input: Bytes,
}

fn recorded() -> Result<RecordedAdvance> {
    let operator = Key::named("operator");
    let genesis = L1::genesis(ProtocolFork::Osaka, L1_CHAIN, &["operator"]);
    let mut l1 = L1::new(L1_CHAIN, Execute::default(), &["operator"])?;
    let fixture = RollupFixture::new(L2_CHAIN, ProtocolFork::Osaka, l1.next_timestamp())?;
    let fixture = fixture.rich(["operator"], 100 * ETHER);
    let (mut l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;

    // Non-repeating bytes, like those of a real transaction.
    let noise: Vec<u8> =
        (0_u64..).flat_map(|index| keccak256(index.to_be_bytes()).0).take(INPUT - 3_000).collect();
    let transaction =
        l2.sign(&operator, operator.address().into(), U256::ZERO, noise.into(), 9_000_000)?;
    let time = l2.chain().head().header.timestamp + 1;
    let (block, rejected) = l2.seal(time, B256::ZERO, vec![transaction])?;
    if !rejected.is_empty() {
        return Err(format!("the L2 block leaves out {rejected:?}").into());
    }
    let input: Bytes = block.input()?.into();
    let call =
        INativeRollup::advanceCall { inputs: vec![input.clone()], evidence: Evidence::default() };
    let numbers = 1..=l1.chain().head().header.number;
    let mut blocks = Vec::new();
    for number in numbers {
        let block = l1.chain().canonical_block(number)?.ok_or("a gap in the chain")?;
        blocks.extend_from_slice(&block.rlp());
    }
    let to = rollup.address;
    let calldata = Bytes::from(call.abi_encode());
    let sent = l1.send(&operator, to.into(), U256::ZERO, calldata, TRANSACTION_GAS_CAP)?;
    if !sent.receipt.success {
        return Err("advance fails".into());
    }
    let raw = sent.block.transactions[0].encoded_2718().into();
    Ok(RecordedAdvance { genesis, blocks, raw, input })
}

/// Returns the best time over all rounds.
fn best<T>(mut round: impl FnMut() -> Result<T>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        round()?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

fn main() -> Result<()> {
    let RecordedAdvance { genesis, blocks, raw, input } = recorded()?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), blocks)?;
    let origin = Origin::Genesis { genesis: genesis.into(), blocks: Some(file.path().to_owned()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let builder = Devnet::builder().mainnet().with(|config| config.origin = origin);
    let devnet = runtime.block_on(builder.spawn())?;
    let client = Client::new(&devnet.endpoint(), ClientOptions::default())?;
    let ask = |method, params| client.request::<Value, Value>(method, params);

    let mut whole = Duration::MAX;
    for _ in 0..ROUNDS {
        let snapshot = ask("evm_snapshot", json!([]))?;
        let begun = Instant::now();
        let hash = ask("eth_sendRawTransaction", json!([raw]))?;
        whole = whole.min(begun.elapsed());
        let receipt = ask("eth_getTransactionReceipt", json!([hash]))?;
        if receipt["status"] != "0x1" {
            return Err(format!("advance fails: {receipt}").into());
        }
        ask("evm_revert", json!([snapshot]))?;
    }
    let execute = Execute::default();
    let alone =
        best(|| execute.run(&input, u64::MAX).map_err(|refusal| refusal.to_string().into()))?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "block with an advance of {} bytes: {:.2} ms from request to answer, EXECUTE {:.2} ms, \
         the rest {:.2} ms",
        input.len(),
        millis(whole),
        millis(alone),
        millis(whole.saturating_sub(alone)),
    );
    Ok(())
}
