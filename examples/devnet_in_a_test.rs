//! A devnet inside a test: an L1 with EXECUTE, alloy's provider, and what only a devnet can do.
//!
//! `cargo run --release --bin devnet-in-a-test`

use alloy_primitives::{Address, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use alloy_rpc_types_eth::TransactionRequest;
use devnet::Devnet;
use execute::EXECUTE_ADDRESS;

#[tokio::main]
async fn main() -> eyre::Result<()> {
    // On a free port, with the accounts that anvil's users know. It ends when it is dropped.
    let devnet = Devnet::builder().chain_id(1337).spawn().await?;
    let provider = devnet.provider();
    let (alice, bob) = (devnet.addresses()[0], devnet.addresses()[1]);

    // Transactions are signed with the keys of the accounts, and each gets a block.
    let ether = U256::from(10).pow(U256::from(18));
    let transfer = TransactionRequest::default().from(alice).to(bob).value(ether);
    let receipt = provider.send_transaction(transfer).await?.get_receipt().await?;
    eyre::ensure!(receipt.status() && receipt.block_number == Some(1), "{receipt:?}");

    // EXECUTE stands at its address; here it judges a block of an L2.
    let input = enshrine_examples::l2_block()?;
    let call = TransactionRequest::default().to(EXECUTE_ADDRESS).input(input.into());
    let result = provider.call(call).await?;
    eyre::ensure!(result.len() == 43, "EXECUTE answers {result}");

    // What only a devnet can do: change its state, and change it back.
    let stranger = Address::repeat_byte(0x77);
    let snapshot = provider.anvil_snapshot().await?;
    provider.anvil_set_balance(stranger, ether).await?;
    provider.anvil_impersonate_account(stranger).await?;
    provider.anvil_mine(Some(5), None).await?;
    eyre::ensure!(provider.get_block_number().await? == 6);
    eyre::ensure!(provider.get_balance(stranger).await? == ether);
    eyre::ensure!(provider.anvil_revert(snapshot).await?);
    eyre::ensure!(provider.get_block_number().await? == 1);
    eyre::ensure!(provider.get_balance(stranger).await?.is_zero());

    println!("{} served {} accounts", devnet.endpoint(), devnet.addresses().len());
    devnet.stop().await;
    Ok(())
}
