//! The SDK's bridge with nodes that lie: each lie is refused with its error, and nothing is sent.
//! Without the changes, the same proxies and calls are accepted.

use crate::support::{
    DevnetRollup, is_settled, one_wei, provider_of, signed, signed_with, submit, until,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_provider::{Provider as _, RootProvider};
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::SolCall;
use contracts::{
    Deployment, L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{ROLLUPCall, claimCall, isClaimedCall},
        IL2Messenger,
        INativeRollup::{headCall, stateRootAtCall},
    },
    capacity::minimum_forced_gas,
    logged_message,
};
use eyre::{OptionExt as _, Result};
use sdk::{Bridge, BridgeError, ClaimError, Layer, NewMessage, Rollup};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use testkit::{ETHER, FORCED_GAS, Key, Proxy};

type Providers = Bridge<RootProvider, RootProvider>;
/// Change of the result of a request.
type Edit = fn(&mut Value);
/// Source of the proof.
#[derive(Debug, Clone, Copy)]
enum By {
    Proof,
    Node,
}
use By::{Node, Proof};
use Layer::{L1, L2};

/// Flips the last bit of a value.
fn flip(value: &mut Value) {
    let text = value.as_str().unwrap_or_default();
    let (rest, last) = text.split_at(text.len() - 1);
    *value = json!(format!("{rest}{}", if last == "0" { "1" } else { "0" }));
}

fn pop(value: &mut Value) {
    value.as_array_mut().and_then(Vec::pop);
}

/// Changes the call of the claim that a node has built.
fn edit_call(result: &mut Value, edit: fn(&mut claimCall)) {
    let data = hex::decode(result["data"].as_str().unwrap_or_default()).unwrap_or_default();
    let Ok(mut call) = claimCall::abi_decode(&data) else { return };
    edit(&mut call);
    result["data"] = json!(hex::encode_prefixed(call.abi_encode()));
}

/// Name, lying node, changed response (of a method, or of a call by its selector), and the error.
type Lie = (&'static str, Layer, &'static str, [u8; 4], Edit, By, fn(&BridgeError) -> bool);
const ANY: [u8; 4] = [0; 4];

const LIES: [Lie; 16] = [
    ("state root of L1", L1, "eth_call", stateRootAtCall::SELECTOR, flip, Proof, |value| {
        matches!(value, BridgeError::Proof(ClaimError::Account(_)))
    }),
    (
        "changed account proof",
        L2,
        "eth_getProof",
        ANY,
        |value| flip(&mut value["accountProof"][0]),
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::Account(_))),
    ),
    (
        "truncated account proof",
        L2,
        "eth_getProof",
        ANY,
        |value| pop(&mut value["accountProof"]),
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::Account(_))),
    ),
    (
        "longer account proof",
        L2,
        "eth_getProof",
        ANY,
        |value| {
            value["accountProof"].as_array_mut().unwrap().push(json!("0xc0"));
        },
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::Account(_))),
    ),
    (
        "truncated storage proof",
        L2,
        "eth_getProof",
        ANY,
        |value| {
            pop(&mut value["storageProof"][0]["proof"]);
        },
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::Slot(_))),
    ),
    (
        "no storage proof",
        L2,
        "eth_getProof",
        ANY,
        |value| value["storageProof"] = json!([]),
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::Slot(_))),
    ),
    (
        "another storage root",
        L2,
        "eth_getProof",
        ANY,
        |value| flip(&mut value["storageHash"]),
        Proof,
        |error| matches!(error, BridgeError::Proof(ClaimError::StorageRoot { .. })),
    ),
    (
        "another chain as L1",
        L1,
        "eth_chainId",
        ANY,
        |value| *value = json!("0x1"),
        Proof,
        |error| matches!(error, BridgeError::WrongChain { layer: L1, got: 1, .. }),
    ),
    (
        "another chain as L2",
        L2,
        "eth_chainId",
        ANY,
        |value| *value = json!("0x1"),
        Proof,
        |error| matches!(error, BridgeError::WrongChain { layer: L2, got: 1, .. }),
    ),
    (
        "stale head",
        L1,
        "eth_call",
        headCall::SELECTOR,
        |value| {
            *value = json!(B256::ZERO.to_string() + &"0".repeat(3 * 64));
        },
        Proof,
        |error| matches!(error, BridgeError::NotReady { got: 0, .. }),
    ),
    (
        "claimed already",
        L1,
        "eth_call",
        isClaimedCall::SELECTOR,
        |value| {
            *value = json!(B256::with_last_byte(1));
        },
        Proof,
        |error| matches!(error, BridgeError::AlreadyClaimed(1)),
    ),
    (
        "call of another function",
        L2,
        "rollup_claimProof",
        ANY,
        |value| {
            value["data"] = json!("0x095ea7b3");
        },
        Node,
        |error| matches!(error, BridgeError::Calldata(_)),
    ),
    (
        "call of another contract",
        L2,
        "rollup_claimProof",
        ANY,
        |value| {
            value["to"] = json!(Address::repeat_byte(1));
        },
        Node,
        |error| matches!(error, BridgeError::WrongRollup { .. }),
    ),
    (
        "call of another message",
        L2,
        "rollup_claimProof",
        ANY,
        |value| {
            edit_call(value, |call| call.message.value += 1);
        },
        Node,
        |error| matches!(error, BridgeError::OtherMessage { .. }),
    ),
    (
        "call with another storage root",
        L2,
        "rollup_claimProof",
        ANY,
        |value| {
            edit_call(value, |call| call.proof.storageRoot = B256::ZERO);
        },
        Node,
        |error| matches!(error, BridgeError::Proof(ClaimError::StorageRoot { .. })),
    ),
    (
        "call with a truncated proof",
        L2,
        "rollup_claimProof",
        ANY,
        |value| {
            edit_call(value, |call| drop(call.proof.storageProof.pop()));
        },
        Node,
        |error| matches!(error, BridgeError::Proof(ClaimError::Slot(_))),
    ),
];

