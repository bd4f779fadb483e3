//! Deposits tokens on a localnet, withdraws some of them, and claims the withdrawal on L1.
//!
//! Start `enshrine localnet --ready-file ready.json`, then
//! `cargo run --release -p enshrine-sdk --example bridge_tokens ready.json`.

use alloy_primitives::U256;
use alloy_provider::{ProviderBuilder, network::EthereumWallet};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolEvent as _, sol};
use enshrine_sdk::{
    Bridge, BridgeError, Message, Rollup, TokenDeposit, TokenWithdrawal,
    bindings::{IERC20, IL2Messenger::MessageSent},
};
use eyre::{OptionExt as _, Result, ensure};
// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;
use serde_json::Value;
use std::{env, fs, time::Duration};
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(200);

sol! {
    /// The test token of a localnet.
    #[sol(rpc)]
    interface TestToken {
        function mint(address to, uint256 amount) external;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let path = env::args().nth(1).ok_or_eyre("give the path of the localnet's ready file")?;
    let net: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let text = |pointer: &str| net.pointer(pointer).and_then(Value::as_str).ok_or_eyre("no value");
    let key: PrivateKeySigner = text("/accounts/6/key")?.parse()?;
    let from = key.address();
    let connect = |url: &str| -> Result<_> {
        let builder = ProviderBuilder::new().wallet(EthereumWallet::from(key.clone()));
        Ok(builder.connect_http(url.parse()?))
    };
    let (l1, l2) = (connect(text("/l1Url")?)?, connect(text("/l2Url")?)?);
    let rollup = Rollup::read(&l1, text("/contracts/rollup")?.parse()?).await?;
    let rollup = rollup.with_token_bridge(&l1, text("/contracts/l1Bridge")?.parse()?).await?;
    let bridge = Bridge::new(rollup, l1, l2);

    let l1_token = text("/l1Token")?.parse()?;
    let token = TestToken::new(l1_token, bridge.l1());
    let minted = token.mint(from, U256::from(1_000)).send().await?.get_receipt().await?;
    ensure!(minted.status(), "no tokens were minted");

    // Deposit: the bridge on L1 keeps the tokens, and the next L2 blocks deliver the message.
    let amount = U256::from(600);
    let deposit = TokenDeposit { l1_token, amount, ..TokenDeposit::default() };
    let sent = bridge.deposit_token(from, deposit).await?;
    ensure!(sent.deposit.get_receipt().await?.status(), "the deposit has failed");
    let pair = bridge.token_pair(l1_token).await?;
    let on_l2 = IERC20::new(pair.l2_token, bridge.l2());
    while on_l2.balanceOf(from).call().await? < amount {
        sleep(PAUSE).await;
    }
    println!("deposited; on the L2 the account has 600 tokens");

    // Withdraw, and claim once L1 has the block. The proof is verified against L1 before it is
    // sent.
    let withdrawal =
        TokenWithdrawal { l1_token, amount: U256::from(250), ..TokenWithdrawal::default() };
    let receipt = bridge.withdraw_token(from, withdrawal).await?.get_receipt().await?;
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
    let balance = IERC20::new(l1_token, bridge.l1()).balanceOf(from).call().await?;
    println!("claimed; on L1 the account has {balance} tokens");
    Ok(())
}
