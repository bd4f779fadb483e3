//! User transactions on the L2: all transaction types, a contract, a delegated account, and a call
//! from L1.

use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718 as _,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_sol_types::SolCall as _;
use client::Client;
use contracts::bindings::IL1MessageQueue;
use eyre::{Result, ensure};
use testkit::localnet::{
    processes::{L1_CHAIN, L2_CHAIN, Rollup},
    report::Report,
    requests::{message_fee, nonce, receipt, send, until},
};
use testkit::{Key, Transaction};

/// Init code of a contract that stores the first word of its calldata:
/// `sstore(0, calldataload(0))`.
const KEEPER: &[u8] = &hex!("64 5f355f5500 5f52 6005 601b f3");
/// Runtime code that [`KEEPER`] deploys.
const KEEPER_CODE: &[u8] = &hex!("5f355f5500");
/// Maximum fee per gas, in wei.
const MAX_FEE: u128 = 20_000_000_000;

/// Runs all user transactions.
pub(super) fn run(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    transfers(l2, alice, report)?;
    let keeper = deploy(l2, alice, report)?;
    call_from_l1(rollup, l2, alice, keeper, report)?;
    delegate(l2, alice, keeper, report)
}

/// Sends a transfer with each transaction type before EIP-7702, except blobs.
fn transfers(l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let to = Key::named("bob").address();
    let next = nonce(l2, alice.address())?;
    let value = U256::from(1);
    let list = vec![AccessListItem { address: to, storage_keys: vec![B256::ZERO] }];
    let all = [
        alice.sign(TxLegacy {
            chain_id: Some(L2_CHAIN),
            nonce: next,
            gas_price: MAX_FEE,
            gas_limit: 21_000,
            to: to.into(),
            value,
            input: Bytes::new(),
        }),
        alice.sign(TxEip2930 {
            chain_id: L2_CHAIN,
            nonce: next + 1,
            gas_price: MAX_FEE,
            gas_limit: 30_000,
            to: to.into(),
            value,
            access_list: AccessList(list),
            input: Bytes::new(),
        }),
        alice.sign(TxEip1559 {
            chain_id: L2_CHAIN,
            nonce: next + 2,
            gas_limit: 21_000,
            max_fee_per_gas: MAX_FEE,
            to: to.into(),
            value,
            ..Default::default()
        }),
    ];
    for transaction in &all {
        included(l2, transaction)?;
    }
    report.shown(
        "transfers by legacy, access-list (EIP-2930) and dynamic-fee (EIP-1559) transactions"
            .to_owned(),
    );
    Ok(())
}

fn deploy(l2: &Client, alice: &Key, report: &mut Report) -> Result<Address> {
    let address = alice.address().create(nonce(l2, alice.address())?);
    let hash = send(l2, L2_CHAIN, alice, TxKind::Create, 0, KEEPER.into(), 200_000)?;
    ensure!(receipt(l2, hash)?.status(), "the contract was not deployed");
    let code: Bytes = l2.request("eth_getCode", (address, "latest"))?;
    ensure!(code[..] == *KEEPER_CODE, "{address} has the code {code}");
    let hash = send(l2, L2_CHAIN, alice, address.into(), 0, word(42), 100_000)?;
    ensure!(receipt(l2, hash)?.status(), "the call has failed");
    ensure!(kept(l2, address)? == U256::from(42), "the contract stores another number");
    report.shown(format!(
        "Alice deploys contract {address} on the L2, and a call writes its storage"
    ));
    Ok(address)
}

fn call_from_l1(
    rollup: &Rollup,
    l2: &Client,
    alice: &Key,
    keeper: Address,
    report: &mut Report,
) -> Result<()> {
    let (l1, message_queue) = (rollup.l1.client(), rollup.deployment.message_queue);
    let fee = message_fee(l1, message_queue)?;
    let call = IL1MessageQueue::sendCall {
        to: keeper,
        refundTo: alice.address(),
        gasLimit: 50_000,
        fee,
        data: word(43),
    };
    let hash =
        send(l1, L1_CHAIN, alice, message_queue.into(), fee, call.abi_encode().into(), 300_000)?;
    ensure!(receipt(l1, hash)?.status(), "sending the message failed");
    until("the call from L1", || Ok(kept(l2, keeper)? == U256::from(43)))?;
    report.shown("a message from L1 calls the contract".to_owned());
    Ok(())
}

/// Delegates an account without ether to the contract (EIP-7702); Alice pays.
fn delegate(l2: &Client, alice: &Key, keeper: Address, report: &mut Report) -> Result<()> {
    let carol = Key::named("carol");
    let authorization = Authorization { chain_id: U256::from(L2_CHAIN), address: keeper, nonce: 0 };
    let transaction = alice.sign(TxEip7702 {
        chain_id: L2_CHAIN,
        nonce: nonce(l2, alice.address())?,
        gas_limit: 200_000,
        max_fee_per_gas: MAX_FEE,
        max_priority_fee_per_gas: 1,
        to: carol.address(),
        authorization_list: vec![carol.authorize(authorization)],
        input: word(44),
        ..Default::default()
    });
    included(l2, &transaction)?;
    ensure!(kept(l2, carol.address())? == U256::from(44), "Carol's account stores another number");
    ensure!(kept(l2, keeper)? == U256::from(43), "the contract's own storage was written");
    report.shown("Carol's account delegates to the contract (EIP-7702), and Alice pays".to_owned());
    Ok(())
}

fn included(l2: &Client, transaction: &Transaction) -> Result<()> {
    let raw = Bytes::from(transaction.encoded_2718());
    let hash = l2.request("eth_sendRawTransaction", (raw,))?;
    let receipt = receipt(l2, hash)?;
    ensure!(receipt.status(), "{hash} has failed");
    let (got, expected) = (receipt.transaction_type(), transaction.tx_type());
    ensure!(got == expected, "{hash} is of type {got}, expected {expected}");
    Ok(())
}

fn kept(l2: &Client, account: Address) -> Result<U256> {
    Ok(l2.request::<_, B256>("eth_getStorageAt", (account, "0x0", "latest"))?.into())
}

fn word(number: u64) -> Bytes {
    B256::from(U256::from(number)).into()
}
