//! The size limit of a block: it must fit into an L1 transaction.

use crate::support::{DevnetRollup, is_settled, provider_of, until};
use alloy_consensus::{Transaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U64, U256, keccak256};
use alloy_provider::{Provider, RootProvider};
use alloy_sol_types::{SolCall as _, SolValue as _};
use contracts::bindings::INativeRollup::advanceCall;
use enshrine_rollup::{L1Limits, Prices, RollupNode, SequencerConfig};
use eyre::{OptionExt as _, Result, ensure};
use serde::Deserialize as _;
use serde_json::Value;
use std::{ops::Range, time::Duration};
use testkit::{ETHER, FORCED_GAS, Key, eip1559, rich};

/// Number of L2 accounts: many, so that trie paths are long.
const ACCOUNTS: u64 = 4_000;
/// Number of transfers, more than fit into a block.
const TRANSFERS: u64 = 450;

fn account(number: u64) -> Address {
    Address::from_word(keccak256(number.to_be_bytes()))
}

/// Creates an L2 with many accounts, two of which are rich.
async fn rollup() -> Result<DevnetRollup> {
    let small = GenesisAccount { balance: U256::ONE, ..Default::default() };
    let mut accounts: Vec<_> =
        (0..ACCOUNTS).map(|number| (account(number), small.clone())).collect();
    accounts.extend(["alice", "bob"].map(|name| (Key::named(name).address(), rich(ETHER))));
    DevnetRollup::with(accounts).await
}

/// Starts a sequencer that seals no block before all transfers are sent.
async fn sequencer(rollup: &DevnetRollup, block_time: Duration) -> Result<RollupNode> {
    let mut config = rollup.sequencer_config()?;
    config.block_time = block_time;
    rollup.start(config).await
}

/// Signs transfers of an account with these nonces to different recipients.
fn transfers(name: &str, nonces: Range<u64>, gas_limit: u64) -> impl Iterator<Item = Bytes> {
    let key = Key::named(name);
    nonces.map(move |nonce| {
        let transfer = key.sign(TxEip1559 {
            max_priority_fee_per_gas: 1_000_000,
            value: U256::ONE,
            ..eip1559(nonce, account(nonce * 8), gas_limit)
        });
        transfer.encoded_2718().into()
    })
}

/// Sends transfers from Alice with these nonces.
async fn send(l2: &RootProvider, nonces: Range<u64>) -> Result<()> {
    for raw in transfers("alice", nonces, 21_000) {
        let _ = l2.send_raw_transaction(&raw).await?;
    }
    Ok(())
}

/// Returns the calldata of all `advance` calls.
async fn advances(rollup: &DevnetRollup) -> Result<Vec<Bytes>> {
    let mut all = Vec::new();
    for number in 0..=rollup.provider.get_block_number().await? {
        let block = rollup.provider.get_block_by_number(number.into()).full().await?;
        for transaction in block.ok_or_eyre("no block")?.transactions.into_transactions() {
            if transaction.inner.signer() == rollup.l1.addresses()[1] {
                all.push(transaction.input().clone());
            }
        }
    }
    Ok(all)
}

