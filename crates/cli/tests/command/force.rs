//! `enshrine calldata force`, with an L2 node.

use crate::{
    rollup::bare_l2,
    support::{enshrine, json_of, path, place, refuse, run},
};
use alloy_consensus::{Transaction as _, TxEip1559, transaction::SignerRecoverable as _};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, U256, hex};
use alloy_sol_types::SolCall as _;
use contracts::{bindings::IForcedInbox::submitCall, capacity::minimum_forced_gas};
use std::path::Path;
use testkit::{ETHER, FORCED_GAS, Key, Transaction};

#[test]
fn forced_calldata_contains_signed_transaction() {
    let alice = Key::named("alice");
    let signed = alice.sign(TxEip1559 {
        chain_id: 8_079,
        nonce: 3,
        gas_limit: FORCED_GAS,
        to: Address::repeat_byte(1).into(),
        ..Default::default()
    });
    let raw = hex::encode_prefixed(signed.encoded_2718());
    let plain = run(&["calldata", "force", &raw]);
    let call = submitCall::abi_decode(&hex::decode(plain.trim()).unwrap()).unwrap();
    assert_eq!(call.raw, signed.encoded_2718());
    let told = json_of(&["calldata", "force", &raw]);
    assert_eq!(told["sender"].as_str().unwrap().parse(), Ok(alice.address()));
    assert_eq!(told["nonce"], 3);
    assert_eq!(told["transactionHash"].as_str().unwrap().parse(), Ok(*signed.tx_hash()));
    for (raw, reason) in [
        (&raw[..raw.len() - 2], "not a signed transaction"),
        (&*format!("{raw}00"), "not a signed transaction"),
        ("0x12345", "hexadecimal digits"),
    ] {
        let said = refuse(&["calldata", "force", raw]);
        assert!(said.contains(reason), "{said}");
    }
}

/// The fee cap is as high as possible, since a low one makes it cheap to delay the transaction.
#[test]
fn signed_forced_transaction_has_maximum_fee_cap() {
    let (_parent, folder) = place();
    run(&["init", &folder]);
    let (l2, operator) = bare_l2(Path::new(&folder));
    let (url, keys) = (l2.client().url(), path(Path::new(&folder), "keys.json"));
    let to = Address::repeat_byte(0xb0);
    let recipient = to.to_string();
    let common = ["calldata", "force", "--to", &recipient, "--l2", url, "--sender-key", &keys];
    for (flags, value, reserve, gas, nonce) in [
        (&[][..], 0_u64, 0, FORCED_GAS, 0),
        (&["--value", "5"], 5, 0, FORCED_GAS, 0),
        (
            &["--reserve", "1000007", "--gas-limit", "90000", "--nonce", "3"],
            0,
            1_000_007,
            90_000,
            3,
        ),
    ] {
        let told = json_of(&[&common[..], flags].concat());
        let calldata = hex::decode(told["calldata"].as_str().unwrap()).unwrap();
        let raw = submitCall::abi_decode(&calldata).unwrap().raw;
        assert_eq!(told["transaction"].as_str(), Some(&*raw.to_string()));
        let signed = Transaction::decode_2718_exact(&raw).unwrap();
        assert_eq!(signed.recover_signer().unwrap(), operator.address());
        assert_eq!((signed.nonce(), signed.gas_limit()), (nonce, gas));
        assert_eq!((signed.to(), signed.value()), (Some(to), U256::from(value)));
        assert_eq!((signed.chain_id(), signed.max_priority_fee_per_gas()), (Some(8_079), Some(0)));
        // The balance of one ether covers this cap, and no higher one.
        let max_fee = signed.max_fee_per_gas();
        let cost = |max_fee: u128| max_fee * u128::from(gas) + u128::from(value) + reserve;
        assert!(cost(max_fee) <= ETHER && cost(max_fee + 1) > ETHER, "{max_fee}");
        assert_eq!(told["feeCap"]["maxFee"], max_fee.to_string());
    }
    let transfer = json_of(&[&common[..], &["--value", "7"]].concat());
    let raw = transfer["transaction"].as_str().unwrap().to_owned();
    let _: B256 = l2.client().request("eth_sendRawTransaction", (raw,)).unwrap();
    let received: U256 = l2.client().request("eth_getBalance", (to, "latest")).unwrap();
    assert_eq!(received, U256::from(7));
    // The nonce has advanced, and the balance is lower.
    assert_eq!(json_of(&common)["nonce"], 1);
    // A call gets the minimum of the inbox if it needs less.
    let data = format!("0x{}", "11".repeat(32));
    let called = json_of(&[&common[..], &["--data", &data]].concat());
    assert_eq!(called["gasLimit"], minimum_forced_gas(32));
    for (flags, reason) in [
        (&["--gas-limit", "41999"][..], "41999, and the inbox requires 42000"),
        (&["--value", "1000000000000000000"][..], "nothing is left for gas"),
        (&["--sender-key", &format!("{:#x}", B256::repeat_byte(9))], "visible to all users"),
    ] {
        let without_key = &common[..common.len() - 2];
        let key = if flags[0] == "--sender-key" { &[][..] } else { &common[common.len() - 2..] };
        let said = refuse(&[without_key, key, flags].concat());
        assert!(said.contains(reason), "{said}");
    }
    let said = refuse(&common[..common.len() - 2]);
    assert!(said.contains("--sender-key is missing"), "{said}");
    for usage in [
        &["calldata", "force", "--to", &recipient][..],
        &["calldata", "force", "--value", "5", "0x12"],
        &["calldata", "force", "--to", &recipient, "--l2", url, "0x12"],
    ] {
        assert_eq!(enshrine(usage).status.code(), Some(2), "{usage:?}");
    }
}
