//! Evidence of an `advance` that becomes stale while L1 does not include the transaction.

use crate::{
    in_flight::included,
    support::{
        ADVANCE, DevnetRollup, json_response, one_wei, provider_of, signed_with, submit, until,
        until_included, until_l1_head, until_settled,
    },
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use enshrine_rollup::RollupNode;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use testkit::{ETHER, FORCED_GAS, Interception, Key, Proxy, rich};

const DAY: u64 = 86_400;
const BOB: Address = Address::repeat_byte(0xb0);

/// Transactions that L1 withholds, in order of arrival.
#[derive(Clone, Default)]
struct Withheld(Arc<Mutex<Vec<Bytes>>>);

impl Withheld {
    /// Accepts each transaction, and includes none.
    fn start(proxy: &Proxy) -> Self {
        let withheld = Self::default();
        let own = withheld.clone();
        proxy.intercept(move |request| {
            let parsed: Value = serde_json::from_str(request).ok()?;
            if parsed["method"] != "eth_sendRawTransaction" {
                return None;
            }
            let raw: Bytes = parsed["params"][0].as_str()?.parse().ok()?;
            let response = json_response(request, keccak256(&raw));
            own.0.lock().ok()?.push(raw);
            Some(Interception::Answer(response))
        });
        withheld
    }

    fn arrivals(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Returns the versions of the transaction, oldest first.
    fn versions(&self) -> Result<Vec<TxEnvelope>> {
        let mut all = self.0.lock().unwrap().clone();
        all.sort_by_key(|raw| keccak256(raw));
        all.dedup();
        let all = all.iter().map(|raw| Ok(TxEnvelope::decode_2718_exact(raw)?));
        let mut all = all.collect::<Result<Vec<_>>>()?;
        all.sort_by_key(|tx| tx.max_fee_per_gas());
        Ok(all)
    }
}

/// What a stranger submits in each L1 block.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Submission {
    Message,
    Forced,
    Nothing,
}

/// Starts a sequencer whose next `advance` has duties, withholds the transaction for two L1 blocks,
/// and returns its versions. L1 then includes the last one.
async fn withheld_during(submission: Submission) -> Result<Vec<TxEnvelope>> {
    let accounts = ["alice", "mallory"].map(|name| (Key::named(name).address(), rich(ETHER)));
    let rollup = DevnetRollup::with(accounts.to_vec()).await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let node = RollupNode::start(config).await?;
    // Its nonce is far in the future.
    let mallory = Key::named("mallory");
    let invalid =
        |nonce| signed_with(&mallory, nonce, BOB, 1, Bytes::new(), FORCED_GAS).encoded_2718();
    rollup.force(invalid(9)).await?;
    // Both kinds of duties may be due from now on.
    rollup.provider.anvil_increase_time(2 * DAY).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until_l1_head(&rollup, &node).await?;

    let withheld = Withheld::start(&proxy);
    let hash = submit(&provider_of(&node)?, &one_wei(&Key::named("alice"), 0, BOB)).await?;
    until_included("the transfer", &node, hash).await?;
    until("the transaction", &node, || async { Ok(withheld.arrivals() > 0) }).await?;
    for nonce in 10..12 {
        match submission {
            Submission::Message => drop(rollup.deposit(BOB, U256::ONE).await?),
            Submission::Forced => drop(rollup.force(invalid(nonce)).await?),
            Submission::Nothing => rollup.next_second().await?,
        }
        until_l1_head(&rollup, &node).await?;
        // At each head, it is sent again or replaced.
        let before = withheld.arrivals();
        until("a resend", &node, || async { Ok(withheld.arrivals() > before) }).await?;
    }
    let versions = withheld.versions()?;
    let latest = versions.last().ok_or_eyre("nothing was sent")?.encoded_2718();
    proxy.honest();
    let _ = rollup.provider.send_raw_transaction(&latest).await?;
    until_settled("the blocks", &node).await?;
    let (_, failed) = included(&rollup.provider, ADVANCE).await?;
    node.stop().await;
    ensure!(failed == 0, "{submission:?}: {failed} transactions have failed");
    Ok(versions)
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_of_strangers_make_no_advance_revert() -> Result<()> {
    for submission in [Submission::Message, Submission::Forced] {
        let versions = withheld_during(submission).await?;
        ensure!((2..=3).contains(&versions.len()), "{submission:?}: {}", versions.len());
        for (before, after) in versions.iter().zip(&versions[1..]) {
            ensure!(before.nonce() == after.nonce(), "{submission:?}");
            ensure!(after.max_fee_per_gas() * 10 >= before.max_fee_per_gas() * 11);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_transaction_with_fresh_evidence_stays() -> Result<()> {
    ensure!(withheld_during(Submission::Nothing).await?.len() == 1);
    Ok(())
}
