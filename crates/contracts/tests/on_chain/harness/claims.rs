//! L2→L1 messages: claims by proof against the state roots of the rollup.

use super::support::{ETHER, TestRollup, calldata_gas};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use enshrine_contracts::{
    L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{self, MessageProof},
        IL2Messenger,
    },
};
use eyre::{Result, ensure};
use testkit::{HarnessError, Key, Transaction};
use wire::ProtocolFork;

/// Signs the transaction that sends wei from Alice on L2 to `to` on L1.
fn withdrawal(harness: &mut TestRollup, to: Address, value: u128) -> Result<Transaction> {
    let send = IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
    let alice = harness.alice.clone();
    let data = send.abi_encode().into();
    Ok(harness.l2.sign(&alice, L2_MESSENGER.into(), U256::from(value), data, 1_000_000)?)
}

/// Deposits 9 ETH into the escrow, because no ETH on L1 backs Alice's balance at genesis.
fn fill_escrow(harness: &mut TestRollup) -> Result<()> {
    let (alice, message_queue) = (harness.alice.clone(), harness.rollup.message_queue);
    let send = IL1MessageQueue::sendCall {
        to: alice.address(),
        refundTo: Address::ZERO,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    harness.l1.transact(&alice, message_queue, U256::from(9 * ETHER), &send)?;
    Ok(())
}

fn claim(
    message: &IL1MessageQueue::Message,
    proof: &MessageProof,
    fee_recipient: Address,
) -> IL1MessageQueue::claimCall {
    IL1MessageQueue::claimCall {
        message: message.clone(),
        proof: proof.clone(),
        feeRecipient: fee_recipient,
    }
}

fn assert_reverts<E: SolError>(result: Result<impl core::fmt::Debug, HarnessError>) -> Result<E> {
    match result {
        Err(HarnessError::Reverted { output, .. }) => Ok(E::abi_decode(&output)?),
        other => Err(eyre::eyre!("expected {}: {other:?}", E::SIGNATURE)),
    }
}

#[test]
fn l2_messages_are_claimed_on_l1_once() -> Result<()> {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let mut harness = TestRollup::new(fork)?;
        fill_escrow(&mut harness)?;
        let (charlie, operator) = (Key::named("charlie").address(), harness.operator.clone());
        let transactions = (1..=3)
            .map(|value| withdrawal(&mut harness, charlie, value * ETHER))
            .collect::<Result<_>>()?;
        let block = harness.seal(harness.l2.next_timestamp(), transactions)?;
        let messages: Vec<IL1MessageQueue::Message> = block
            .block
            .executed
            .receipts
            .iter()
            .flat_map(|receipt| &receipt.logs)
            .filter_map(|log| IL2Messenger::MessageSent::decode_log(log).ok())
            .map(|event| IL1MessageQueue::Message {
                sender: event.sender,
                to: event.to,
                refundTo: event.refundTo,
                value: event.value,
                fee: event.fee,
                gasLimit: event.gasLimit,
                index: event.index,
                data: event.data.data.clone(),
            })
            .collect();
        ensure!(messages.len() == 3);
        harness.l2.append(block.clone())?;
        let chain = harness.l2.chain();
        let mut proofs = (0..3)
            .map(|index| harness.l2.message_proof(chain.head(), index))
            .collect::<Result<Vec<_>, _>>()?;
        let message_queue = harness.rollup.message_queue;

        // A claim against a block fails before the block is posted to L1.
        let early = claim(&messages[0], &proofs[0], operator.address());
        assert!(harness.l1.transact(&operator, message_queue, U256::ZERO, &early).is_err());
        harness.advance(vec![block.input()?], vec![])?;

        // Without an account proof, a claim succeeds only after an earlier claim has proven the
        // account for the same block.
        let account_proof = core::mem::take(&mut proofs[1].accountProof);
        let later = claim(&messages[1], &proofs[1], operator.address());
        let result = harness.l1.transact(&operator, message_queue, U256::ZERO, &later);
        assert_reverts::<IL1MessageQueue::StorageRootUnknown>(result)?;

        // Creates Charlie's account.
        let alice = harness.alice.clone();
        harness.l1.send(&alice, charlie.into(), U256::ONE, Bytes::new(), 21_000)?;
        let before = harness.l1.chain().balance(charlie)?;
        let mut gas = Vec::new();
        for index in 0..3 {
            let call = claim(&messages[index], &proofs[index], operator.address());
            let sent = harness.l1.transact(&operator, message_queue, U256::ZERO, &call)?;
            gas.push((sent.gas_used, sent.gas_used - calldata_gas(&sent.input)));
            if index == 1 {
                proofs[2].accountProof.clear();
            }
        }
        println!("{fork:?}: claims, gas and gas without calldata: {gas:?}");
        assert_eq!(harness.l1.chain().balance(charlie)?, before + U256::from(6 * ETHER));
        assert_eq!(harness.l1.chain().balance(message_queue)?, U256::from(3 * ETHER));

        proofs[1].accountProof = account_proof;
        for index in 0..3 {
            let again = claim(&messages[index], &proofs[index], operator.address());
            let result = harness.l1.transact(&operator, message_queue, U256::ZERO, &again);
            let error = assert_reverts::<IL1MessageQueue::AlreadyClaimed>(result)?;
            assert_eq!(error.index, messages[index].index);
        }
    }
    Ok(())
}

