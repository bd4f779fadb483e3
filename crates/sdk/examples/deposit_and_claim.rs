//! Deposits ether on a localnet, withdraws it, claims it on L1, and forces a transaction.
//!
//! Start `enshrine localnet --ready-file ready.json`, then
//! `cargo run --release -p enshrine-sdk --example deposit_and_claim ready.json`.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, TxKind, U256, utils::format_ether};
use alloy_provider::{
    Provider, ProviderBuilder,
    network::{EthereumWallet, TxSignerSync as _},
};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolEvent as _;
use enshrine_sdk::{
    Bridge, BridgeError, Message, NewMessage, Rollup, bindings::IL2Messenger::MessageSent,
};
use eyre::{OptionExt as _, Result, ensure};
// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;
use serde_json::Value;
use std::{env, fs, time::Duration};
use tokio::time::sleep;

const ETHER: u128 = 10_u128.pow(18);
const PAUSE: Duration = Duration::from_millis(200);

/// Waits until an account has this balance.
async fn until_paid(node: &impl Provider, account: Address, balance: U256) -> Result<()> {
    while node.get_balance(account).await? < balance {
        sleep(PAUSE).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let path = env::args().nth(1).ok_or_eyre("give the path of the localnet's ready file")?;
    let net: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let text = |pointer: &str| net.pointer(pointer).and_then(Value::as_str).ok_or_eyre("no value");
    let key: PrivateKeySigner = text("/accounts/7/key")?.parse()?;
    let (from, friend) = (key.address(), Address::repeat_byte(0xf7));
    let connect = |url: &str| -> Result<_> {
        let builder = ProviderBuilder::new().wallet(EthereumWallet::from(key.clone()));
        Ok(builder.connect_http(url.parse()?))
    };
    let (l1, l2) = (connect(text("/l1Url")?)?, connect(text("/l2Url")?)?);
    let rollup = Rollup::read(&l1, text("/contracts/rollup")?.parse()?).await?;
    let bridge = Bridge::new(rollup, l1, l2);

    // Deposit: the next L2 blocks deliver the message.
    let deposit = NewMessage { to: Some(friend), value: 2 * ETHER, ..NewMessage::default() };
    let receipt = bridge.deposit(from, deposit).await?.get_receipt().await?;
    ensure!(receipt.status(), "the deposit has failed");
    until_paid(bridge.l2(), friend, U256::from(2 * ETHER)).await?;
    println!("deposited; on the L2 the friend has 2 ether");

    // Withdraw, and claim once L1 has the block. The proof is verified against L1 before it is
    // sent.
    let withdrawal = NewMessage { to: Some(friend), value: ETHER, ..NewMessage::default() };
    let receipt = bridge.withdraw(from, withdrawal).await?.get_receipt().await?;
    let log = receipt.logs().iter().find_map(|log| MessageSent::decode_log(&log.inner).ok());
    let message = log.and_then(|event| Message::from_l2_event(&event)).ok_or_eyre("no message")?;
    let sent_in = receipt.block_number.ok_or_eyre("no block")?;
    let proof = loop {
        match bridge.prove(&message, sent_in).await {
            Ok(proof) => break proof,
            Err(BridgeError::NotReady { .. }) => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    };
    let receipt = bridge.claim(from, &message, proof, from).await?.get_receipt().await?;
    ensure!(receipt.status(), "the claim has failed");
    let balance = bridge.l1().get_balance(friend).await?;
    println!("claimed; on L1 the friend has {} ether", format_ether(balance));

    // Force a transaction: it is signed for the L2 and submitted on L1, without the operator.
    let mut transaction = TxEip1559 {
        chain_id: rollup.l2_chain_id,
        nonce: bridge.l2().get_transaction_count(from).await?,
        gas_limit: bridge.minimum_forced_gas(0).await?,
        // Eight times the L2's base fee entitles it to wait for a lower one.
        max_fee_per_gas: 8_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(friend),
        value: U256::from(ETHER / 4),
        ..TxEip1559::default()
    };
    let signature = key.sign_transaction_sync(&mut transaction)?;
    let signed = TxEnvelope::from(transaction.into_signed(signature));
    let receipt = bridge.force(from, signed.encoded_2718().into(), None).await?;
    ensure!(receipt.get_receipt().await?.status(), "the submission has failed");
    let number = loop {
        let receipt = bridge.l2().get_transaction_receipt(*signed.tx_hash()).await?;
        match receipt.and_then(|receipt| receipt.block_number) {
            Some(number) => break number,
            None => sleep(PAUSE).await,
        }
    };
    println!("the forced transaction is in L2 block {number}");
    Ok(())
}