/// Waits until all transfers from Alice are included and all blocks are on L1.
async fn until_settled(sequencer: &RollupNode, l2: &RootProvider) -> Result<()> {
    until("all transfers on L1", sequencer, || async {
        let done = l2.get_transaction_count(Key::named("alice").address()).await? == TRANSFERS;
        Ok(done && is_settled(sequencer))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_fill_l1_calldata_in_compact_form() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = sequencer(&rollup, Duration::from_secs(8)).await?;
    let l2 = provider_of(&sequencer)?;
    send(&l2, 0..TRANSFERS).await?;
    until_settled(&sequencer, &l2).await?;
    let limit = L1Limits::default().input_bytes();
    let inputs: Vec<Bytes> = l2.raw_request("rollup_inputsAfter".into(), ("0x0",)).await?;
    let longest = inputs.iter().map(|input| input.len()).max().ok_or_eyre("no block")?;
    ensure!(longest > limit, "no input is longer than {limit} bytes by itself: {longest}");
    let lengths: Vec<_> = advances(&rollup).await?.iter().map(|data| data.len()).collect();
    let longest = lengths.iter().max().ok_or_eyre("no advance")?;
    ensure!((limit / 2..L1Limits::default().bytes).contains(longest), "{lengths:?}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_evidence_reduces_space_for_pool_transactions() -> Result<()> {
    /// Number of forced transactions. Each adds more than half a kilobyte of evidence to the
    /// `advance`.
    const FORCED: u64 = 40;
    let rollup = rollup().await?;
    let sequencer = sequencer(&rollup, Duration::from_secs(16)).await?;
    let l2 = provider_of(&sequencer)?;
    for raw in transfers("bob", 0..FORCED, FORCED_GAS) {
        rollup.force(raw).await?;
    }
    send(&l2, 0..TRANSFERS).await?;
    until_settled(&sequencer, &l2).await?;
    assert_eq!(l2.get_transaction_count(Key::named("bob").address()).await?, FORCED);

    let sizes: Vec<_> = advances(&rollup)
        .await?
        .iter()
        .map(|data| {
            let call = advanceCall::abi_decode(data)?;
            Ok((data.len(), call.evidence.abi_encoded_size()))
        })
        .collect::<Result<_>>()?;
    // If a block did not leave space for the evidence, the transaction would be too long.
    let limits = L1Limits::default();
    let is_full =
        |(all, rest): &(usize, usize)| *rest > 20_000 && *all > limits.input_bytes() - 5_000;
    ensure!(sizes.iter().any(is_full), "{sizes:?}");
    ensure!(sizes.iter().all(|(all, _)| *all < limits.bytes), "{sizes:?}");
    sequencer.stop().await;
    Ok(())
}

/// `rollup_budget` also names the limit that is nearest.
#[tokio::test(flavor = "multi_thread")]
async fn budget_describes_block_under_construction() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = sequencer(&rollup, Duration::from_secs(3_600)).await?;
    let l2 = provider_of(&sequencer)?;
    let budget =
        || async { Ok::<Value, eyre::Report>(l2.raw_request("rollup_budget".into(), ()).await?) };
    let number = |value: &Value| -> Result<u64> { Ok(U64::deserialize(value)?.to()) };
    let empty = budget().await?;
    let limits = L1Limits::default();
    let expected = [
        ("inputBytes", limits.input_bytes() as u64),
        ("executeGas", limits.execute_gas()),
        ("gas", 10_000_000),
    ];
    let mut before = Vec::new();
    for (name, limit) in expected {
        let [used, max, left] = [
            number(&empty[name]["used"])?,
            number(&empty[name]["limit"])?,
            number(&empty[name]["left"])?,
        ];
        assert_eq!((max, left), (limit, limit - used), "{name}");
        before.push(used);
    }
    assert_eq!((number(&empty["block"])?, number(&empty["transactions"])?), (1, 0));
    assert_eq!(number(&empty["waiting"])?, 0);

    // One transfer uses bytes for the paths of two accounts, and gas.
    send(&l2, 0..1).await?;
    let one = budget().await?;
    assert_eq!(number(&one["transactions"])?, 1);
    assert_eq!(number(&one["gas"]["used"])?, 21_000);
    let more = number(&one["inputBytes"]["used"])? - before[0];
    assert!((200..3_000).contains(&more), "{more}");
    assert!(number(&one["executeGas"]["used"])? > before[1] + 21_000);

    // More than fits: bytes are the scarce resource, and the use stays within the limit.
    send(&l2, 1..TRANSFERS).await?;
    let full = budget().await?;
    assert_eq!(full["nearest"], "inputBytes", "{full}");
    let (included, waiting) = (number(&full["transactions"])?, number(&full["waiting"])?);
    assert!(included > 100 && waiting > 0 && included + waiting == TRANSFERS, "{full}");
    let [used, left] = ["used", "left"].map(|name| number(&full["inputBytes"][name]));
    let (used, left) = (used?, left?);
    assert!(used <= limits.input_bytes() as u64 && left < 2_000, "{full}");
    sequencer.stop().await;
    Ok(())
}

/// Returns `true` if a sequencer with these prices accepts the transfer, and a block includes it.
async fn is_included(rollup: &DevnetRollup, prices: Prices) -> Result<bool> {
    let config = SequencerConfig { prices, ..rollup.sequencer_config()? };
    let sequencer = rollup.start(config).await?;
    let l2 = provider_of(&sequencer)?;
    let accepted = send(&l2, 0..1).await;
    let is_underpriced = accepted.is_err();
    if !is_underpriced {
        until("the transfer to leave the pool", &sequencer, || async {
            let status: Value = l2.raw_request("txpool_status".into(), ()).await?;
            Ok(status["pending"] == "0x0")
        })
        .await?;
    }
    let is_included = l2.get_transaction_count(Key::named("alice").address()).await? == 1;
    sequencer.stop().await;
    if is_underpriced {
        ensure!(!is_included);
        accepted?;
    }
    Ok(is_included)
}

#[tokio::test(flavor = "multi_thread")]
async fn underpriced_transactions_are_not_included() -> Result<()> {
    let rollup = rollup().await?;
    // The tip per gas. Per byte of input, the transfer pays some multiple of it.
    let tip = 1_000_000;
    let dear = is_included(&rollup, Prices { gas: tip + 1, byte: 0 }).await;
    let reason = dear.expect_err("the pool accepts less than the minimum").to_string();
    ensure!(reason.contains("tip") && reason.contains("1000001"), "{reason}");
    ensure!(!is_included(&rollup, Prices { gas: tip, byte: 21_000 * tip }).await?);
    ensure!(is_included(&rollup, Prices { gas: tip, byte: 2 * tip }).await?);

    // Deposits, which the operator relays, and forced transactions are exempt from these prices.
    let prices = Prices { gas: 2 * tip, byte: 21_000 * tip };
    let config = SequencerConfig { prices, ..rollup.sequencer_config()? };
    let sequencer = rollup.start(config).await?;
    let (l2, carol) = (provider_of(&sequencer)?, Key::named("carol").address());
    rollup.deposit(carol, U256::from(ETHER)).await?;
    for raw in transfers("bob", 0..1, FORCED_GAS) {
        rollup.force(raw).await?;
    }
    until("the deposit and the forced transaction", &sequencer, || async {
        let bob = Key::named("bob").address();
        Ok(!l2.get_balance(carol).await?.is_zero() && l2.get_transaction_count(bob).await? == 1)
    })
    .await?;
    sequencer.stop().await;
    Ok(())
}
