//! Verifies a block of a node, without the node's state and without trusting the node.
//!
//! `cargo run --release --bin verify-block [URL]`; without an address it starts a node to ask.

use alloy_primitives::{Bytes, U64, U256};
use alloy_provider::{Provider, ProviderBuilder};
use alloy_rpc_types_eth::TransactionRequest;
use chain::to_stateless_input;
use codec::{OwnedWitness, RawBlock};
use devnet::Devnet;
use stateless::{ChainSpec, Verdict, verify};
use wire::{ProtocolFork, StatelessInput};

/// Fetches the newest block with its witness and verifies it.
async fn verify_latest(node: &impl Provider) -> eyre::Result<Verdict> {
    let chain_id = node.raw_request::<_, U64>("eth_chainId".into(), ()).await?.to();
    let rlp: Bytes = node.raw_request("debug_getRawBlock".into(), ["latest"]).await?;
    let block = RawBlock::decode(&rlp)?;
    let number = [format!("{:#x}", block.header.number)];
    let witness = node.raw_request("debug_executionWitness".into(), number).await?;
    let witness = OwnedWitness::from_json_value(witness)?;

    // The rules are ours to know. For a chain that is not public: those of one fork, from genesis.
    let rules = ChainSpec::known(chain_id)
        .unwrap_or_else(|| ChainSpec::constant(chain_id, ProtocolFork::Osaka));
    // What EXECUTE takes as calldata: block, witness and chain id in one.
    let input = to_stateless_input(&block, &witness, &rules)?;
    Ok(verify(&StatelessInput::decode(&input)?, &rules)?)
}

#[tokio::main]
async fn main() -> eyre::Result<()> {
    let verdict = if let Some(url) = std::env::args().nth(1) {
        verify_latest(&ProviderBuilder::new().connect_http(url.parse()?)).await?
    } else {
        let devnet = Devnet::builder().mainnet().spawn().await?;
        let provider = devnet.provider();
        let to = devnet.addresses()[1];
        let transfer = TransactionRequest::default().to(to).value(U256::ONE);
        provider.send_transaction(transfer).await?.get_receipt().await?;
        let verdict = verify_latest(&provider).await?;
        eyre::ensure!(
            verdict.header.number == 1 && verdict.header.gas_used == 21_000,
            "{verdict:?}"
        );
        devnet.stop().await;
        verdict
    };
    println!("block {} ({}) is valid", verdict.header.number, verdict.block_hash);
    println!("state before: {}", verdict.pre_state_root);
    println!("state after:  {}", verdict.header.state_root);
    Ok(())
}
