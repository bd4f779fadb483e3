//! The operator's switches for sealing and posting, and the latency metrics.

use crate::support::{
    DevnetRollup, admin_config, admin_of, is_settled, one_wei, provider_of, until, until_settled,
    until_synced,
};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider};
use enshrine_rollup::{AdminConfig, AdminToken, RollupNode};
use eyre::Result;
use serde_json::{Value, json};
use std::{os::unix::fs::PermissionsExt as _, path::Path, time::Duration};
use testkit::{ETHER, Key, rich};

async fn start(rollup: &DevnetRollup, folder: &Path) -> Result<(RollupNode, RootProvider)> {
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.data_dir = Some(folder.to_owned());
    config.admin = Some(admin_config()?);
    let node = RollupNode::start(config).await?;
    let admin = admin_of(&node)?;
    until_synced(&node).await?;
    Ok((node, admin))
}

async fn health(node: &RollupNode) -> Result<Value> {
    let url = format!("http://{}/health", node.server().addresses()[0]);
    Ok(serde_json::from_str(&reqwest::get(url).await?.text().await?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_sealing_and_posting_switches() -> Result<()> {
    let (rollup, folder) = (DevnetRollup::new().await?, tempfile::tempdir()?);
    let (node, admin) = start(&rollup, folder.path()).await?;
    let head = |node: &RollupNode| node.status().unsafe_head.number;
    let to = Address::repeat_byte(0xb0);
    let all = json!({ "sealing": true, "posting": true });
    assert_eq!(admin.raw_request::<_, Value>("admin_status".into(), ()).await?, all);

    let response: Value = admin.raw_request("admin_stopPosting".into(), ()).await?;
    assert_eq!(response, json!({ "sealing": true, "posting": false }));
    for block in 1..=3 {
        rollup.deposit(to, U256::ONE).await?;
        until("a block", &node, || async { Ok(head(&node) >= block) }).await?;
    }
    // Longer than three submission intervals: still nothing is in flight.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = node.status();
    assert_eq!((status.safe_head.number, status.posting), (0, false));
    assert_eq!(status.submitter.map(|submitter| submitter.transactions_in_flight), Some(0));
    assert_eq!(health(&node).await?["posting"], false);
    let _: Value = admin.raw_request("admin_startPosting".into(), ()).await?;
    until_settled("the blocks on L1", &node).await?;

    // The public port does not serve the admin methods.
    let public = provider_of(&node)?;
    let refused = public.raw_request::<_, Value>("admin_stopSealing".into(), ()).await.unwrap_err();
    assert_eq!(refused.as_error_resp().map(|error| error.code), Some(-32_601));

    let _: Value = admin.raw_request("admin_stopSealing".into(), ()).await?;
    let before = head(&node);
    let l1_block = rollup.deposit(to, U256::ONE).await?.block_number.unwrap();
    let has_read =
        |node: &RollupNode| node.status().l1_head.is_some_and(|head| head.number >= l1_block);
    until("the deposit", &node, || async { Ok(has_read(&node)) }).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(head(&node), before);
    node.stop().await;

    let (node, admin) = start(&rollup, folder.path()).await?;
    assert!(!node.status().sealing && node.status().posting);
    assert_eq!(health(&node).await?["sealing"], false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(head(&node), before);
    let response: Value = admin.raw_request("admin_startSealing".into(), ()).await?;
    assert_eq!(response, all);
    until("the deposit on the L2", &node, || async {
        Ok(head(&node) > before && is_settled(&node))
    })
    .await?;
    assert_eq!(provider_of(&node)?.get_balance(to).await?, U256::from(4));
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_is_counted_in_all_latency_histograms() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let node = rollup.sequencer().await?;
    let url = format!("http://{}/metrics", node.server().addresses()[0]);
    let counts = || async {
        let metrics = reqwest::get(&url).await?.text().await?;
        let count = |name: &str| {
            let name = format!("enshrine_rollup_{name}_seconds_count ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
            value.and_then(|value| value.parse::<u64>().ok())
        };
        let names = ["accepted_to_sealed", "sealed_to_posted", "posted_to_safe"];
        Ok::<_, eyre::Report>(names.map(|name| count(name).unwrap()))
    };
    assert_eq!(counts().await?, [0; 3]);
    let to = Address::repeat_byte(0xb0);
    let raw = one_wei(&alice, 0, to).encoded_2718();
    let l2 = provider_of(&node)?;
    let _: B256 = l2.raw_request("eth_sendRawTransaction".into(), (Bytes::from(raw),)).await?;
    until("the times", &node, || async { Ok(counts().await? == [1; 3]) }).await?;
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_port_refuses_web_pages_and_strangers() -> Result<()> {
    let (rollup, folder) = (DevnetRollup::new().await?, tempfile::tempdir()?);
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.data_dir = Some(folder.path().join("data"));
    let token_file = folder.path().join("admin.token");
    let token = AdminToken::File(token_file.clone());
    config.admin = Some(AdminConfig { token, ..admin_config()? });
    let node = RollupNode::start(config).await?;
    let address = node.admin_address().unwrap();
    let token = std::fs::read_to_string(&token_file)?;
    assert_eq!(std::fs::metadata(&token_file)?.permissions().mode() & 0o777, 0o600);

    let bearer = format!("Bearer {}", token.trim());
    let upgrade = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let ask = async |is_upgrade: bool, headers: &[(&str, &str)]| -> Result<u16> {
        let client = reqwest::Client::new();
        let mut request = match is_upgrade {
            true => client.get(format!("http://{address}")),
            false => client
                .post(format!("http://{address}"))
                .header("content-type", "application/json")
                .body(r#"{"jsonrpc":"2.0","id":1,"method":"admin_stopSealing","params":[]}"#),
        };
        for (name, value) in headers.iter().chain(upgrade.iter().filter(|_| is_upgrade)) {
            request = request.header(*name, *value);
        }
        Ok(request.send().await?.status().as_u16())
    };
    let page = ("origin", "http://attacker.example");
    let (rebound, own) = (("host", "attacker.example"), ("authorization", bearer.as_str()));
    for is_upgrade in [false, true] {
        assert_eq!(ask(is_upgrade, &[]).await?, 401);
        assert_eq!(ask(is_upgrade, &[("authorization", "Bearer 0123")]).await?, 401);
        // A web page on this machine, or one that uses DNS rebinding to reach the loopback address.
        for headers in [&[page][..], &[page, own], &[rebound], &[rebound, own]] {
            assert_eq!(ask(is_upgrade, headers).await?, 403, "{headers:?}");
        }
    }
    assert!(node.status().sealing);
    assert_eq!(ask(true, &[own]).await?, 101);
    assert_eq!(ask(false, &[own]).await?, 200);
    assert!(!node.status().sealing);
    node.stop().await;
    Ok(())
}
