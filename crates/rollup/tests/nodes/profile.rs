//! Prices of EXECUTE on L1: for any of them, a node that knows them settles, and one that does not says so.

use crate::support::{World, provider_of, signed_with, until};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, Bytes};
use alloy_provider::Provider as _;
use enshrine_rollup::{Config, L1Profile, Role, RollupNode};
use eyre::Result;
use testkit::{ETHER, Key, rich};
use variants::GasSchedule;

async fn world(schedule: GasSchedule) -> Result<World> {
    World::with_execute_gas(schedule, vec![(Key::named("alice").address(), rich(ETHER))]).await
}

fn config(world: &World, schedule: GasSchedule) -> Result<Config> {
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    Ok(Config { profile: L1Profile { schedule }, ..world.config(role) })
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_settle_under_every_schedule_and_none_is_made_again() -> Result<()> {
    const BLOCKS: u64 = 3;
    let other: GasSchedule = "25000+60".parse()?;
    let named = GasSchedule::NAMED.map(|(_, schedule)| schedule);
    for schedule in named.into_iter().chain([other]) {
        let world = world(schedule).await?;
        let sequencer = RollupNode::start(config(&world, schedule)?).await?;
        let l2 = provider_of(&sequencer)?;
        let (alice, to) = (Key::named("alice"), Address::repeat_byte(0xb0));
        let mut hashes = Vec::new();
        for nonce in 0..BLOCKS {
            let transfer = signed_with(&alice, nonce, to, 1, Bytes::new(), 21_000);
            let _ = l2.send_raw_transaction(&transfer.encoded_2718()).await?;
            until("the block on L1", &sequencer, || async {
                let status = sequencer.status();
                let is_there = l2.get_transaction_count(alice.address()).await? > nonce;
                Ok(is_there && status.safe_head == status.unsafe_head)
            })
            .await?;
            hashes.push(sequencer.status().safe_head);
        }
        for block in hashes {
            let found = l2.get_block_by_number(block.number.into()).await?;
            assert_eq!(found.map(|it| it.header.hash), Some(block.hash), "{schedule}");
        }
        sequencer.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_prices_than_those_of_its_l1_does_not_start_and_names_them() -> Result<()>
{
    let world = world(GasSchedule::ETHREX).await?;
    let started = RollupNode::start(config(&world, GasSchedule::DEFAULT)?).await;
    let error = started.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("ethrex") && error.contains("default"), "{error}");
    let sequencer = RollupNode::start(config(&world, GasSchedule::ETHREX)?).await?;
    sequencer.stop().await;
    Ok(())
}
