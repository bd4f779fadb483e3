//! alloy's provider with an in-process devnet.

use crate::support::{PROBE, execute_input};
use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, U256, address, hex};
use alloy_provider::{Provider, ProviderBuilder, WsConnect, ext::AnvilApi};
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, TransactionRequest};
use alloy_sol_types::{SolCall, SolEvent, sol};
use enshrine_devnet::Devnet;

sol! {
    event Noted(address indexed by, uint256 indexed value, uint256 other);
    function set(uint256 to) external payable;
    function value() external view returns (uint256);
}

const EXECUTE: Address = address!("0x0000000000000000000000000000000000000101");

#[tokio::test(flavor = "multi_thread")]
async fn alloy_provider_supports_contracts_logs_and_cheats() {
    let devnet = Devnet::builder().chain_id(1337).spawn().await.unwrap();
    assert_eq!(devnet.chain_id(), 1337);
    let provider = devnet.provider();

    let create = TransactionRequest::default()
        .with_deploy_code(hex::decode(PROBE.trim()).unwrap())
        .with_value(U256::from(5));
    let receipt = provider.send_transaction(create).await.unwrap().get_receipt().await.unwrap();
    let contract = receipt.contract_address.unwrap();
    assert_eq!(provider.get_balance(contract).await.unwrap(), U256::from(5));

    let set = setCall { to: U256::from(42) }.abi_encode();
    let second = devnet.addresses()[1];
    let send = TransactionRequest::default().with_from(second).with_to(contract).with_input(set);
    let receipt = provider.send_transaction(send).await.unwrap().get_receipt().await.unwrap();
    assert!(receipt.status());
    assert_eq!(receipt.from, second);
    let view =
        TransactionRequest::default().with_to(contract).with_input(valueCall {}.abi_encode());
    let value = provider.call(view.clone()).await.unwrap();
    assert_eq!(U256::from_be_slice(&value), U256::from(42));

    let filter = Filter::new().address(contract).from_block(BlockNumberOrTag::Earliest);
    let logs = provider.get_logs(&filter.event_signature(Noted::SIGNATURE_HASH)).await.unwrap();
    assert_eq!(logs.len(), 1);

    let snapshot = provider.anvil_snapshot().await.unwrap();
    provider.anvil_set_balance(contract, U256::from(77)).await.unwrap();
    provider.anvil_mine(Some(3), None).await.unwrap();
    assert_eq!(provider.get_block_number().await.unwrap(), 5);
    assert_eq!(provider.get_balance(contract).await.unwrap(), U256::from(77));
    assert!(provider.anvil_revert(snapshot).await.unwrap());
    assert_eq!(provider.get_block_number().await.unwrap(), 2);
    assert_eq!(provider.get_balance(contract).await.unwrap(), U256::from(5));

    let input = hex::decode(execute_input()).unwrap();
    let execute = TransactionRequest::default().with_to(EXECUTE).with_input(input);
    assert_eq!(provider.call(execute.clone()).await.unwrap().len(), 43);
    let receipt = provider.send_transaction(execute).await.unwrap().get_receipt().await.unwrap();
    assert!(receipt.status());
    devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_provider_receives_new_blocks() {
    let devnet = Devnet::builder().spawn().await.unwrap();
    let provider =
        ProviderBuilder::new().connect_ws(WsConnect::new(devnet.ws_endpoint())).await.unwrap();
    let mut blocks = provider.subscribe_blocks().await.unwrap();
    provider.anvil_mine(Some(2), None).await.unwrap();
    assert_eq!(blocks.recv().await.unwrap().number, 1);
    assert_eq!(blocks.recv().await.unwrap().number, 2);
}
