//! Messages that do not fit into one block, or into any block, or that have to wait.

use crate::{
    api_version_1::{ask, message, withdraw},
    support::{
        DevnetRollup, Setup, provider_of, until, until_posted_balance, until_status, with_much_code,
    },
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall;
use contracts::{
    GuardianConfig,
    bindings::IL1MessageQueue::{pauseCall, resumeCall, sendCall},
};
use eyre::{OptionExt as _, Result, ensure};
use rpc_types::{ClaimProof, Direction, MessageInfo, MessagePage, MessageState, methods};
use serde_json::json;
use testkit::{ETHER, Key, rich};

fn recipient(index: u64) -> Address {
    Address::from_word(U256::from(0xdead_0000_0000_u64 + index).into())
}

const fn plain(to: Address) -> sendCall {
    sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() }
}

/// Sends messages with these values in one L1 block.
async fn send_together(rollup: &DevnetRollup, messages: Vec<(sendCall, u64)>) -> Result<()> {
    let from = rollup.l1.addresses()[0];
    let nonce = rollup.provider.get_transaction_count(from).await?;
    rollup.provider.anvil_set_auto_mine(false).await?;
    for (at, (call, value)) in (nonce..).zip(messages) {
        let request = TransactionRequest::default()
            .from(from)
            .to(rollup.message_queue)
            .nonce(at)
            .value(U256::from(value))
            .gas_limit(200_000)
            .input(call.abi_encode().into());
        let _ = rollup.provider.send_transaction(request).await?;
    }
    rollup.provider.anvil_mine(Some(1), None).await?;
    rollup.provider.anvil_set_auto_mine(true).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deposit_burst_is_relayed_once_and_in_order() -> Result<()> {
    const COUNT: u64 = 60;
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let messages = (0..COUNT).map(|index| (plain(recipient(index)), index + 1)).collect();
    send_together(&rollup, messages).await?;
    let l2 = provider_of(&sequencer)?;
    let last = recipient(COUNT - 1);
    until_posted_balance("the last deposit", &sequencer, last, U256::from(COUNT)).await?;
    for index in 0..COUNT {
        assert_eq!(l2.get_balance(recipient(index)).await?, U256::from(index + 1), "{index}");
    }
    // They do not fit into one block, so the first relay ends at a waypoint.
    assert!(sequencer.status().unsafe_head.number >= 3, "{:?}", sequencer.status());

    let follower = rollup.follower(None).await?;
    until_status("the follower", &follower, |status| {
        status.safe_head == sequencer.status().safe_head
    })
    .await?;
    assert_eq!(provider_of(&follower)?.get_balance(last).await?, U256::from(COUNT));
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn undeliverable_message_is_parked_between_relayed_ones() -> Result<()> {
    let reader = Address::repeat_byte(0xee);
    let rollup = DevnetRollup::with(with_much_code(reader)).await?;
    let sequencer = rollup.sequencer().await?;
    let call = sendCall { gasLimit: 200_000, ..plain(reader) };
    let (before, after) = (recipient(1), recipient(2));
    let messages = vec![(plain(before), 1), (call, 5), (plain(after), 2)];
    send_together(&rollup, messages).await?;
    let l2 = provider_of(&sequencer)?;
    until_posted_balance("all of them", &sequencer, after, U256::from(2)).await?;
    assert_eq!(l2.get_balance(before).await?, U256::ONE);
    assert_eq!(l2.get_balance(reader).await?, U256::ZERO);
    let mut states = Vec::new();
    for index in ["0x0", "0x1", "0x2"] {
        let message: MessageInfo =
            l2.raw_request("rollup_getMessage".into(), ("l1ToL2", index)).await?;
        assert!(message.delivered.is_some());
        states.push(message.state);
    }
    use MessageState::{Parked, Relayed};
    assert_eq!(states, [Relayed, Parked, Relayed]);
    sequencer.stop().await;
    Ok(())
}

/// Without a sequencer no L2 block covers a message.
#[tokio::test(flavor = "multi_thread")]
async fn message_is_sent_until_a_block_covers_it() -> Result<()> {
    use Direction::{L1ToL2, L2ToL1};
    let rollup = DevnetRollup::new().await?;
    let follower = rollup.follower(None).await?;
    let l2 = provider_of(&follower)?;
    let to = recipient(1);
    let receipt = rollup.deposit(to, U256::from(5)).await?;
    let has_state = async |expected: MessageState| -> Result<bool> {
        // A node that has not read the block does not have the message.
        Ok(message(&l2, L1ToL2, 0).await.is_ok_and(|message| message.state == expected))
    };
    until("the message", &follower, || has_state(MessageState::Sent)).await?;
    let sent = message(&l2, L1ToL2, 0).await?;
    assert_eq!((sent.message.to, sent.message.value), (to, 5));
    assert_eq!(sent.sent.transaction, receipt.transaction_hash);
    assert_eq!(Some(sent.sent.block), receipt.block_number);
    assert!(sent.delivered.is_none() && sent.failure.is_none() && sent.claim.is_none());
    let rules = ask(&l2, methods::CONFIG, ()).await?.rules;
    assert_eq!(sent.deadline, Some(sent.sent.timestamp + rules.relay_deadline));
    let page: MessagePage = ask(&l2, methods::GET_MESSAGES, (L1ToL2, json!({}))).await?;
    assert_eq!(
        page.messages.iter().map(|message| message.state).collect::<Vec<_>>(),
        [MessageState::Sent]
    );
    for (direction, index) in [(L1ToL2, "0x1"), (L2ToL1, "0x0")] {
        let none = ask(&l2, methods::GET_MESSAGE, (direction, index)).await?;
        assert_eq!(none, None);
    }

    // A reorg of L1 without the message removes it.
    let mined = rollup.provider.get_block_number().await?;
    let depth = mined - receipt.block_number.ok_or_eyre("it is mined")? + 1;
    rollup.reorg(depth).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until("the reorg", &follower, || async { Ok(message(&l2, L1ToL2, 0).await.is_err()) }).await?;
    rollup.deposit(to, U256::from(6)).await?;
    until("the other message", &follower, || has_state(MessageState::Sent)).await?;

    let sequencer = rollup.sequencer().await?;
    until("the relay", &follower, || has_state(MessageState::Relayed)).await?;
    let relayed = message(&l2, L1ToL2, 0).await?;
    assert!(relayed.delivered.is_some() && relayed.message.value == 6);
    sequencer.stop().await;
    follower.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guardian_delays_claimable_messages_only() -> Result<()> {
    use Direction::L2ToL1;
    let (alice, guardian) = (Key::named("alice"), Key::named("guardian"));
    // The shortest pause, during which no ether can be claimed.
    let powers = GuardianConfig { account: guardian.address(), pause: 6 * 3_600, limit: 0 };
    let setup = Setup::new().change(move |fixture| {
        fixture.rich(["alice"], ETHER).with(|config| config.guardian = Some(powers))
    });
    let rollup = setup.deploy().await?;
    rollup.provider.anvil_set_balance(guardian.address(), rich(ETHER).balance).await?;
    let chain_id = rollup.provider.get_chain_id().await?;
    let by_guardian = async |nonce: u64, input: Vec<u8>| -> Result<()> {
        let transaction = guardian.sign(TxEip1559 {
            chain_id,
            nonce,
            gas_limit: 200_000,
            max_fee_per_gas: 20_000_000_000,
            to: rollup.message_queue.into(),
            input: input.into(),
            ..Default::default()
        });
        let sent = rollup.provider.send_raw_transaction(&transaction.encoded_2718()).await?;
        ensure!(sent.get_receipt().await?.status(), "the guardian's transaction failed");
        Ok(())
    };
    // The escrow pays claims from deposits.
    rollup.deposit(alice.address(), U256::from(100)).await?;
    let sequencer = rollup.sequencer().await?;
    let l2 = provider_of(&sequencer)?;
    for nonce in 0..2 {
        withdraw(&l2, &alice, nonce, recipient(nonce), &[]).await?;
    }
    let states = async || -> Result<Vec<MessageState>> {
        let page: MessagePage = ask(&l2, methods::GET_MESSAGES, (L2ToL1, json!({}))).await?;
        Ok(page.messages.iter().rev().map(|message| message.state).collect())
    };
    let until_states = async |expected: [MessageState; 2]| -> Result<()> {
        let last = &expected;
        until("the states", &sequencer, || async { Ok(states().await? == last) }).await?;
        for (index, expected) in (0..).zip(expected) {
            let found = message(&l2, L2ToL1, index).await?;
            assert_eq!(found.state, expected, "{index}");
            assert!(!(found.finalized && expected == MessageState::Delayed));
        }
        Ok(())
    };
    use MessageState::{Claimable, Claimed, Delayed};
    until_states([Claimable; 2]).await?;
    let claim_of = async |index: &'static str| -> Result<ClaimProof> {
        ask(&l2, methods::CLAIM_PROOF, (index,)).await
    };
    let claim = claim_of("0x0").await?;
    rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
    until_states([Claimed, Claimable]).await?;

    by_guardian(0, pauseCall {}.abi_encode()).await?;
    until_states([Claimed, Delayed]).await?;
    // The proof is that of any other time, and L1 refuses the claim.
    let claim = claim_of("0x1").await?;
    let call = TransactionRequest::default().to(claim.to).input(claim.data.clone().into());
    let error = rollup.provider.call(call.clone()).await.expect_err("the queue is paused");
    assert!(error.as_error_resp().is_some(), "{error}");

    by_guardian(1, resumeCall {}.abi_encode()).await?;
    until_states([Claimed, Claimable]).await?;
    let _ = rollup.provider.call(call).await?;
    rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
    until_states([Claimed; 2]).await?;
    sequencer.stop().await;
    Ok(())
}
