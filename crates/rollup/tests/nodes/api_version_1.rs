//! Answers of the node's own methods: their form, and what they say.

use crate::support::{World, provider_of, signed, until};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, RootProvider};
use eyre::Result;
use rpc_types::{
    Budget, ForkMode, Role, RollupConfig, SyncStatus, TransactionStatus, Verification,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use testkit::{ETHER, Key};

/// Requires that an answer has no JSON number: JavaScript would read a large one wrong.
fn require_form(method: &str, value: &Value) {
    match value {
        Value::Number(number) => panic!("{method}: {number} is no QUANTITY"),
        Value::Array(items) => items.iter().for_each(|item| require_form(method, item)),
        Value::Object(fields) => fields.values().for_each(|field| require_form(method, field)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Requests an answer, and requires its form, and that its type reads and writes it unchanged.
async fn ask<T: DeserializeOwned + Serialize>(
    l2: &RootProvider,
    method: &'static str,
    parameters: impl Serialize + Clone + core::fmt::Debug + Send + Sync + Unpin + 'static,
) -> Result<T> {
    let answer: Value = l2.raw_request(method.into(), serde_json::to_value(parameters)?).await?;
    require_form(method, &answer);
    let typed: T = serde_json::from_value(answer.clone())?;
    assert_eq!(serde_json::to_value(&typed)?, answer, "{method}");
    Ok(typed)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_node_and_rollup_are_typed() -> Result<()> {
    let world = World::new().await?;
    let sequencer = world.sequencer().await?;
    let follower = world.follower(None).await?;
    let l2 = provider_of(&sequencer)?;
    let config: RollupConfig = ask(&l2, "rollup_config", ()).await?;
    assert_eq!(config.api, "1.0");
    assert!(config.client_version.starts_with("enshrine/"), "{}", config.client_version);
    assert_eq!(config.l1_chain_id, world.provider.get_chain_id().await?);
    assert_eq!(config.l2_chain_id, l2.get_chain_id().await?);
    assert_eq!(config.contracts.message_queue, world.message_queue);
    assert_eq!(config.contracts.forced, world.forced);
    let genesis = l2.get_block_by_number(0.into()).await?.unwrap_or_default();
    assert_eq!(config.genesis_hash, genesis.header.hash);
    assert_eq!(config.genesis_state_root, genesis.header.state_root);
    assert_eq!(config.rules.state_roots, 8_191);
    assert_eq!(config.rules.fork_mode, ForkMode::Follow);
    assert_eq!(config.verification, Verification::Native);
    assert!(config.rules.max_lag > 0 && config.rules.relay_deadline > config.rules.max_lag);
    assert!(config.rules.forced.delay > config.rules.max_lag);
    // A follower says the same.
    let theirs: RollupConfig = ask(&provider_of(&follower)?, "rollup_config", ()).await?;
    assert_eq!(theirs, config);

    let status: SyncStatus = ask(&l2, "rollup_syncStatus", ()).await?;
    assert_eq!((status.role, status.submitter.is_some()), (Role::Sequencer, true));
    let status: SyncStatus = ask(&provider_of(&follower)?, "rollup_syncStatus", ()).await?;
    assert_eq!((status.role, status.submitter), (Role::Follower, None));
    let budget: Budget = ask(&l2, "rollup_budget", ()).await?;
    assert_eq!(budget.gas.left, budget.gas.limit - budget.gas.used);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn status_follows_transaction_to_l1() -> Result<()> {
    let world = World::new().await?;
    let sequencer = world.sequencer().await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    world.deposit(alice.address(), U256::from(ETHER)).await?;
    until("the deposit", &sequencer, || async {
        Ok(l2.get_balance(alice.address()).await? == U256::from(ETHER))
    })
    .await?;
    let transfer = signed(&l2, &alice, Address::ZERO, 1, Bytes::new(), 21_000).await?;
    let hash = *transfer.hash();
    let unknown: Option<TransactionStatus> = ask(&l2, "rollup_transactionStatus", (hash,)).await?;
    assert_eq!(unknown, None);
    let _ = l2.send_raw_transaction(&transfer.encoded_2718()).await?;
    until("the transfer on L1", &sequencer, || async {
        let status: Option<TransactionStatus> =
            ask(&l2, "rollup_transactionStatus", (hash,)).await?;
        Ok(matches!(status, Some(TransactionStatus::Posted { l1: Some(_), .. })))
    })
    .await?;
    sequencer.stop().await;
    Ok(())
}
