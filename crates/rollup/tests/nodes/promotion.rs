//! Reasons to reject a follower's promotion, and its success once none of them applies.

use crate::support::{
    DevnetRollup, admin_config, admin_of, is_settled, provider_of, refusal, signed, submit, until,
    until_status, until_synced,
};
use alloy_primitives::{Address, Bytes, U64, U256};
use alloy_provider::{Provider, RootProvider, ext::AnvilApi};
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{Result, bail, ensure};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use testkit::{ETHER, Key, Proxy};

const DOCUMENT: &str = include_str!("../../../../docs/rollup-node-reference.md");

/// A follower that can be promoted, the proxy in front of its L1, and its admin API.
struct Standby {
    node: RollupNode,
    l1: Proxy,
    admin: RootProvider,
}

impl Standby {
    async fn start(rollup: &DevnetRollup, change: impl FnOnce(&mut Config)) -> Result<Self> {
        let (l1, mut config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
        config.standby = Some(Box::new(rollup.sequencer_config()?));
        config.admin = Some(admin_config()?);
        change(&mut config);
        let node = RollupNode::start(config).await?;
        let admin = admin_of(&node)?;
        let standby = Self { node, l1, admin };
        until_synced(&standby.node).await?;
        Ok(standby)
    }

    async fn ask(&self, method: &'static str, parameters: Value) -> Result<Value> {
        Ok(self.admin.raw_request(method.into(), parameters).await?)
    }

    /// Asserts that the node rejects a call with this documented code and this error data.
    async fn refuses(&self, method: &'static str, code: i64, evidence: Value) -> Result<()> {
        let refused = self.admin.raw_request::<_, Value>(method.into(), json!([])).await;
        let Err(error) = refused else { bail!("{method} is not refused") };
        let response = error.as_error_resp().cloned().unwrap();
        ensure!(response.code == code, "{response:?}");
        let data: Value =
            response.data.map_or(Ok(Value::Null), |data| serde_json::from_str(data.get()))?;
        for (key, expected) in evidence.as_object().into_iter().flatten() {
            ensure!(data[key] == *expected, "{key} of {data}, expected {expected}");
        }
        ensure!(DOCUMENT.contains(&format!("| `{code}` |")), "{code} is not in the document");
        Ok(())
    }

    async fn promote(&self) -> Result<()> {
        let head = self.ask("rollup_promote", json!([])).await?;
        let expected = self.node.status().unsafe_head;
        let (number, hash) = (U64::from(expected.number), expected.hash);
        ensure!(head == json!({ "number": number, "hash": hash }), "{head}");
        until_status("the role", &self.node, |status| status.role == rpc_types::Role::Sequencer)
            .await
    }

    async fn demote(&self) -> Result<()> {
        self.ask("rollup_demote", json!([])).await?;
        until_status("the role", &self.node, |status| status.role == rpc_types::Role::Follower)
            .await
    }
}

fn is_follower(standby: &Standby) {
    assert_eq!(standby.node.status().role, rpc_types::Role::Follower);
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_needs_keys_and_another_role() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    standby.refuses("rollup_demote", -32_021, json!({ "got": "follower" })).await?;
    standby.promote().await?;
    standby.refuses("rollup_promote", -32_021, json!({ "got": "sequencer" })).await?;
    standby.demote().await?;
    let keyless = Standby::start(&rollup, |config| config.standby = None).await?;
    keyless.refuses("rollup_promote", -32_022, json!({})).await?;
    is_follower(&keyless);
    keyless.node.stop().await;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_waits_for_l1_sync() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    // The node reads new headers, but not their receipts.
    standby
        .l1
        .set(|request, response| (!request.contains("eth_getBlockReceipts")).then_some(response));
    rollup.provider.anvil_mine(Some(3), None).await?;
    rollup.deposit(Address::repeat_byte(1), U256::ONE).await?;
    until_status("a fault", &standby.node, |status| status.fault.is_some()).await?;
    let head = rollup.provider.get_block_number().await?;
    standby
        .refuses("rollup_promote", -32_023, json!({ "expected": head, "got": head - 1 }))
        .await?;
    is_follower(&standby);
    standby.l1.honest();
    until_status("no fault", &standby.node, |status| status.fault.is_none()).await?;
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_is_rejected_while_sequencer_lives() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let url = format!("ws://{}", sequencer.server().addresses()[0]);
    let standby = Standby::start(&rollup, |config| {
        config.role = Role::Follower { sequencer: Some(url.clone()) };
    })
    .await?;
    let head = sequencer.status().unsafe_head.number;
    standby.refuses("rollup_promote", -32_024, json!({ "url": url, "head": head })).await?;
    is_follower(&standby);
    sequencer.stop().await;
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_l1_transactions_need_forced_promotion() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    let account = rollup.l1.addresses()[1];
    rollup.provider.anvil_set_auto_mine(false).await?;
    let waits = alloy_rpc_types_eth::TransactionRequest::default().from(account).to(account);
    let _pending = rollup.provider.send_transaction(waits).await?;
    standby.refuses("rollup_promote", -32_025, json!({ "got": 0, "expected": 1 })).await?;
    is_follower(&standby);
    standby.ask("rollup_promote", json!([true])).await?;
    until_status("the role", &standby.node, |status| status.role == rpc_types::Role::Sequencer)
        .await?;
    standby.demote().await?;
    standby.refuses("rollup_promote", -32_025, json!({ "got": 0, "expected": 1 })).await?;
    // Once a block includes the transaction, no force is needed.
    rollup.provider.anvil_set_auto_mine(true).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_needs_ether_on_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    let account = rollup.l1.addresses()[1];
    rollup.provider.anvil_set_balance(account, U256::ZERO).await?;
    let evidence = json!({ "account": account, "got": "0x0", "expected": "0x1" });
    standby.refuses("rollup_promote", -32_026, evidence).await?;
    is_follower(&standby);
    rollup.provider.anvil_set_balance(account, U256::from(ETHER)).await?;
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_needs_admission_by_sequencing_policy() -> Result<()> {
    let another = Address::repeat_byte(7);
    let rollup = DevnetRollup::with_sequencer(another).await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    let account = rollup.l1.addresses()[1];
    standby.refuses("rollup_promote", -32_027, json!({ "account": account })).await?;
    is_follower(&standby);
    // Other clients word the revert of the policy differently.
    for message in ["Execution reverted", "VM execution error."] {
        standby.l1.set(move |_, response| {
            let response = response.replace(r#""code":3,"#, r#""code":-32015,"#);
            Some(response.replace("execution reverted", message))
        });
        standby.refuses("rollup_promote", -32_027, json!({ "account": account })).await?;
    }
    // An error that does not depend on the call is not a rejection by the policy.
    standby.l1.set(|_, response| match response.contains("execution reverted") {
        true => Some(refusal(&response, "too many requests")),
        false => Some(response),
    });
    standby.refuses("rollup_promote", -32_028, json!({})).await?;
    is_follower(&standby);
    standby.node.stop().await;

    let rollup = DevnetRollup::with_sequencer(account).await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_needs_answer_about_l1_account() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let standby = Standby::start(&rollup, |_| {}).await?;
    let is_gone = Arc::new(AtomicBool::new(true));
    let is_refused = Arc::clone(&is_gone);
    standby.l1.set(move |request, response| {
        let refused = is_refused.load(Ordering::Relaxed) && request.contains("eth_getBalance");
        (!refused).then_some(response)
    });
    standby.refuses("rollup_promote", -32_028, json!({})).await?;
    is_follower(&standby);
    is_gone.store(false, Ordering::Relaxed);
    standby.promote().await?;
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promoted_follower_restores_transactions_lost_to_reorg() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let l2 = provider_of(&sequencer)?;
    rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    until("the deposit", &sequencer, || async {
        Ok(!l2.get_balance(alice.address()).await?.is_zero() && is_settled(&sequencer))
    })
    .await?;
    let stays = rollup.provider.get_block_number().await?;
    let folder = tempfile::tempdir()?;
    let standby =
        Standby::start(&rollup, |config| config.data_dir = Some(folder.path().into())).await?;
    let transfer = signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?;
    submit(&l2, &transfer).await?;
    // In the same block, the operator relays a deposit.
    let carol = Key::named("carol").address();
    rollup.deposit(carol, U256::from(ETHER)).await?;
    until("the transfer", &sequencer, || async {
        let [bob, carol] = [l2.get_balance(bob).await?, l2.get_balance(carol).await?];
        Ok(!bob.is_zero() && !carol.is_zero() && is_settled(&sequencer))
    })
    .await?;
    let l2 = provider_of(&standby.node)?;
    let has_it = || async { eyre::Ok(!l2.get_balance(bob).await?.is_zero()) };
    until("the follower", &standby.node, || async {
        Ok(standby.node.status().safe_head == sequencer.status().safe_head && has_it().await?)
    })
    .await?;
    sequencer.stop().await;

    // An L1 reorg removes everything after the first deposit, and no node posts it again.
    let depth = rollup.provider.get_block_number().await? - stays;
    rollup.reorg(depth).await?;
    until("the removal of the transfer", &standby.node, || async { Ok(!has_it().await?) }).await?;
    // The removed transactions survive a restart.
    standby.node.stop().await;
    let standby =
        Standby::start(&rollup, |config| config.data_dir = Some(folder.path().into())).await?;
    let l2 = provider_of(&standby.node)?;
    let has_it = || async { eyre::Ok(!l2.get_balance(bob).await?.is_zero()) };
    ensure!(!has_it().await?, "the transfer is back too early");
    standby.promote().await?;
    until("the transfer again", &standby.node, has_it).await?;
    let again = l2.get_transaction_receipt(*transfer.tx_hash()).await?.unwrap();
    assert!(again.status());
    // The operator's relay of a reorged deposit is not restored.
    let block = l2.get_block_by_number(again.block_number.unwrap().into()).await?.unwrap();
    assert_eq!(block.transactions.len(), 1);
    assert!(l2.get_balance(carol).await?.is_zero());
    standby.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn promoted_follower_restores_transactions_displaced_by_rival() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let alice = Key::named("alice");
    let (bob, carol) = (Key::named("bob").address(), Key::named("carol").address());
    // The first sequencer's later blocks do not reach L1.
    let (l1, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let first = RollupNode::start(config).await?;
    let l2 = provider_of(&first)?;
    rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    until("the deposit", &first, || async {
        Ok(!l2.get_balance(alice.address()).await?.is_zero() && is_settled(&first))
    })
    .await?;
    let feed = format!("ws://{}", first.server().addresses()[0]);
    let standby = Standby::start(&rollup, |config| {
        config.role = Role::Follower { sequencer: Some(feed) };
    })
    .await?;
    l1.intercept(|request| {
        request.contains("eth_sendRawTransaction").then(|| refusal(request, "not now"))
    });
    let transfer = signed(&l2, &alice, bob, 1, Bytes::new(), 21_000).await?;
    submit(&l2, &transfer).await?;
    let l2 = provider_of(&standby.node)?;
    let has_it = || async { eyre::Ok(!l2.get_balance(bob).await?.is_zero()) };
    until("the transfer", &standby.node, has_it).await?;
    first.stop().await;
    ensure!(
        standby.node.status().safe_head != standby.node.status().unsafe_head,
        "the transfer is on L1"
    );

    // Another sequencer's block at the same height is included on L1.
    let second = rollup.sequencer().await?;
    rollup.deposit(carol, U256::from(ETHER)).await?;
    until("the removal of the transfer", &standby.node, || async { Ok(!has_it().await?) }).await?;
    until("the other block", &standby.node, || async {
        Ok(!l2.get_balance(carol).await?.is_zero())
    })
    .await?;
    second.stop().await;
    until_synced(&standby.node).await?;
    ensure!(!has_it().await?, "the transfer is back too early");
    standby.promote().await?;
    until("the transfer again", &standby.node, has_it).await?;
    standby.node.stop().await;
    Ok(())
}
