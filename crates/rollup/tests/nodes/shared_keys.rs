//! Two sequencers with the same keys, and so the same L1 account.

use crate::support::{
    DevnetRollup, is_settled, one_wei, provider_of, until, until_status, until_synced,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::Provider as _;
use enshrine_rollup::RollupNode;
use eyre::Result;
use std::time::Duration;
use testkit::{ETHER, Key};

/// Deploys a rollup whose genesis has one ether for each of these accounts.
async fn world_of(keys: &[Key]) -> Result<DevnetRollup> {
    let rich = || GenesisAccount::default().with_balance(U256::from(ETHER));
    DevnetRollup::with(keys.iter().map(|key| (key.address(), rich())).collect()).await
}

/// Sends a transfer to a node, which may reject it.
async fn transfer(node: &RollupNode, key: &Key, nonce: u64) -> Result<()> {
    let raw = one_wei(key, nonce, Address::repeat_byte(9));
    let _ = provider_of(node)?.send_raw_transaction(&raw.encoded_2718()).await;
    Ok(())
}

/// A sequencer that is alone again continues.
#[tokio::test(flavor = "multi_thread")]
async fn sequencer_with_shared_keys_stops_with_fault() -> Result<()> {
    let keys = [Key::named("alice"), Key::named("bob")];
    let rollup = world_of(&keys).await?;
    let nodes = [rollup.sequencer().await?, rollup.sequencer().await?];
    let stopped = |node: &RollupNode| {
        let fault = node.status().fault.unwrap_or_default();
        fault.contains("another node has the keys of this sequencer")
    };
    let mut nonce = 0;
    until("a sequencer that stops", &nodes[0], || {
        nonce += 1;
        let (nodes, keys) = (&nodes, &keys);
        async move {
            for (node, key) in nodes.iter().zip(keys) {
                // Each sequencer has its own users and seals blocks for them.
                transfer(node, key, nonce - 1).await?;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(nodes.iter().any(stopped))
        }
    })
    .await?;
    let at = nodes.iter().position(stopped).unwrap_or_default();
    let status = nodes[at].status();
    assert!(status.overtaken >= 2, "{status:?}");
    let fault = status.fault.unwrap_or_default();
    let account = rollup.sequencer_config()?.advance_key.address();
    assert!(fault.contains(&account.to_string()), "{fault}");
    // The stopped sequencer exports the number of times that another one got ahead of it.
    let metrics = reqwest::get(format!("http://{}/metrics", nodes[at].server().addresses()[0]));
    assert!(metrics.await?.text().await?.contains("enshrine_rollup_overtaken "));
    let [first, second] = nodes;
    let (stops, other) = if at == 0 { (first, second) } else { (second, first) };
    other.stop().await;
    // It rejects transactions, since it would include them in no block.
    let raw = one_wei(&keys[at], nonce, Address::repeat_byte(9));
    let raw = Bytes::from(raw.encoded_2718());
    for method in ["eth_sendRawTransaction", "rollup_submit"] {
        let sent: Result<B256, _> =
            provider_of(&stops)?.raw_request(method.into(), (raw.clone(),)).await;
        let code = sent.map_err(|error| error.as_error_resp().map(|error| error.code)).unwrap_err();
        assert_eq!(code, Some(-32_031), "{method}");
    }
    let head = stops.status().safe_head.number;
    until_status("the stopped node at L1's safe head", &stops, |status| {
        status.safe_head == status.unsafe_head || status.safe_head.number > head
    })
    .await?;
    assert!(stopped(&stops), "{:?}", stops.status());
    stops.stop().await;

    // The operator stops both and starts one.
    let alone = rollup.sequencer().await?;
    until_synced(&alone).await?;
    let l2 = provider_of(&alone)?;
    let carol = keys[1].address();
    let before = l2.get_transaction_count(carol).await?;
    transfer(&alone, &keys[1], before).await?;
    until("a block of the remaining sequencer", &alone, || async {
        Ok(l2.get_transaction_count(carol).await? > before && is_settled(&alone))
    })
    .await?;
    assert_eq!((alone.status().overtaken, alone.status().fault), (0, None));
    alone.stop().await;
    Ok(())
}
