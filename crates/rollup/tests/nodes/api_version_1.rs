//! Format and values of the responses of the node's own methods.

use crate::{
    support::{
        ADVANCE, DevnetRollup, admin_config, admin_of,
        described::{examples, mismatch, other_form, schema_of},
        is_settled, provider_of, signed, signed_with, until, until_synced,
    },
    watching::Bonded,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use alloy_provider::{
    Provider, ProviderBuilder, RootProvider, WsConnect, ext::AnvilApi as _, network::Ethereum,
};
use alloy_sol_types::SolCall as _;
use contracts::{
    L2_MESSENGER,
    bindings::{IL1MessageQueue, IL2Messenger},
};
use enshrine_rollup::{Config, Role as NodeRole, RollupNode};
use eyre::{OptionExt as _, Result};
use rpc_types::{
    Budget, ClaimProof, Direction, ForcedOutcome, ForcedPage, ForcedTransaction, ForkMode,
    MessageInfo, MessagePage, MessageState, PreconfirmationTerms, Role, RollupConfig, Rules,
    SyncStatus, TransactionStatus, Verification,
    methods::{self, METHODS, Method},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use testkit::{ETHER, FORCED_GAS, Key};

/// Requires that an answer has no JSON number: JavaScript would read a large one wrong.
fn require_form(method: &str, value: &Value) {
    match value {
        Value::Number(number) => panic!("{method}: {number} is no QUANTITY"),
        Value::Array(items) => items.iter().for_each(|item| require_form(method, item)),
        Value::Object(fields) => fields.values().for_each(|field| require_form(method, field)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Requests an answer, and requires its form, that of the node's OpenRPC document and of the
/// example, and that its type reads and writes it unchanged.
pub(crate) async fn ask<T: DeserializeOwned + Serialize>(
    node: &RootProvider,
    method: Method<T>,
    parameters: impl Serialize + Clone + core::fmt::Debug + Send + Sync + Unpin + 'static,
) -> Result<T> {
    let name = method.name;
    let response: Value = node.raw_request(name.into(), serde_json::to_value(parameters)?).await?;
    require_form(name, &response);
    let document: Value = node.raw_request("rpc.discover".into(), ()).await?;
    assert_eq!(mismatch(&document, schema_of(&document, name).unwrap(), &response), None, "{name}");
    if let Some(example) = examples().get(name) {
        assert_eq!(other_form(example, &response), None, "{name}");
    }
    let typed: T = serde_json::from_value(response.clone())?;
    assert_eq!(serde_json::to_value(&typed)?, response, "{name}");
    Ok(typed)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_node_and_rollup_are_typed() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let follower = rollup.follower(None).await?;
    let l2 = provider_of(&sequencer)?;
    let config: RollupConfig = ask(&l2, methods::CONFIG, ()).await?;
    assert_eq!(config.api, "1.0");
    assert!(config.client_version.starts_with("enshrine/"), "{}", config.client_version);
    assert_eq!(config.l1_chain_id, rollup.provider.get_chain_id().await?);
    assert_eq!(config.l2_chain_id, l2.get_chain_id().await?);
    assert_eq!(config.contracts.message_queue, rollup.message_queue);
    assert_eq!(config.contracts.forced, rollup.forced);
    let genesis = l2.get_block_by_number(0.into()).await?.unwrap_or_default();
    assert_eq!(config.genesis_hash, genesis.header.hash);
    assert_eq!(config.genesis_state_root, genesis.header.state_root);
    assert_eq!(config.rules.state_roots, 8_191);
    assert_eq!(config.rules.fork_mode, ForkMode::Follow);
    assert_eq!(config.verification, Verification::Native);
    assert!(config.rules.max_lag > 0 && config.rules.relay_deadline > config.rules.max_lag);
    assert!(config.rules.forced.delay > config.rules.max_lag);
    // Of a rollup without a guardian.
    let Rules { forced, max_lag, open_after, exit_time, upgrade_delay, .. } = config.rules;
    assert_eq!(exit_time, forced.delay + forced.grace + max_lag + 2 * open_after + 86_400);
    assert!(exit_time < upgrade_delay && !config.execute.market);
    // A rollup without a policy has no preconfirmations.
    assert_eq!(config.preconfirmations, None);
    // A follower returns the same.
    let theirs: RollupConfig = ask(&provider_of(&follower)?, methods::CONFIG, ()).await?;
    assert_eq!(theirs, config);

    let status: SyncStatus = ask(&l2, methods::SYNC_STATUS, ()).await?;
    assert_eq!((status.role, status.submitter.is_some()), (Role::Sequencer, true));
    until_synced(&follower).await?;
    let status: SyncStatus = ask(&provider_of(&follower)?, methods::SYNC_STATUS, ()).await?;
    assert_eq!((status.role, status.submitter), (Role::Follower, None));
    let budget: Budget = ask(&l2, methods::BUDGET, ()).await?;
    assert_eq!(budget.gas.left, budget.gas.limit - budget.gas.used);
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn config_has_bonds_and_terms_of_policy() -> Result<()> {
    let bonded = Bonded::under_hybrid(&[], ETHER).await?;
    let follower = bonded.rollup.follower(None).await?;
    let config: RollupConfig = ask(&provider_of(&follower)?, methods::CONFIG, ()).await?;
    let terms = PreconfirmationTerms {
        domain: bonded.bonds,
        bonds: Some(bonded.bonds),
        min_bond: U256::from(ETHER),
        post_within: config.rules.max_lag / 2,
        post_delay: Some(300),
        timeout: 6_300,
    };
    assert_eq!(config.preconfirmations, Some(terms));
    follower.stop().await;

    // A policy with neither a bond nor `post`, and a registry that only the node names.
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    for preconf_bonds in [None, Some(Address::repeat_byte(0xb0))] {
        let config = rollup.config(NodeRole::Follower { sequencer: None });
        let follower = RollupNode::start(Config { preconf_bonds, ..config }).await?;
        let config: RollupConfig = ask(&provider_of(&follower)?, methods::CONFIG, ()).await?;
        let domain = preconf_bonds.unwrap_or(config.contracts.rollup);
        let (bonds, min_bond, post_delay) = (None, U256::ZERO, None);
        let expected = PreconfirmationTerms { domain, bonds, min_bond, post_delay, ..terms };
        assert_eq!(config.preconfirmations, Some(expected));
        follower.stop().await;
    }
    Ok(())
}

/// Returns the names of the methods in the document that a port serves.
async fn discovered(node: &RootProvider) -> Result<Vec<String>> {
    let document: Value = node.raw_request("rpc.discover".into(), ()).await?;
    assert_eq!(document["openrpc"], "1.3.2");
    let methods = document["methods"].as_array().into_iter().flatten();
    Ok(methods.filter_map(|method| method["name"].as_str()).map(str::to_owned).collect())
}

#[test]
fn documentation_lists_declared_methods() {
    let document = include_str!("../../../../docs/methods.md");
    let mut listed: Vec<_> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `rollup_"))
        .filter_map(|line| line.split('`').next())
        .map(|name| format!("rollup_{name}"))
        .collect();
    // The rest is listed in prose.
    let (_, port) = document.split_once("\nAt the address of `--admin-addr`").unwrap();
    let (port, _) = port.split_once("\n#").unwrap();
    let words = port.split('`').skip(1).step_by(2).filter_map(|word| word.split('(').next());
    let is_admin = |word: &&str| word.starts_with("rollup_") || word.starts_with("admin_");
    listed.extend(words.filter(is_admin).map(str::to_owned));
    listed.push("enshrine_explainExecute".to_owned());
    let mut declared: Vec<_> = METHODS.iter().map(ToString::to_string).collect();
    listed.sort_unstable();
    declared.sort_unstable();
    assert_eq!(listed, declared);
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_describes_the_served_methods() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let mut config =
        Config { admin: Some(admin_config()?), ..rollup.config(rollup.sequencer_role()?) };
    config.server.ws_api = "eth,enshrine".parse()?;
    let node = RollupNode::start(config).await?;
    let (public, admin) = (provider_of(&node)?, admin_of(&node)?);
    let (mut listed, operator) = (discovered(&public).await?, discovered(&admin).await?);
    assert!(listed.iter().all(|method| !operator.contains(method)));
    assert!(operator.contains(&"rollup_promote".to_owned()));
    listed.extend(operator);
    listed.sort_unstable();
    let mut declared = METHODS.to_vec();
    declared.sort_unstable();
    assert_eq!(listed, declared);

    let url = format!("ws://{}", node.server().addresses()[0]);
    let socket = ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url));
    assert_eq!(discovered(socket.await?.root()).await?, ["enshrine_explainExecute"]);
    ask(&admin, methods::STATUS, ()).await?;
    ask(&admin, methods::STOP_POSTING, ()).await?;
    ask(&admin, methods::STOP_SEALING, ()).await?;
    ask(&admin, methods::START_POSTING, ()).await?;
    ask(&admin, methods::START_SEALING, ()).await?;
    ask(&admin, methods::DEMOTE, ()).await?;
    ask(&admin, methods::PROMOTE, (true,)).await?;
    node.stop().await;
    Ok(())
}

#[test]
fn each_method_has_a_valid_example() {
    let (document, examples) = (rpc_types::document(|_| true), examples());
    for method in METHODS.iter().filter(|method| !method.starts_with("enshrine_")) {
        let example = examples.get(method).unwrap_or_else(|| panic!("no example of {method}"));
        assert_eq!(
            mismatch(&document, schema_of(&document, method).unwrap(), example),
            None,
            "{method}"
        );
        let Some(fields) = example.as_object() else { continue };
        for name in fields.keys() {
            let mut changed = example.clone();
            changed.as_object_mut().unwrap().remove(name);
            assert!(other_form(example, &changed).is_some() || name == "status", "{name}");
            changed[name] = json!(1);
            let is_found = other_form(example, &changed).is_some();
            assert!(is_found || example[name].is_null() || name == "status", "{name}");
        }
    }
    assert!(examples.keys().all(|method| METHODS.contains(method)));
}

#[test]
fn schema_check_finds_each_difference() {
    let document = rpc_types::document(|_| true);
    let schema = schema_of(&document, "rollup_getForcedTransactions").unwrap();
    let mut page = json!({ "transactions": [], "next": "0x1" });
    assert_eq!(mismatch(&document, schema, &page), None);
    page["next"] = Value::Null;
    assert_eq!(mismatch(&document, schema, &page), None);
    for (field, value) in [
        ("next", json!(1)),
        ("next", json!("0x01")),
        ("next", json!("1")),
        ("transactions", json!(null)),
        ("transactions", json!([{}])),
        ("more", json!(true)),
    ] {
        let mut changed = page.clone();
        changed[field] = value;
        assert!(mismatch(&document, schema, &changed).is_some(), "{changed}");
    }
    let fields = json!({ "transactions": [] });
    assert!(mismatch(&document, schema, &fields).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_follows_transaction_to_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    rollup.deposit_on(&sequencer, alice.address(), U256::from(ETHER)).await?;
    let transfer = signed(&l2, &alice, Address::ZERO, 1, Bytes::new(), 21_000).await?;
    let hash = *transfer.hash();
    let unknown: Option<TransactionStatus> = ask(&l2, methods::TRANSACTION_STATUS, (hash,)).await?;
    assert_eq!(unknown, None);
    let raw = Bytes::from(transfer.encoded_2718());
    assert_eq!(ask(&l2, methods::SUBMIT, (raw,)).await?, hash);
    until("the transfer on L1", &sequencer, || async {
        let status: Option<TransactionStatus> =
            ask(&l2, methods::TRANSACTION_STATUS, (hash,)).await?;
        Ok(matches!(status, Some(TransactionStatus::Posted { l1: Some(_), .. })))
    })
    .await?;
    let inputs = ask(&l2, methods::INPUTS_AFTER, ("0x0",)).await?;
    let signed = ask(&l2, methods::SIGNED_INPUTS_AFTER, ("0x0",)).await?;
    assert!(!inputs.is_empty() && signed.into_iter().map(|block| block.input).eq(inputs));
    assert!(ask(&l2, methods::BLOCK_COST, ("0x1",)).await?.is_some());
    assert_eq!(ask(&l2, methods::BLOCK_COST, ("0xffff",)).await?, None);
    sequencer.stop().await;
    Ok(())
}

/// Returns a message, which must exist.
pub(crate) async fn message(
    l2: &RootProvider,
    direction: Direction,
    index: u64,
) -> Result<MessageInfo> {
    let found: Option<MessageInfo> =
        ask(l2, methods::GET_MESSAGE, (direction, format!("{index:#x}"))).await?;
    found.ok_or_eyre("no such message")
}

/// Requires that a request is refused with these parameters, and returns the data of the refusal.
async fn refused(l2: &RootProvider, method: &'static str, parameters: Value) -> Value {
    let error = l2.raw_request::<_, Value>(method.into(), parameters).await.unwrap_err();
    let error = error.as_error_resp().cloned().unwrap();
    error.data.map_or(Value::Null, |data| serde_json::from_str(data.get()).unwrap())
}

/// Sends a message with 7 wei to L1.
pub(crate) async fn withdraw(
    l2: &RootProvider,
    from: &Key,
    nonce: u64,
    to: Address,
    data: &[u8],
) -> Result<()> {
    let gas_limit = if data.is_empty() { 0 } else { 100_000 };
    let data = Bytes::copy_from_slice(data);
    let send = IL2Messenger::sendCall { to, refundTo: to, gasLimit: gas_limit, fee: 0, data };
    let input = send.abi_encode().into();
    let transaction = signed_with(from, nonce, L2_MESSENGER, 7, input, 300_000);
    let _ = l2.send_raw_transaction(&transaction.encoded_2718()).await?;
    Ok(())
}

/// A deposit and a message that fails, and two withdrawals, one of which is claimed.
#[tokio::test(flavor = "multi_thread")]
async fn messages_have_their_states_through_restart_and_reorg() -> Result<()> {
    use Direction::{L1ToL2, L2ToL1};
    // MSTORE(0, 42), REVERT(0, 32).
    let refuses = Address::repeat_byte(0xbd);
    let code = Bytes::from_static(&[0x60, 0x2a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xfd]);
    let account = GenesisAccount { code: Some(code), ..Default::default() };
    let rollup = DevnetRollup::with(vec![(refuses, account)]).await?;
    let folder = tempfile::tempdir()?;
    let config = || -> Result<Config> {
        let role = rollup.sequencer_role()?;
        Ok(Config { data_dir: Some(folder.path().to_owned()), ..rollup.config(role) })
    };
    let sequencer = RollupNode::start(config()?).await?;
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let l2 = provider_of(&sequencer)?;
    let deposit = rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    let fails = IL1MessageQueue::sendCall {
        to: refuses,
        refundTo: bob,
        gasLimit: 50_000,
        fee: 0,
        data: Bytes::from_static(b"data"),
    };
    rollup.l1_call(rollup.message_queue, U256::from(5), fails.abi_encode()).await?;
    until("the messages", &sequencer, || async {
        let second = message(&l2, L1ToL2, 1).await;
        Ok(second.is_ok_and(|message| message.state == MessageState::Failed))
    })
    .await?;
    let first = message(&l2, L1ToL2, 0).await?;
    assert_eq!((first.state, first.message.to), (MessageState::Relayed, alice.address()));
    assert_eq!((first.sent.transaction, Some(first.sent.block)), {
        (deposit.transaction_hash, deposit.block_number)
    });
    let rules = ask(&l2, methods::CONFIG, ()).await?.rules;
    assert_eq!(first.deadline, Some(first.sent.timestamp + rules.relay_deadline));
    let delivered = first.delivered.ok_or_eyre("it is delivered")?;
    let receipt = l2.get_transaction_receipt(delivered.transaction).await?;
    assert_eq!(receipt.and_then(|receipt| receipt.block_number), Some(delivered.block));
    let failed = message(&l2, L1ToL2, 1).await?;
    let reason = failed.failure.clone().ok_or_eyre("it has failed")?.reason;
    assert_eq!(U256::from_be_slice(&reason), U256::from(42));
    assert_eq!(failed.message.data_hash, keccak256(b"data"));
    assert_eq!(failed.message.refund_to, Some(bob));

    // Withdrawals: a payment, and a call of a target that does not exist.
    withdraw(&l2, &alice, 0, bob, &[]).await?;
    withdraw(&l2, &alice, 1, refuses, b"call").await?;
    until("the withdrawals", &sequencer, || async {
        let state = message(&l2, L2ToL1, 1).await.map(|message| message.state);
        Ok(state.is_ok_and(|state| state == MessageState::Claimable) && is_settled(&sequencer))
    })
    .await?;
    let sent = message(&l2, L2ToL1, 0).await?;
    assert_eq!((sent.state, sent.claim), (MessageState::Claimable, None));
    assert_eq!(sent.message.sender, alice.address());
    assert_eq!(message(&l2, L2ToL1, 1).await?.message.data, Some(Bytes::from_static(b"call")));
    let claim: ClaimProof = ask(&l2, methods::CLAIM_PROOF, ("0x0",)).await?;
    assert_eq!((claim.to, claim.message.clone()), (rollup.message_queue, sent.message));
    assert_eq!(claim.valid_until_block, claim.l2_block + 8_190);
    let proven = l2.get_block_by_number(claim.l2_block.into()).await?.unwrap_or_default();
    assert_eq!(proven.header.state_root, claim.state_root);
    rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
    let is_claimed = async |node: &RollupNode| -> Result<bool> {
        // A node that has just started does not have the message.
        let found = message(&provider_of(node)?, L2ToL1, 0).await;
        Ok(found
            .is_ok_and(|message| message.state == MessageState::Claimed && message.claim.is_some()))
    };
    until("the claim", &sequencer, || is_claimed(&sequencer)).await?;

    // Lists: newest first, by account, with a cursor.
    let listed = async |direction: Direction, filter: Value| -> Result<(Vec<u64>, Option<u64>)> {
        let page: MessagePage = ask(&l2, methods::GET_MESSAGES, (direction, filter)).await?;
        Ok((page.messages.iter().map(|message| message.index).collect(), page.next))
    };
    assert_eq!(listed(L1ToL2, json!({})).await?, (vec![1, 0], None));
    assert_eq!(listed(L1ToL2, json!({ "limit": "0x1" })).await?, (vec![1], Some(1)));
    let rest = json!({ "limit": "0x1", "before": "0x1" });
    assert_eq!(listed(L1ToL2, rest).await?, (vec![0], None));
    assert_eq!(listed(L1ToL2, json!({ "account": bob })).await?, (vec![1], None));
    assert_eq!(listed(L2ToL1, json!({ "account": bob })).await?, (vec![0], None));
    assert_eq!(listed(L2ToL1, json!({ "account": alice.address() })).await?, (vec![1, 0], None));
    let beyond = json!({ "before": "0xffffffffffffffff", "limit": "0x64" });
    assert_eq!(listed(L2ToL1, beyond).await?, (vec![1, 0], None));

    // Other requests have no such message, or are refused with evidence.
    for direction in [L1ToL2, L2ToL1] {
        for index in ["0x2", "0xffffffffffffffff"] {
            let found: Option<MessageInfo> =
                ask(&l2, methods::GET_MESSAGE, (direction, index)).await?;
            assert_eq!(found, None);
        }
    }
    let data = refused(&l2, "rollup_getMessage", json!(["l1Tol2", "0x0"])).await;
    assert_eq!(data["got"], "l1Tol2");
    for limit in ["0x0", "0x65"] {
        let data = refused(&l2, "rollup_getMessages", json!(["l1ToL2", { "limit": limit }])).await;
        assert_eq!((&data["got"], &data["expected"]), (&json!(limit), &json!("0x64")));
    }
    let data = refused(&l2, "rollup_claimProof", json!(["0x2"])).await;
    assert_eq!((&data["got"], &data["expected"]), (&json!("0x2"), &json!("0x2")));
    assert_eq!(
        refused(&l2, "rollup_getMessage", json!(["l1ToL2", "0x10000000000000000"])).await,
        Value::Null
    );

    // A follower that reads L1 returns the same, and so does the node after a restart.
    let all = async |node: &RollupNode| -> Result<Vec<MessageInfo>> {
        let l2 = provider_of(node)?;
        let mut all = Vec::new();
        for direction in [L1ToL2, L2ToL1] {
            let page: MessagePage = ask(&l2, methods::GET_MESSAGES, (direction, json!({}))).await?;
            all.extend(page.messages);
        }
        Ok(all)
    };
    // Of an open message a node also has the data.
    let bare = |mut all: Vec<MessageInfo>| {
        for message in &mut all {
            message.finalized = false;
            if message.direction == L1ToL2 {
                message.message.data = None;
            }
        }
        all
    };
    let before = bare(all(&sequencer).await?);
    let follower = rollup.follower(None).await?;
    until("the follower", &follower, || is_claimed(&follower)).await?;
    assert_eq!(bare(all(&follower).await?), before);
    follower.stop().await;
    sequencer.stop().await;
    let sequencer = RollupNode::start(config()?).await?;
    until("the restart", &sequencer, || is_claimed(&sequencer)).await?;
    assert_eq!(bare(all(&sequencer).await?), before);

    // A reorg of L1 removes the claim.
    let depth = rollup.provider.get_block_number().await?
        - before[3].claim.map_or(0, |claim| claim.l1_block)
        + 1;
    rollup.reorg(depth).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let l2 = provider_of(&sequencer)?;
    until("the reorg", &sequencer, || async {
        let found = message(&l2, L2ToL1, 0).await;
        Ok(found.is_ok_and(|message| {
            message.state == MessageState::Claimable && message.claim.is_none()
        }))
    })
    .await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_transactions_have_deadlines_and_outcomes() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    rollup.deposit_on(&sequencer, alice.address(), U256::from(ETHER)).await?;
    let transfer =
        signed(&l2, &alice, Address::repeat_byte(1), 1, Bytes::new(), FORCED_GAS).await?;
    // Before it in the queue is one that no block can include, and that L1 does not discharge until
    // it is due.
    let bob = Key::named("bob");
    let early = signed_with(&bob, 1, Address::repeat_byte(1), 1, Bytes::new(), FORCED_GAS);
    for transaction in [&early, &transfer] {
        rollup.force(transaction.encoded_2718()).await?;
    }
    let forced_at = async |index: &'static str| -> Result<Option<ForcedTransaction>> {
        ask(&l2, methods::GET_FORCED, (index,)).await
    };
    let forced = async || forced_at("0x1").await;
    until("the forced transaction", &sequencer, || async {
        Ok(forced().await?.is_some_and(|forced| forced.outcome == ForcedOutcome::Included))
    })
    .await?;
    let found = forced().await?.ok_or_eyre("it was submitted")?;
    assert_eq!((found.hash, found.sender), (*transfer.hash(), alice.address()));
    assert!(found.l2_block.is_some() && found.l1_transaction.is_some());
    let first = forced_at("0x0").await?.ok_or_eyre("it was submitted")?;
    assert_eq!(
        (first.outcome, first.l2_block, first.hash),
        (ForcedOutcome::Waiting, None, *early.hash())
    );
    let rules = ask(&l2, methods::CONFIG, ()).await?.rules.forced;
    assert_eq!(found.due, found.submitted_at + rules.delay);
    assert_eq!(found.grace_until, found.due + rules.grace);
    assert_eq!(found.expires, found.grace_until + rules.expiry);
    for (filter, count) in [
        (json!({}), 2),
        (json!({ "sender": alice.address() }), 1),
        (json!({ "sender": Address::ZERO }), 0),
        (json!({ "before": "0x0" }), 0),
    ] {
        let page: ForcedPage = ask(&l2, methods::GET_FORCED_TRANSACTIONS, (filter,)).await?;
        assert_eq!((page.transactions.len(), page.next), (count, None));
    }
    let none: Option<ForcedTransaction> =
        ask(&l2, methods::GET_FORCED, ("0xffffffffffffffff",)).await?;
    assert_eq!(none, None);
    let data = refused(&l2, "rollup_getForcedTransactions", json!([{ "limit": "0x65" }])).await;
    assert_eq!(data["got"], "0x65");
    sequencer.stop().await;
    Ok(())
}