#[test]
fn modified_claims_are_rejected() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    fill_escrow(&mut harness)?;
    let (charlie, operator) = (Key::named("charlie").address(), harness.operator.clone());
    let transactions = vec![withdrawal(&mut harness, charlie, ETHER)?];
    let block = harness.seal(harness.l2.next_timestamp(), transactions)?;
    harness.l2.append(block.clone())?;
    harness.advance(vec![block.input()?], vec![])?;
    let chain = harness.l2.chain();
    let proof = harness.l2.message_proof(chain.head(), 0)?;
    let message = IL1MessageQueue::Message {
        sender: harness.alice.address(),
        to: charlie,
        refundTo: charlie,
        value: ETHER,
        fee: 0,
        gasLimit: 0,
        index: 0,
        data: Bytes::new(),
    };
    let mirror = Message {
        sender: message.sender,
        to: message.to,
        refund_to: message.refundTo,
        value: message.value,
        fee: message.fee,
        gas_limit: 0,
        index: 0,
        data: Bytes::new(),
    };
    let stored = harness.l2.chain().call(chain::Call {
        to: Some(L2_MESSENGER),
        data: IL2Messenger::sentCall { index: 0 }.abi_encode().into(),
        ..Default::default()
    })?;
    assert_eq!(stored.output[..], mirror.hash()[..]);

    let changes: [fn(&mut IL1MessageQueue::Message); 8] = [
        |m| m.sender = Address::repeat_byte(1),
        |m| m.to = Address::repeat_byte(1),
        |m| m.refundTo = Address::repeat_byte(1),
        |m| m.value += 1,
        |m| m.fee += 1,
        |m| m.gasLimit += 1,
        |m| m.index += 1,
        |m| m.data = Bytes::from_static(&[0]),
    ];
    let message_queue = harness.rollup.message_queue;
    for (which, change) in changes.into_iter().enumerate() {
        let mut changed = message.clone();
        change(&mut changed);
        let call = claim(&changed, &proof, operator.address());
        assert!(
            harness.l1.transact(&operator, message_queue, U256::ZERO, &call).is_err(),
            "change {which}"
        );
    }
    let bad: [fn(&mut MessageProof); 6] = [
        |p| p.l2Block = 0,
        |p| p.storageRoot.0[0] ^= 1,
        |p| drop(p.storageProof.pop()),
        |p| p.storageProof.push(p.storageProof[0].clone()),
        |p| drop(p.accountProof.pop()),
        |p| {
            let mut node = p.accountProof[0].to_vec();
            node[5] ^= 1;
            p.accountProof[0] = node.into();
        },
    ];
    for (which, change) in bad.into_iter().enumerate() {
        let mut changed = proof.clone();
        change(&mut changed);
        let call = claim(&message, &changed, operator.address());
        assert!(
            harness.l1.transact(&operator, message_queue, U256::ZERO, &call).is_err(),
            "change {which}"
        );
    }
    let call = claim(&message, &proof, operator.address());
    harness.l1.transact(&operator, message_queue, U256::ZERO, &call)?;
    assert_eq!(harness.l1.chain().balance(charlie)?, U256::from(ETHER));
    Ok(())
}
