//! L1 forks with a driven, unmodified client that has the fork schedule in its genesis.

use crate::{
    engine_api::{assert_equal, follower, head_of},
    forks::{START, included},
    support::{Setup, ethereumjs, provider_of, until, until_settled},
};
use alloy_primitives::{Address, Bytes};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use contracts::Deployment;
use eyre::{OptionExt as _, Result};
use testkit::{ETHER, Key, rich};
use wire::ProtocolFork;

/// L1 forks, and the number of seconds after its first block at which they activate. The time jumps
/// are short enough that a block sealed before one can still get a child.
const FORKS: [(ProtocolFork, u64); 3] =
    [(ProtocolFork::Osaka, 300), (ProtocolFork::Bpo2, 600), (ProtocolFork::Amsterdam, 900)];

/// EthereumJS 0.10.5 implements Prague and Osaka. It does not know BPO forks, which do not matter
/// for an L2 without blobs. For Amsterdam it has neither the header fields nor the Engine API
/// method.
#[tokio::test(flavor = "multi_thread")]
async fn driven_client_follows_until_unknown_fork() -> Result<()> {
    let alice = Key::named("alice");
    let accounts = vec![(alice.address(), rich(ETHER))];
    let rollup = Setup::forking(START, &FORKS, &FORKS).accounts(accounts).deploy().await?;
    let mut genesis = Deployment::read(&rollup.deployment())?.genesis;
    // EthereumJS rejects blob parameters of unknown forks, but ignores their activation times.
    genesis.config.blob_schedule.retain(|name, _| ["cancun", "prague", "osaka"].contains(&&**name));
    let theirs = ethereumjs::start(&genesis).await?;
    let sequencer = rollup.sequencer().await?;
    let driver = follower(&rollup, &sequencer, theirs.driven()?).await?;
    let (l2, users) = (provider_of(&sequencer)?, theirs.provider()?);
    let transfer =
        || included(&sequencer, &l2, &alice, Address::repeat_byte(0xb0), 1, Bytes::new());
    for (fork, after) in FORKS {
        // The last block before the fork.
        transfer().await?;
        until_settled("L1", &sequencer).await?;
        let before = head_of(&sequencer);
        theirs.until_at(before.hash).await?;
        rollup.provider.anvil_set_next_block_timestamp(START + after).await?;
        rollup.provider.anvil_mine(Some(1), None).await?;
        until("a block of the fork", &sequencer, || {
            let sent = transfer();
            async {
                sent.await?;
                Ok(head_of(&sequencer).header.timestamp >= START + after)
            }
        })
        .await?;
        if fork < ProtocolFork::Amsterdam {
            let head = head_of(&sequencer);
            theirs.until_at(head.hash).await?;
            assert!(assert_equal(&l2, &users).await? >= head.header.number, "{fork}");
            continue;
        }
        // The client stops before the fork and the node reports it; the follower itself continues.
        until("a fault of the client", &driver, || async {
            Ok(driver.status().driven.ok_or_eyre("no client is driven")?.fault.is_some())
        })
        .await?;
        let (number, hash) = theirs.head().await?;
        let theirs = l2.get_block_by_number(number.into()).await?.ok_or_eyre("no such block")?;
        assert_eq!(theirs.header.hash, hash);
        assert!(theirs.header.timestamp < START + after, "{theirs:?}");
        until("the follower", &driver, || async {
            Ok(head_of(&driver).header.timestamp >= START + after)
        })
        .await?;
    }
    driver.stop().await;
    sequencer.stop().await;
    Ok(())
}
