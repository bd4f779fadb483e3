//! Deposits, transfers and withdrawals through a sequencer, L1 and a follower.

use crate::support::{
    DevnetRollup, provider_of, signed, submit, until, until_included, until_nonce, until_posted,
    until_status,
};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::Provider;
use alloy_sol_types::SolCall;
use contracts::{L2_MESSENGER, bindings::IL2Messenger};
use eyre::Result;
use rpc_types::{ClaimProof, MessageInfo, MessageState};
use testkit::{ETHER, FORCED_GAS, Key};

#[tokio::test(flavor = "multi_thread")]
async fn deposit_is_spent_withdrawn_and_claimed() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(&sequencer)?;

    // A deposit arrives.
    rollup.deposit_on(&sequencer, alice.address(), U256::from(5 * ETHER)).await?;
    let message: MessageInfo =
        l2.raw_request("rollup_getMessage".into(), ("l1ToL2", "0x0")).await?;
    assert_eq!(message.state, MessageState::Relayed);

    // Alice spends some of it on the L2, and withdraws another part.
    let transfer = signed(&l2, &alice, bob, ETHER, Bytes::new(), 21_000).await?;
    let hash = submit(&l2, &transfer).await?;
    until_included("the transfer", &sequencer, hash).await?;
    assert_eq!(l2.get_balance(bob).await?, U256::from(ETHER));
    let target = Address::repeat_byte(0x77);
    let send = IL2Messenger::sendCall {
        to: target,
        refundTo: target,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    let input = send.abi_encode().into();
    let withdrawal = signed(&l2, &alice, L2_MESSENGER, 2 * ETHER, input, 200_000).await?;
    let hash = submit(&l2, &withdrawal).await?;
    until_posted("the withdrawal", &sequencer, hash).await?;

    // `/health` and `/metrics` report the progress.
    let url = format!("http://{}", sequencer.server().addresses()[0]);
    let page = |path: &str| reqwest::get(format!("{url}{path}"));
    let health = page("/health").await?;
    assert_eq!(health.status(), 200, "{}", health.text().await?);
    let metrics = page("/metrics").await?.text().await?;
    let safe = sequencer.status().safe_head.number;
    assert!(metrics.contains(&format!("enshrine_rollup_safe_head {safe}\n")), "{metrics}");

    // The withdrawal is claimed on L1.
    let claim: ClaimProof = l2.raw_request("rollup_claimProof".into(), ("0x0",)).await?;
    assert_eq!(claim.to, rollup.message_queue);
    rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
    assert_eq!(rollup.provider.get_balance(target).await?, U256::from(2 * ETHER));

    // A forced transaction, which was sent to no L2 node, arrives through L1.
    let forced = signed(&l2, &alice, bob, ETHER / 2, Bytes::new(), FORCED_GAS).await?;
    rollup.force(forced.encoded_2718()).await?;
    until("the forced transaction", &sequencer, || async {
        let status: serde_json::Value =
            l2.raw_request("rollup_getForced".into(), ("0x0",)).await.unwrap_or_default();
        Ok(status["outcome"] == "included")
    })
    .await?;
    assert_eq!(l2.get_balance(bob).await?, U256::from(3 * ETHER / 2));

    // A follower that reads only L1 derives the same chain.
    let follower = rollup.follower(None).await?;
    let safe = sequencer.status().safe_head;
    until_status("the follower", &follower, |status| status.safe_head.number >= safe.number)
        .await?;
    let theirs = provider_of(&follower)?.get_block_by_number(safe.number.into()).await?;
    let ours = l2.get_block_by_number(safe.number.into()).await?;
    let root = |block: Option<alloy_rpc_types_eth::Block>| {
        block.map(|block| (block.header.hash, block.header.state_root))
    };
    assert!(ours.is_some());
    assert_eq!(root(theirs), root(ours));
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// A follower shows each block as soon as it has executed it, and its view of L1 has the messages
/// of all of them.
#[tokio::test(flavor = "multi_thread")]
async fn visible_deposit_always_has_relayed_status() -> Result<()> {
    const BLOCKS: u64 = 30;
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    rollup.deposit_on(&sequencer, alice.address(), U256::from(ETHER)).await?;
    for number in 1..=BLOCKS {
        let transfer = signed(&l2, &alice, Address::ZERO, 1, Bytes::new(), 21_000).await?;
        submit(&l2, &transfer).await?;
        until_nonce("the transfer", &sequencer, alice.address(), number).await?;
    }
    let head = sequencer.status().unsafe_head.number;
    until_status("L1", &sequencer, |status| status.safe_head.number >= head).await?;

    let follower = rollup.follower(None).await?;
    let l2 = provider_of(&follower)?;
    until("the deposit", &follower, || async {
        Ok(l2.get_balance(alice.address()).await? > U256::ZERO)
    })
    .await?;
    let message: MessageInfo =
        l2.raw_request("rollup_getMessage".into(), ("l1ToL2", "0x0")).await?;
    assert_eq!(message.state, MessageState::Relayed);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_gets_blocks_before_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let mut config = rollup.sequencer_config()?;
    // The sequencer posts no blocks.
    config.submit_interval = std::time::Duration::from_secs(3_600);
    let sequencer = rollup.start(config).await?;
    let follower = rollup.follower(Some(&sequencer)).await?;
    let alice = Key::named("alice").address();
    rollup.deposit_on(&follower, alice, U256::from(ETHER)).await?;
    until_status("the head of the sequencer", &follower, |status| {
        status.unsafe_head == sequencer.status().unsafe_head
    })
    .await?;
    assert_eq!(follower.status().safe_head.number, 0);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}
