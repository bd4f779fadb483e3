//! Scripts on the devnet, which has EXECUTE: they advance blocks and claim messages.

use super::bench::{Bench, DEPLOYER, ETHER, PROXY, RUN, STRANGER, VERIFY, WITHOUT_EXECUTE};
use alloy_primitives::{B256, Bytes, U256, hex, keccak256};
use alloy_sol_types::{SolCall, SolValue as _};
use enshrine_contracts::{
    L2_MESSENGER,
    bindings::{
        IL1MessageQueue::{self, claimCall},
        IL2Messenger::sendCall,
        INativeRollup::{Evidence, advanceCall},
    },
};
use eyre::{OptionExt, Result, ensure};
use std::process::Command;
use testkit::{Artifacts, Key, enshrine};
use toolchain::Toolchain;

/// Functions of the token bridges that users and messages call.
mod bridge {
    alloy_sol_types::sol! {
        function withdraw(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit);
        function release(address l1Token, address from, address to, address refundTo, uint256 amount);
    }
}

/// Creates a bench with the devnet.
fn with_execute(name: &str) -> Result<Bench> {
    let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
    let mut devnet = Command::new(enshrine()?);
    devnet.args(["devnet", "--mainnet"]);
    Bench::with_node(name, tools, devnet)
}

#[test]
fn scripts_advance_block_and_claim_message() -> Result<()> {
    let mut bench = with_execute("devnet")?;
    let config = bench.configure("rollup.toml", &[])?;
    let output = bench.run("Deploy", RUN, &[&config])?;
    assert!(!output.contains(WITHOUT_EXECUTE), "{output}");
    bench.run("Deploy", VERIFY, &[&config])?;
    let file = bench.file("deployment.json");
    let bob = Key::named("bob").address();
    let deposit = [&*file, &*bob.to_string(), &*(2 * ETHER).to_string()];
    bench.run("Operate", "deposit(string,address,uint256)", &deposit)?;

    // A block in which Alice sends one ether to Bob on L1.
    let send = sendCall { to: bob, refundTo: bob, gasLimit: 0, fee: 0, data: Bytes::new() };
    let alice = Key::named("alice");
    let data = Bytes::from(send.abi_encode());
    let transaction =
        bench.l2.sign(&alice, L2_MESSENGER.into(), U256::from(ETHER), data, 200_000)?;
    let block = bench.l2.seal_all(bench.now()?, B256::ZERO, vec![transaction])?;
    let call = advanceCall {
        inputs: vec![block.input()?.into()],
        evidence: Evidence { updates: vec![], forced: vec![], relays: vec![] },
    };
    bench.advance(&file, &call)?;
    let rollup = bench.deployed("rollup")?;
    let hash = bench.call(rollup, &["blockHash()(bytes32)"])?;
    assert_eq!(hash, block.block.hash.to_string());
    // Verification of the genesis still succeeds after the rollup has advanced.
    bench.run("Deploy", VERIFY, &[&config])?;

    let block = bench.l2.append(block)?;
    let claim = claimCall {
        message: IL1MessageQueue::Message {
            sender: alice.address(),
            to: bob,
            refundTo: bob,
            value: ETHER,
            fee: 0,
            gasLimit: 0,
            index: 0,
            data: Bytes::new(),
        },
        proof: bench.l2.message_proof(&block, 0)?,
        feeRecipient: STRANGER,
    };
    let written = bench.write("claim.hex", &hex::encode_prefixed(claim.abi_encode()))?;
    bench.run("Operate", "claim(string,string)", &[&file, &written])?;
    assert_eq!(bench.cast(&["balance", &bob.to_string()])?, ETHER.to_string());
    Ok(())
}