/// Sets the lie of a proxy; counts the transactions that are sent through it.
fn lie(
    proxy: &Proxy,
    sent: &Arc<AtomicUsize>,
    method: &'static str,
    selector: [u8; 4],
    edit: Edit,
) {
    let sent = Arc::clone(sent);
    proxy.set(move |request, response| {
        let request: Value = serde_json::from_str(request).unwrap_or_default();
        let called = request["method"].as_str().unwrap_or_default();
        if called.starts_with("eth_send") {
            sent.fetch_add(1, Ordering::SeqCst);
        }
        let call = &request["params"][0];
        let data = call["input"].as_str().or(call["data"].as_str()).unwrap_or_default();
        if called != method
            || (selector != ANY && !data.starts_with(&hex::encode_prefixed(selector)))
        {
            return Some(response);
        }
        let mut response: Value = serde_json::from_str(&response).ok()?;
        edit(&mut response["result"]);
        Some(response.to_string())
    });
}

async fn claim(
    bridge: &Providers,
    from: Address,
    message: &Message,
    sent_in: u64,
    by: By,
) -> Result<B256, BridgeError> {
    let proof = match by {
        Proof => bridge.prove(message, sent_in).await?,
        Node => bridge.prove_by_node(message).await?,
    };
    Ok(*bridge.claim(from, message, proof, from).await?.tx_hash())
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_refused_and_nothing_is_sent() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    rollup.deposit_on(&sequencer, alice.address(), U256::from(ETHER)).await?;
    for nonce in 0..2 {
        let (to, data) = (Address::repeat_byte(0xb0), Bytes::new());
        let send = IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data };
        let input = send.abi_encode().into();
        submit(&l2, &signed_with(&alice, nonce, L2_MESSENGER, 7, input, 300_000)).await?;
    }
    let filter = Filter::new().address(L2_MESSENGER).event_signature({
        use alloy_sol_types::SolEvent as _;
        IL2Messenger::MessageSent::SIGNATURE_HASH
    });
    until("the withdrawals", &sequencer, || async {
        Ok(l2.get_logs(&filter).await?.len() == 2 && is_settled(&sequencer))
    })
    .await?;
    let logs = l2.get_logs(&filter).await?;
    let [other, message] = [0, 1].map(|index| logged_message(&logs[index as usize].inner, index));
    let (other, message) = (other?, message?);
    let sent_in = logs[1].block_number.ok_or_eyre("no block number")?;

    let l1_proxy = Proxy::start(rollup.l1.server().ok_or_eyre("L1 is not served")?.addresses()[0])?;
    let l2_proxy = Proxy::start(sequencer.server().addresses()[0])?;
    let provider =
        |proxy: &Proxy| -> Result<_> { Ok(RootProvider::new_http(proxy.url().parse()?)) };
    let (l1, l2) = (provider(&l1_proxy)?, provider(&l2_proxy)?);
    let address = Deployment::read(&rollup.deployment())?.rollup;
    let read = Rollup::read(&l1, address).await?;
    assert_eq!((read.message_queue, read.forced), (rollup.message_queue, rollup.forced));
    let bridge = Bridge::new(read, l1.clone(), l2);
    let from = rollup.l1.addresses()[0];
    let sent = Arc::<AtomicUsize>::default();
    for (name, layer, method, selector, edit, by, is_expected) in LIES {
        let (lying, honest) = match layer {
            L1 => (&l1_proxy, &l2_proxy),
            L2 => (&l2_proxy, &l1_proxy),
        };
        lie(lying, &sent, method, selector, edit);
        lie(honest, &sent, "", ANY, |_| {});
        let error = claim(&bridge, from, &message, sent_in, by).await.unwrap_err();
        assert!(is_expected(&error), "{name}: {error:?}");
    }
    lie(&l2_proxy, &sent, "", ANY, |_| {});
    lie(&l1_proxy, &sent, "eth_call", ROLLUPCall::SELECTOR, flip);
    let error = Rollup::read(&l1, address).await.unwrap_err();
    assert!(matches!(error, BridgeError::WrongRollup { .. }), "{error:?}");
    // A contract must name the target.
    lie(&l1_proxy, &sent, "eth_getCode", ANY, |value| *value = json!("0x6000"));
    let error = bridge.deposit(from, NewMessage::default()).await.unwrap_err();
    assert!(matches!(error, BridgeError::ContractWallet { code_size: 2, .. }), "{error:?}");
    // The call of a target needs gas.
    let called = NewMessage { data: Bytes::from([1, 2]), ..NewMessage::default() };
    for error in [
        bridge.deposit(from, called.clone()).await.unwrap_err(),
        bridge.withdraw(from, called.clone()).await.unwrap_err(),
    ] {
        assert!(matches!(error, BridgeError::MessageGasMissing { got: 2 }), "{error:?}");
    }
    // The caller's message differs from the one that the L2 has sent.
    lie(&l1_proxy, &sent, "", ANY, |_| {});
    let changed = Message { value: message.value + 1, ..message.clone() };
    let error = claim(&bridge, from, &changed, sent_in, Proof).await.unwrap_err();
    assert!(matches!(error, BridgeError::Proof(ClaimError::Message { .. })), "{error:?}");
    let elsewhere = one_wei(&alice, 0, from);
    let mut wrong = read;
    wrong.l2_chain_id += 1;
    let of = |wrong| Bridge::new(wrong, l1.clone(), bridge.l2().clone());
    let raw = Bytes::from(elsewhere.encoded_2718());
    let error = of(wrong).force(from, raw.clone(), None).await.unwrap_err();
    assert!(matches!(error, BridgeError::WrongChain { layer: L2, .. }), "{error:?}");
    // Contracts that the rollup on L1 does not name.
    let got = Address::repeat_byte(0xa1);
    let wrong = of(Rollup { message_queue: got, forced: got, ..read });
    let proof = bridge.prove(&message, sent_in).await?;
    for error in [
        wrong.deposit(from, NewMessage::default()).await.unwrap_err(),
        wrong.claim(from, &message, proof, from).await.unwrap_err(),
        wrong.force(from, raw, None).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, BridgeError::WrongRollup { got: deployed, .. } if deployed == got),
            "{error:?}"
        );
    }
    assert_eq!(sent.load(Ordering::SeqCst), 0);

    // The truth, by the same proxies.
    let gas = bridge.minimum_forced_gas(0).await?;
    assert_eq!((gas, bridge.minimum_forced_gas(7).await?), (FORCED_GAS, minimum_forced_gas(7)));
    let raw = signed(bridge.l2(), &alice, from, 1, Bytes::new(), gas).await?.encoded_2718();
    let hashes = [
        claim(&bridge, from, &message, sent_in, Proof).await?,
        claim(&bridge, from, &other, sent_in, Node).await?,
        *bridge.deposit(from, NewMessage { value: 1, ..NewMessage::default() }).await?.tx_hash(),
        *bridge.deposit(from, NewMessage { gas_limit: 1, ..called }).await?.tx_hash(),
        *bridge.force(from, raw.into(), None).await?.tx_hash(),
    ];
    for hash in hashes {
        let receipt = rollup.provider.get_transaction_receipt(hash).await?;
        assert!(receipt.ok_or_eyre("no receipt")?.status());
    }
    assert_eq!(sent.load(Ordering::SeqCst), hashes.len());
    let error = claim(&bridge, from, &message, sent_in, Proof).await.unwrap_err();
    assert!(matches!(error, BridgeError::AlreadyClaimed(1)), "{error:?}");
    sequencer.stop().await;
    Ok(())
}
