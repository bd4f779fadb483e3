//! An L1 that responds late or not at all: the L2 continues without it, within limits.

use crate::support::{DevnetRollup, is_settled, one_wei, provider_of, until, until_fault};
use alloy_eips::{BlockNumberOrTag, Encodable2718};
use alloy_primitives::Address;
use alloy_provider::{Provider, RootProvider};
use enshrine_rollup::{Role, RollupNode, SequencerConfig};
use eyre::{OptionExt as _, Result};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use testkit::{ETHER, Interception, Key, Proxy, rich};

/// A sequencer whose L1 is behind a proxy, and an account that sends transfers.
struct Behind {
    rollup: DevnetRollup,
    proxy: Proxy,
    sequencer: RollupNode,
    l2: RootProvider,
    alice: Key,
    sent: u64,
}

impl Behind {
    async fn with(change: impl FnOnce(&mut SequencerConfig)) -> Result<Self> {
        let alice = Key::named("alice");
        let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
        let mut sequencing = rollup.sequencer_config()?;
        change(&mut sequencing);
        let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(sequencing)))?;
        let sequencer = RollupNode::start(config).await?;
        let l2 = provider_of(&sequencer)?;
        let mut behind = Self { rollup, proxy, sequencer, l2, alice, sent: 0 };
        behind.l1_is_on_time().await?;
        // The node must have seen L1's time advance.
        for _ in 0..3 {
            behind.next_block().await?;
        }
        Ok(behind)
    }

    /// Waits until L1's next block would have the current time. The blocks of the deployment are
    /// one second apart and so ahead of it.
    async fn l1_is_on_time(&self) -> Result<()> {
        let l1 = &self.rollup.provider;
        until("L1's time", &self.sequencer, || async {
            let head = l1.get_block_by_number(BlockNumberOrTag::Latest).await?;
            let next = l1.get_block_by_number(BlockNumberOrTag::Pending).await?;
            let (head, next) = (head.ok_or_eyre("no head")?, next.ok_or_eyre("no next block")?);
            Ok(next.header.timestamp > head.header.timestamp + 1)
        })
        .await
    }

    /// Has each request to L1 hang until the L2 has sealed another block.
    fn l1_answers_a_block_late(&self) {
        let node = Arc::clone(self.sequencer.node());
        let came = Mutex::<HashMap<String, u64>>::default();
        self.proxy.intercept(move |request| {
            let head = node.read(|node| node.chain.head().header.number);
            let mut came = came.lock().unwrap();
            let came = *came.entry(request.to_owned()).or_insert(head);
            (came == head).then_some(Interception::Silence)
        });
    }

    async fn send(&mut self) -> Result<()> {
        let to = Address::repeat_byte(0xb0);
        let transfer = one_wei(&self.alice, self.sent, to);
        let _ = self.l2.send_raw_transaction(&transfer.encoded_2718()).await?;
        self.sent += 1;
        Ok(())
    }

    /// Sends a transfer and waits for the block that includes it.
    async fn next_block(&mut self) -> Result<()> {
        self.send().await?;
        self.has_blocks_with(self.sent).await
    }

    /// Waits until blocks include this number of transfers.
    async fn has_blocks_with(&self, count: u64) -> Result<()> {
        let (l2, alice) = (&self.l2, self.alice.address());
        until("a block with the transfer", &self.sequencer, || async {
            Ok(l2.get_transaction_count(alice).await? >= count)
        })
        .await
    }

    /// Waits until L1 has all blocks, and the node is healthy.
    async fn is_settled(&self) -> Result<()> {
        let health = format!("http://{}/health", self.sequencer.server().addresses()[0]);
        until("all blocks on L1", &self.sequencer, || async {
            Ok(is_settled(&self.sequencer) && reqwest::get(&health).await?.status() == 200)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_block_waits_for_l1() -> Result<()> {
    let mut behind = Behind::with(|_| {}).await?;
    // If sealing needed a response from L1, or waited for one to posting, no block would be sealed.
    behind.l1_answers_a_block_late();
    for _ in 0..6 {
        let before = behind.sequencer.status().unsafe_head.number;
        behind.next_block().await?;
        let included = behind.l2.get_block_number().await?;
        assert!(included <= before + 2, "sent at block {before}, included by {included}");
    }
    behind.proxy.honest();
    behind.is_settled().await?;
    behind.sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_continues_while_l1_is_silent() -> Result<()> {
    let mut behind = Behind::with(|_| {}).await?;
    behind.proxy.intercept(|_| Some(Interception::Silence));
    let mut times = Vec::new();
    for _ in 0..5 {
        behind.next_block().await?;
        let head = behind.l2.get_block_by_number(Default::default()).await?;
        times.extend(head.map(|head| head.header.timestamp));
    }
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    // `/health` reports it, although the threads that wait for L1 make no progress.
    let health = format!("http://{}/health", behind.sequencer.server().addresses()[0]);
    until("the alarm", &behind.sequencer, || async {
        Ok(reqwest::get(&health).await?.status() == 503)
    })
    .await?;
    behind.proxy.honest();
    behind.is_settled().await?;
    // None of these blocks was replaced.
    for (number, expected) in (1..).zip(&times) {
        let number = behind.sequencer.status().unsafe_head.number - 5 + number;
        let block = behind.l2.get_block_by_number(number.into()).await?;
        assert_eq!(block.map(|block| block.header.timestamp).as_ref(), Some(expected));
    }
    behind.sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_stops_when_l1_silence_exceeds_drift() -> Result<()> {
    let mut behind = Behind::with(|config| config.l1_drift = Duration::from_secs(3)).await?;
    behind.proxy.intercept(|_| Some(Interception::Silence));
    until_fault(&behind.sequencer, "blocks are only built without it for 3 s").await?;
    // Waiting transactions are kept, and no block is sealed with them: otherwise a second fault
    // would replace the first.
    let head = behind.sequencer.status().unsafe_head;
    behind.send().await?;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(behind.sequencer.status().unsafe_head, head);
    }
    behind.proxy.honest();
    behind.has_blocks_with(behind.sent).await?;
    behind.is_settled().await?;
    behind.sequencer.stop().await;
    drop(behind.rollup);
    Ok(())
}