#[test]
fn tokens_are_deposited_and_withdrawn() -> Result<()> {
    let mut bench = with_execute("tokens")?;
    let config = bench.configure("rollup.toml", &[])?;
    bench.run("Deploy", RUN, &[&config])?;
    let file = bench.file("deployment.json");
    let (message_queue, rollup) = (bench.deployed("messageQueue")?, bench.deployed("rollup")?);
    let (l1_bridge, l2_bridge) = (bench.deployed("l1Bridge")?, bench.deployed("l2Bridge")?);
    let alice = Key::named("alice");

    // The L2 bridge is deployed once, at the address that the L1 bridge expects.
    let other = Bench::new("tokens-l2", &[])?;
    other.run("Operate", "deployL2Bridge(string)", &[&file])?;
    let nonce = other.nonce(DEPLOYER)?;
    other.run("Operate", "deployL2Bridge(string)", &[&file])?;
    assert_eq!(other.nonce(DEPLOYER)?, nonce);
    let code = hex::decode(other.cast(&["code", &l2_bridge.to_string()])?)?;
    // The same transaction on the L2 of this test.
    let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
    let bridge_code = &artifacts.get("L2TokenBridge")?.init_code;
    let token_code = &artifacts.get("BridgedToken")?.init_code;
    let (mut inputs, mut made) = (Vec::new(), None);
    for (ago, init_code) in [
        (3, [&[0; 32][..], token_code, &l2_bridge.abi_encode()].concat()),
        (2, [&[0; 32][..], bridge_code, &l1_bridge.abi_encode()].concat()),
    ] {
        let make = bench.l2.sign(&alice, PROXY.into(), U256::ZERO, init_code.into(), 5_000_000)?;
        let block = bench.l2.seal_all(bench.now()? - ago, B256::ZERO, vec![make])?;
        inputs.push(block.input()?.into());
        let block = bench.l2.append(block)?;
        made = bench.l2.chain().prove(&block, l2_bridge, &[])?.account;
    }
    let made = made.ok_or_eyre("the bridge is on the L2")?;
    assert_eq!(made.code_hash, keccak256(&code));

    // An unregistered token cannot be deposited; once registered, it can.
    let token = bench.create("test/utils/Tokens.sol:Token")?;
    bench.send(token, &["give(address,uint256)", &DEPLOYER.to_string(), "1000"])?;
    bench.send(token, &["approve(address,uint256)", &l1_bridge.to_string(), "1000"])?;
    let (on_l1, to) = (token.to_string(), alice.address().to_string());
    let deposit = [&*file, &*on_l1, &*to, "600"];
    let signature = "depositToken(string,address,address,uint256)";
    let said = bench.refuse("Operate", signature, &deposit)?;
    assert!(said.contains("TokenNotRegistered"), "{said}");
    bench.run("Operate", "register(string,address)", &[&file, &on_l1])?;
    bench.run("Operate", signature, &deposit)?;
    assert_eq!(bench.call(token, &["balanceOf(address)(uint256)", &l1_bridge.to_string()])?, "600");

    // The L2 relays both messages, and Alice sends some of the tokens to another account on L1.
    let messages = bench.messages(message_queue)?;
    assert_eq!(messages.len(), 2);
    let (anchor, update) = bench.anchor(message_queue, 2)?;
    let prove = bench.l2.prove_anchor(&alice, &anchor)?;
    let relay = bench.l2.relay(&alice, &messages, alice.address())?;
    let (second, rejected) = bench.l2.seal(bench.now()? - 1, anchor.hash(), vec![prove, relay])?;
    ensure!(rejected.is_empty(), "{rejected:?}");
    inputs.push(second.input()?.into());
    bench.l2.append(second)?;
    let withdraw = bridge::withdrawCall {
        l1Token: token,
        to: STRANGER,
        refundTo: STRANGER,
        amount: U256::from(250),
        gasLimit: 200_000,
    };
    let data = Bytes::from(withdraw.abi_encode());
    let withdraw = bench.l2.sign(&alice, l2_bridge.into(), U256::ZERO, data, 500_000)?;
    let (third, rejected) = bench.l2.seal(bench.now()?, anchor.hash(), vec![withdraw])?;
    ensure!(rejected.is_empty(), "{rejected:?}");
    inputs.push(third.input()?.into());
    let evidence = Evidence { updates: vec![update], forced: vec![], relays: vec![] };
    // forge runs the script in the context of the latest block, where that block's own hash is not
    // available.
    bench.cast(&["rpc", "evm_mine"])?;
    bench.advance(&file, &advanceCall { inputs, evidence })?;
    let hash = bench.call(rollup, &["blockHash()(bytes32)"])?;
    assert_eq!(hash, third.block.hash.to_string());

    let third = bench.l2.append(third)?;
    let release = bridge::releaseCall {
        l1Token: token,
        from: alice.address(),
        to: STRANGER,
        refundTo: STRANGER,
        amount: U256::from(250),
    };
    let claim = claimCall {
        message: IL1MessageQueue::Message {
            sender: l2_bridge,
            to: l1_bridge,
            refundTo: l1_bridge,
            value: 0,
            fee: 0,
            gasLimit: 200_000,
            index: 0,
            data: release.abi_encode().into(),
        },
        proof: bench.l2.message_proof(&third, 0)?,
        feeRecipient: DEPLOYER,
    };
    let written = bench.write("claim.hex", &hex::encode_prefixed(claim.abi_encode()))?;
    bench.run("Operate", "claim(string,string)", &[&file, &written])?;
    assert_eq!(bench.call(token, &["balanceOf(address)(uint256)", &STRANGER.to_string()])?, "250");
    assert_eq!(bench.call(l1_bridge, &["owed(address)(uint256)", &on_l1])?, "350");
    Ok(())
}
