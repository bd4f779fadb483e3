//! A follower of a rollup whose blobs have expired starts from a snapshot, verified against L1.

use crate::{
    api_version_1::{message, withdraw},
    blobs_of_l1::{Beacon, balance, deposit_and_spend, deposit_once_more, with_beacon},
    support::{
        DevnetRollup, is_settled, provider_of, until, until_fault, until_status, until_synced,
    },
};
use alloy_primitives::{Address, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use contracts::Deployment;
use disk::snapshot::{Snapshot, SnapshotError};
use enshrine_rollup::{
    Config, L1Client, Role, RollupError, RollupNode, ServiceError, SnapshotSummary,
    export_snapshot, import_snapshot,
};
use eyre::Result;
use rpc_types::{Direction, MessageState};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use testkit::{ETHER, Key};

const TO: Address = Address::repeat_byte(0xb0);

async fn import(
    rollup: &DevnetRollup,
    file: &Path,
    to: &Path,
) -> Result<SnapshotSummary, RollupError> {
    import_if(rollup, file, to, true).await
}

async fn import_if(
    rollup: &DevnetRollup,
    file: &Path,
    to: &Path,
    allows_unfinal: bool,
) -> Result<SnapshotSummary, RollupError> {
    let deployment = Deployment::read(&rollup.deployment()).map_err(ServiceError::from)?;
    let (file, to, url) = (file.to_owned(), to.to_owned(), rollup.l1.endpoint());
    let importing = tokio::task::spawn_blocking(move || {
        let client = L1Client::new(&[url], Duration::from_secs(10))?;
        import_snapshot(&file, &to, &deployment, client, allows_unfinal)
    });
    importing.await.expect("no panic")
}

async fn export(
    rollup: &DevnetRollup,
    from: &Path,
    number: Option<u64>,
    file: &Path,
) -> Result<SnapshotSummary> {
    let deployment = Deployment::read(&rollup.deployment())?;
    let (from, file) = (from.to_owned(), file.to_owned());
    let exporting =
        tokio::task::spawn_blocking(move || export_snapshot(&from, &deployment, number, &file));
    Ok(exporting.await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_starts_from_snapshot_after_blob_expiry() -> Result<()> {
    let rollup = DevnetRollup::with_blobs().await?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let beacon = Beacon::before(&rollup.l1.endpoint())?;
    let config = with_beacon(rollup.config(rollup.sequencer_role()?), &rollup.l1.endpoint());
    let config = Config { data_dir: Some(path("sequencer")), ..config };
    let sequencer = RollupNode::start(config.clone()).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let l2 = provider_of(&sequencer)?;
    withdraw(&l2, &Key::named("alice"), 1, TO, &[]).await?;
    until("the withdrawal", &sequencer, || async {
        let found = message(&l2, Direction::L2ToL1, 0).await;
        let is_claimable = found.is_ok_and(|message| message.state == MessageState::Claimable);
        Ok(is_claimable && is_settled(&sequencer))
    })
    .await?;
    let head = sequencer.status().safe_head;
    sequencer.stop().await;
    let written = export(&rollup, &path("sequencer"), None, &path("file")).await?;
    assert_eq!((written.number, written.hash), (head.number, head.hash));
    assert!(written.number > 0);

    // The consensus client no longer has the blobs.
    beacon.set(|_, _| None);
    let follower = |data: &str| {
        let config = with_beacon(rollup.config(Role::Follower { sequencer: None }), &beacon.url);
        RollupNode::start(Config { data_dir: Some(path(data)), ..config })
    };
    let without = follower("without").await?;
    until_status("a fault", &without, |status| status.fault.is_some()).await?;
    assert_eq!(without.status().safe_head.number, 0);
    without.stop().await;
    let imported = import(&rollup, &path("file"), &path("fresh/")).await?;
    assert_eq!(imported, written);
    let remaining: Vec<_> = fs::read_dir(folder.path())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("part"))
        .collect();
    assert!(remaining.is_empty() && !path("fresh/.part").exists(), "{remaining:?}");
    let fresh = follower("fresh").await?;
    until_synced(&fresh).await?;
    assert_eq!((fresh.status().safe_head, fresh.status().fault), (head, None));
    assert_eq!(balance(&fresh, Key::named("bob").address()).await?, U256::from(ETHER));

    // Requests for data before the snapshot get an error, not an empty result.
    let l2 = provider_of(&fresh)?;
    let number = format!("{:#x}", head.number);
    let logs = |from: &str| json!([{ "fromBlock": from, "toBlock": number }]);
    for (method, before, neighbour) in [
        ("eth_getBlockByNumber", json!(["0x0", false]), json!([number, false])),
        ("eth_getBlockReceipts", json!(["0x0"]), json!([number])),
        ("eth_getBalance", json!([TO, "0x0"]), json!([TO, number])),
        ("eth_getLogs", logs("0x0"), logs(&number)),
    ] {
        let refused: Result<Value, _> = l2.raw_request(method.into(), before).await;
        let error =
            refused.map_err(|error| error.as_error_resp().map(|error| error.code)).unwrap_err();
        assert_eq!(error, Some(4_444), "{method}");
        let response: Value = l2.raw_request(method.into(), neighbour).await?;
        assert!(!response.is_null(), "{method}");
    }
    // The messages before are counted by the state; the next one was not sent.
    let refusal = async |method: &'static str, params: Value| {
        let refused = l2.raw_request::<_, Value>(method.into(), params).await.unwrap_err();
        let error = refused.as_error_resp().cloned().unwrap();
        let data: Value = serde_json::from_str(error.data.unwrap().get()).unwrap();
        (error.message.to_string(), data)
    };
    let before = (
        "this node has the messages from 1 on".to_owned(),
        json!({ "got": "0x0", "expected": "0x1" }),
    );
    assert_eq!(refusal("rollup_getMessage", json!(["l2ToL1", "0x0"])).await, before);
    assert_eq!(refusal("rollup_claimProof", json!(["0x0"])).await, before);
    let none: Value = l2.raw_request("rollup_getMessage".into(), ("l2ToL1", "0x1")).await?;
    assert!(none.is_null(), "{none}");
    let (text, data) = refusal("rollup_claimProof", json!(["0x1"])).await;
    assert_eq!(text, "unknown message 1 to L1: 1 were sent");
    assert_eq!(data, json!({ "got": "0x1", "expected": "0x1" }));

    // The follower derives new blocks, also after a restart.
    beacon.set(|_, body| Some(body));
    let sequencer = RollupNode::start(config).await?;
    deposit_once_more(&rollup, &sequencer).await?;
    let safe = sequencer.status().safe_head;
    assert!(safe.number > head.number);
    until_status("the follower", &fresh, |status| status.safe_head == safe).await?;
    assert_eq!(balance(&fresh, Address::repeat_byte(0xa2)).await?, U256::ONE);
    fresh.stop().await;
    let fresh = follower("fresh").await?;
    until_status("the follower", &fresh, |status| status.safe_head == safe).await?;
    assert_eq!(fresh.status().fault, None);
    fresh.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_snapshot_leaves_no_files() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let mut sequencing = rollup.sequencer_config()?;
    let role = Role::Sequencer(Box::new(sequencing.clone()));
    let config = Config { data_dir: Some(path("sequencer")), ..rollup.config(role) };
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    let posted = sequencer.status().safe_head;
    sequencer.stop().await;
    // A sealed block that is not on L1.
    sequencing.submit_interval = Duration::from_secs(3_600);
    let role = Role::Sequencer(Box::new(sequencing));
    let config = Config { data_dir: Some(path("sequencer")), ..rollup.config(role) };
    let sequencer = RollupNode::start(config).await?;
    let to = Address::repeat_byte(0xa7);
    rollup.deposit(to, U256::ONE).await?;
    until("a deposit", &sequencer, || async { Ok(balance(&sequencer, to).await? == U256::ONE) })
        .await?;
    let (head, safe) = (sequencer.status().unsafe_head, sequencer.status().safe_head);
    sequencer.stop().await;
    assert!(head.number > safe.number);
    export(&rollup, &path("sequencer"), Some(head.number), &path("unknown")).await?;
    let refused = import(&rollup, &path("unknown"), &path("fresh")).await.unwrap_err();
    let RollupError::Service(ServiceError::Snapshot(SnapshotError::NotOnL1(number))) = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(number, head.number);

    export(&rollup, &path("sequencer"), Some(posted.number), &path("file")).await?;
    let whole = fs::read(path("file"))?;
    assert_eq!(Snapshot::open(&whole[..])?.head().header.number, posted.number);
    let mut damaged = whole.clone();
    damaged[whole.len() - 100] ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], b"nothing"] {
        fs::write(path("damaged"), bytes)?;
        let refused = import(&rollup, &path("damaged"), &path("fresh")).await.unwrap_err();
        assert!(matches!(refused, RollupError::Service(ServiceError::Snapshot(_))), "{refused}");
        assert!(!path("fresh").exists() && !path("fresh.part").exists());
    }
    import(&rollup, &path("file"), &path("fresh")).await?;
    let again = import(&rollup, &path("file"), &path("fresh")).await.unwrap_err();
    assert!(matches!(again, RollupError::Service(ServiceError::DataFile { .. })), "{again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_must_be_of_a_final_block() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let before = rollup.provider.get_block_number().await?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let config =
        Config { data_dir: Some(path("sequencer")), ..rollup.config(rollup.sequencer_role()?) };
    let sequencer = RollupNode::start(config).await?;
    deposit_and_spend(&rollup, &sequencer).await?;
    sequencer.stop().await;
    let written = export(&rollup, &path("sequencer"), None, &path("file")).await?;
    let refused = import_if(&rollup, &path("file"), &path("strict"), false).await.unwrap_err();
    assert!(
        matches!(refused, RollupError::Service(ServiceError::SnapshotNotFinal { .. })),
        "{refused}"
    );
    assert!(!path("strict").exists());

    // Imports it nevertheless, and an L1 reorg removes the block.
    import(&rollup, &path("file"), &path("loose")).await?;
    let follower = || {
        let config = rollup.config(Role::Follower { sequencer: None });
        RollupNode::start(Config { data_dir: Some(path("loose")), ..config })
    };
    let node = follower().await?;
    until_synced(&node).await?;
    assert_eq!((node.status().fault, node.status().safe_head.number), (None, written.number));
    let depth = rollup.provider.get_block_number().await? - before;
    rollup.provider.raw_request::<_, ()>("anvil_rollback".into(), (depth,)).await?;
    rollup.provider.anvil_mine(Some(depth + 1), None).await?;
    until_fault(&node, "does not include block").await?;
    let url = format!("http://{}/health", node.server().addresses()[0]);
    assert_eq!(reqwest::get(&url).await?.status(), 503);
    node.stop().await;
    Ok(())
}
