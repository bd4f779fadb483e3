//! Sends to a node that makes no blocks, and what becomes of a pool when roles change.

use crate::support::{World, is_settled, provider_of, signed_with, until};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider};
use enshrine_rollup::{Prices, Role, RollupNode};
use eyre::{Result, bail};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{ETHER, Key, rich};

const NO_SEQUENCER: i64 = -32_031;
/// Transactions that wait when the roles change.
const WAITING: u64 = 64;

fn transfer(from: &Key, nonce: u64) -> Vec<u8> {
    let to = Address::repeat_byte(0xb0);
    signed_with(from, nonce, to, 1, Bytes::new(), 21_000).encoded_2718()
}

async fn send(node: &RootProvider, raw: Vec<u8>) -> Result<B256> {
    Ok(node.raw_request("eth_sendRawTransaction".into(), (Bytes::from(raw),)).await?)
}

/// Code and message of the refusal of a transaction.
async fn refusal_of(node: &RootProvider, raw: Vec<u8>) -> Result<(i64, String)> {
    let sent =
        node.raw_request::<_, B256>("eth_sendRawTransaction".into(), (Bytes::from(raw),)).await;
    let Err(error) = sent else { bail!("the transaction was taken") };
    let Some(answer) = error.as_error_resp() else { bail!("no answer: {error}") };
    Ok((answer.code, answer.message.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_answers_a_send_as_the_sequencer_does_and_refuses_it_without_one() -> Result<()>
{
    let alice = Key::named("alice");
    let world = World::with(vec![(alice.address(), rich(ETHER))]).await?;
    let mut config = world.sequencer_config()?;
    // A rule that the follower does not have.
    config.prices = Prices { gas: 1, ..Prices::default() };
    let sequencer = RollupNode::start(world.config(Role::Sequencer(Box::new(config)))).await?;
    let follower = world.follower(Some(&sequencer)).await?;
    let (l2, followed) = (provider_of(&sequencer)?, provider_of(&follower)?);
    until("the follower", &follower, || async { Ok(follower.status().synced) }).await?;

    let hash = send(&followed, transfer(&alice, 0)).await?;
    until("the transfer", &sequencer, || async {
        Ok(l2.get_transaction_receipt(hash).await?.is_some())
    })
    .await?;
    // The nonce is used, and the follower may not know that yet.
    assert_eq!(
        refusal_of(&followed, transfer(&alice, 0)).await?,
        refusal_of(&l2, transfer(&alice, 0)).await?
    );

    // Without an answer of the sequencer nothing is acknowledged.
    sequencer.stop().await;
    let (code, message) = refusal_of(&followed, transfer(&alice, 1)).await?;
    assert_eq!(code, NO_SEQUENCER, "{message}");
    follower.stop().await;

    let alone = world.follower(None).await?;
    let (code, message) = refusal_of(&provider_of(&alone)?, transfer(&alice, 1)).await?;
    assert_eq!(code, NO_SEQUENCER, "{message}");
    alone.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_a_sequencer_that_is_demoted_goes_into_blocks_of_the_next_one() -> Result<()>
{
    let keys: Vec<Key> = (0..4).map(|index| Key::named(&format!("user {index}"))).collect();
    let accounts = keys.iter().map(|key| (key.address(), rich(ETHER))).collect();
    let world = World::with(accounts).await?;
    let mut slow = world.sequencer_config()?;
    slow.block_time = Duration::from_secs(3_600);
    let mut config = world.config(Role::Sequencer(Box::new(slow)));
    config.admin = Some("127.0.0.1:0".parse()?);
    let first = RollupNode::start(config).await?;
    until("L1", &first, || async { Ok(first.status().synced) }).await?;
    let url = |node: &RollupNode| format!("ws://{}", node.server().addresses()[0]);
    let mut config = world.config(Role::Follower { sequencer: Some(url(&first)) });
    config.standby = Some(Box::new(world.sequencer_config()?));
    config.admin = Some("127.0.0.1:0".parse()?);
    let second = RollupNode::start(config).await?;
    until("L1", &second, || async { Ok(second.status().synced) }).await?;

    // Half of them come through the follower.
    let (l2, followed) = (provider_of(&first)?, provider_of(&second)?);
    for nonce in 0..WAITING / keys.len() as u64 {
        for (index, key) in keys.iter().enumerate() {
            send(if index % 2 == 0 { &l2 } else { &followed }, transfer(key, nonce)).await?;
        }
    }
    let admin = |node: &RollupNode| -> Result<RootProvider> {
        let address = node.admin_address().unwrap();
        Ok(RootProvider::new_http(format!("http://{address}").parse()?))
    };
    let of_first = admin(&first)?;
    let _: Value = of_first.raw_request("rollup_demote".into(), json!([url(&second)])).await?;
    until("the role", &first, || async { Ok(first.status().role == "follower") }).await?;
    let of_second = admin(&second)?;
    let _: Value = of_second.raw_request("rollup_promote".into(), json!([])).await?;
    let to = Address::repeat_byte(0xb0);
    until("all transfers on L1", &second, || async {
        Ok(followed.get_balance(to).await? == U256::from(WAITING) && is_settled(&second))
    })
    .await?;
    first.stop().await;
    second.stop().await;
    Ok(())
}
