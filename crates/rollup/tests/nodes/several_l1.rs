//! Several L1 nodes, one of which hangs or returns forged data.

use crate::support::{
    self, ADVANCE, DevnetRollup, is_settled, provider_of, submit, until, until_posted_balance,
    until_status,
};
use alloy_consensus::constants::{EMPTY_RECEIPTS, EMPTY_TRANSACTIONS};
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::Header;
use alloy_sol_types::SolCall;
use contracts::bindings::{
    INativeRollup::{advanceCall, dutiesCall},
    ISequencing::authorizeCall,
};
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt as _, Result};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::{ETHER, Interception, Key, Proxy, id_of};
use variants::market::MARKET_ADDRESS;

/// Seconds of a year.
const YEAR: u64 = 365 * 86_400;

/// Change of a response by a hostile node; gets the request and the honest response.
type Answer = fn(&str, String) -> Option<String>;

/// Well-formed responses that no header contradicts.
const LIES: [(&str, Answer); 6] = [
    ("rejection by the policy", |request, response| {
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":3,"message":"execution reverted","data":"0x"}}}}"#,
            id_of(request)
        );
        Some(if calls::<authorizeCall>(request) { error } else { response })
    }),
    ("another fee recipient", |request, response| {
        let recipient = Address::repeat_byte(0xfe).into_word();
        Some(if calls::<authorizeCall>(request) { result(request, &[recipient]) } else { response })
    }),
    ("duties that are not due", |request, response| {
        let words = [B256::from(U256::from(u64::MAX / 2)); 5];
        Some(if calls::<dutiesCall>(request) { result(request, &words) } else { response })
    }),
    ("the highest price of EXECUTE", |request, response| {
        let asks = request.to_lowercase().contains(&hex::encode(MARKET_ADDRESS));
        let words = [B256::from(U256::from(u64::MAX)); 3];
        Some(if asks { result(request, &words) } else { response })
    }),
    ("pending block of another type", |request, response| {
        let asks = request.contains("\"pending\"") && request.contains("eth_getBlockByNumber");
        Some(if asks { crate::support::json_response(request, "0x1") } else { response })
    }),
    ("time a year ahead", |request, response| {
        let asks = request.contains("\"pending\"") && request.contains("eth_getBlockByNumber");
        Some(if asks { a_year_ahead(&response) } else { response })
    }),
];

/// Responses about the account and the transactions of the submitter.
const LIES_ABOUT_POSTING: [(&str, &str, &str); 9] = [
    ("a transaction that is withheld", "eth_sendRawTransaction", r#""result":"HASH""#),
    ("a rejected transaction", "eth_sendRawTransaction", ERROR),
    ("a nonce ahead", "eth_getTransactionCount", r#""result":"0xffff""#),
    ("an old nonce", "eth_getTransactionCount", r#""result":"0x0""#),
    ("an empty account", "eth_getBalance", r#""result":"0x0""#),
    ("a low estimate", "eth_estimateGas", r#""result":"0x5208""#),
    ("a high estimate", "eth_estimateGas", r#""result":"0xffffffffffff""#),
    ("a failing estimate", "eth_estimateGas", EXECUTION_FAILURE),
    ("a failing call", "eth_call", EXECUTION_FAILURE),
];
/// Error response of a pool.
const ERROR: &str =
    r#""error":{"code":-32000,"message":"insufficient funds for gas * price + value"}"#;
/// Error response to an `advance` whose block is invalid (`ExecuteFailed`).
const EXECUTION_FAILURE: &str =
    r#""error":{"code":3,"message":"execution reverted","data":"SELECTOR"}"#;

/// Returns `true` if a request is a call of this function.
fn calls<C: SolCall>(request: &str) -> bool {
    request.contains("eth_call") && request.contains(&hex::encode(C::SELECTOR))
}

/// Returns a response to a call with these words.
fn result(request: &str, words: &[B256]) -> String {
    crate::support::json_response(request, hex::encode_prefixed(words.concat()))
}

/// Adds a year to the timestamp of a block in a response.
fn a_year_ahead(response: &str) -> String {
    let read: Value = serde_json::from_str(response).unwrap_or_default();
    let time = read["result"]["timestamp"].as_str().and_then(|time| time.strip_prefix("0x"));
    let time = time.and_then(|time| u64::from_str_radix(time, 16).ok()).unwrap_or_default();
    forged(response, "timestamp", &json!(format!("{:#x}", time + YEAR)))
}

/// Starts `count` proxies in front of the L1; also returns the configuration of a node that uses
/// all of them.
pub(crate) fn behind(
    rollup: &DevnetRollup,
    count: usize,
    role: Role,
) -> Result<(Vec<Proxy>, Config)> {
    let server = rollup.l1.server().ok_or_eyre("the devnet serves HTTP")?;
    let start = || Proxy::start(server.addresses()[0]);
    let proxies = (0..count).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let config = Config { l1: proxies.iter().map(Proxy::url).collect(), ..rollup.config(role) };
    Ok((proxies, config))
}

/// Starts a sequencer behind [`behind`] proxies.
async fn sequencer_behind(rollup: &DevnetRollup, count: usize) -> Result<(Vec<Proxy>, RollupNode)> {
    let (proxies, config) = behind(rollup, count, rollup.sequencer_role()?)?;
    Ok((proxies, RollupNode::start(config).await?))
}

/// Hashes of headers that a proxy has forged.
type MadeUp = Arc<Mutex<Vec<B256>>>;

/// Has the proxy append a forged empty block to L1's head.
fn makes_up_blocks(proxy: &Proxy) -> MadeUp {
    let made_up = MadeUp::default();
    let hashes = Arc::clone(&made_up);
    proxy.set(move |request, response| {
        let asks = request.contains("eth_getBlockByNumber") && request.contains("\"latest\"");
        if !asks {
            return Some(response);
        }
        let mut response: Value = serde_json::from_str(&response).unwrap();
        let head: Header = serde_json::from_value(response["result"].clone()).unwrap();
        let mut header = head.inner;
        (header.parent_hash, header.number) = (head.hash, header.number + 1);
        (header.timestamp, header.gas_used) = (header.timestamp + 1, 0);
        (header.transactions_root, header.receipts_root) = (EMPTY_TRANSACTIONS, EMPTY_RECEIPTS);
        header.logs_bloom = Default::default();
        let header = Header::new(header);
        hashes.lock().unwrap().push(header.hash);
        response["result"] = serde_json::to_value(&header).unwrap();
        response["result"]["transactions"] = json!([]);
        response["result"]["uncles"] = json!([]);
        Some(response.to_string())
    });
    made_up
}

fn believes(node: &RollupNode, made_up: &MadeUp) -> bool {
    let head = node.status().l1_head.map(|head| head.hash);
    head.is_some_and(|head| made_up.lock().unwrap().contains(&head))
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_l1_node_is_replaced_by_next() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxies, sequencer) = sequencer_behind(&rollup, 2).await?;
    let (alice, l2) = (Address::repeat_byte(0xa1), provider_of(&sequencer)?);
    let health = format!("http://{}/health", sequencer.server().addresses()[0]);
    for (count, ways) in [
        [None, None],
        [Some(Interception::Silence), None],
        [None, Some(Interception::Break)],
        [Some(Interception::Refused(503)), None],
    ]
    .into_iter()
    .enumerate()
    {
        for (proxy, way) in proxies.iter().zip(ways) {
            proxy.intercept(move |_| way.clone());
        }
        rollup.deposit(alice, U256::from(ETHER)).await?;
        let expected = U256::from((count + 1) as u128 * ETHER);
        until("the deposit", &sequencer, || async {
            Ok(l2.get_balance(alice).await? == expected
                && is_settled(&sequencer)
                && reqwest::get(&health).await?.status() == 200)
        })
        .await?;
    }
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn block_invented_by_one_l1_node_is_ignored() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxies, config) = behind(&rollup, 3, rollup.sequencer_role()?)?;
    let made_up = makes_up_blocks(&proxies[0]);
    // Control: a node without other L1 nodes accepts the block, since its header is consistent.
    let alone =
        Config { l1: vec![proxies[0].url()], ..rollup.config(Role::Follower { sequencer: None }) };
    let alone = RollupNode::start(alone).await?;
    until("the made-up block", &alone, || async { Ok(believes(&alone, &made_up)) }).await?;
    alone.stop().await;

    let sequencer = RollupNode::start(config).await?;
    let (alice, l2) = (Address::repeat_byte(0xa1), provider_of(&sequencer)?);
    for count in 1..=3 {
        rollup.deposit(alice, U256::from(ETHER)).await?;
        until("the deposit", &sequencer, || async {
            assert!(!believes(&sequencer, &made_up));
            let expected = U256::from(count * ETHER);
            Ok(l2.get_balance(alice).await? == expected && is_settled(&sequencer))
        })
        .await?;
    }
    sequencer.stop().await;
    Ok(())
}

/// Sets a field of the result in a response.
fn forged(response: &str, key: &str, value: &Value) -> String {
    let Ok(mut response) = serde_json::from_str::<Value>(response) else {
        return response.to_owned();
    };
    let results = match &mut response["result"] {
        Value::Array(results) => results.iter_mut().collect(),
        result => vec![result],
    };
    for result in results.into_iter().filter(|result| result.is_object()) {
        result[key] = value.clone();
    }
    response.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_hostile_l1_node_stops_blocks() -> Result<()> {
    const HOSTILE: [(&str, Answer); 8] = [
        ("wrong headers", |request, response| {
            let asks = request.contains("eth_getBlockByNumber");
            Some(if asks { forged(&response, "extraData", &json!("0x00")) } else { response })
        }),
        ("wrong receipts", |request, response| {
            let asks = request.contains("eth_getBlockReceipts");
            Some(if asks {
                forged(&response, "cumulativeGasUsed", &json!("0x1"))
            } else {
                response
            })
        }),
        ("wrong transactions", |request, response| {
            let asks = request.contains("eth_getBlockByHash");
            Some(if asks { forged(&response, "transactions", &json!([])) } else { response })
        }),
        ("no blocks", |request, response| {
            let asks = request.contains("eth_getBlock");
            Some(if asks {
                crate::support::json_response(request, "").replace("\"\"", "null")
            } else {
                response
            })
        }),
        ("answers of another type", |request, response| {
            let asks = request.contains("eth_getBlock");
            Some(if asks { crate::support::json_response(request, "0x1") } else { response })
        }),
        ("long answers", |request, response| {
            let asks = request.contains("eth_getBlock");
            Some(if asks { format!("{}{response}", " ".repeat(64 << 20)) } else { response })
        }),
        ("no JSON", |_, _| Some("<html>".to_owned())),
        ("another chain", |request, response| {
            let asks = request.contains("eth_chainId");
            Some(if asks { crate::support::json_response(request, "0x7") } else { response })
        }),
    ];
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    let (proxies, sequencer) = sequencer_behind(&rollup, 3).await?;
    let alice = Address::repeat_byte(0xa1);
    let mut expected = U256::ZERO;
    let kinds = HOSTILE.into_iter().chain(LIES).map(|(what, response)| (what, Some(response)));
    for (what, hostile) in kinds.chain([("too many requests", None), ("slow answers", None)]) {
        // Each of the three in turn, since one of them is the node that is used at present.
        for proxy in &proxies {
            match hostile {
                Some(hostile) => proxy.set(hostile),
                None if what == "slow answers" => proxy.delay(Duration::from_secs(60)),
                None => proxy.intercept(|_| Some(Interception::Refused(429))),
            }
            rollup.deposit(alice, U256::from(ETHER)).await?;
            expected += U256::from(ETHER);
            until_posted_balance(what, &sequencer, alice, expected).await?;
            proxy.honest();
            proxy.delay(Duration::ZERO);
        }
    }
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lying_about_posting_stops_no_blocks() -> Result<()> {
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    let (proxies, sequencer) = sequencer_behind(&rollup, 3).await?;
    let (alice, l2) = (Key::named("alice"), provider_of(&sequencer)?);
    rollup.deposit(alice.address(), U256::from(ETHER)).await?;
    until("the deposit", &sequencer, || async {
        Ok(!l2.get_balance(alice.address()).await?.is_zero() && is_settled(&sequencer))
    })
    .await?;
    for (what, method, lie) in LIES_ABOUT_POSTING {
        let lie = lie.replace("HASH", &B256::repeat_byte(7).to_string());
        let lie =
            lie.replace("SELECTOR", &hex::encode_prefixed(&keccak256("ExecuteFailed()")[..4]));
        let (lies, mut turns) = (Arc::new(AtomicUsize::new(0)), 0);
        // Each node lies in turn, and all of them again if none was asked: on a busy machine, a
        // block without evidence, which L1 does not estimate, may be posted while the node in use
        // lies.
        for proxy in proxies.iter().cycle().take(10 * proxies.len()) {
            let (lie, count) = (lie.clone(), Arc::clone(&lies));
            proxy.intercept(move |request| {
                // Calls of views are sent to all nodes already (`LIES`).
                let is_asked = request.contains(&format!("\"{method}\""))
                    && (method != "eth_call" || calls::<advanceCall>(request));
                is_asked.then(|| {
                    count.fetch_add(1, Ordering::SeqCst);
                    format!(r#"{{"jsonrpc":"2.0","id":{},{lie}}}"#, id_of(request))
                })
            });
            // A transaction whose block is posted with a message as its evidence, which L1
            // estimates.
            rollup.deposit(alice.address(), U256::ONE).await?;
            let sent = support::signed(&l2, &alice, Address::ZERO, 1, Bytes::new(), 21_000).await?;
            let hash = submit(&l2, &sent).await?;
            until(what, &sequencer, || async {
                let is_included = l2.get_transaction_receipt(hash).await?.is_some();
                Ok(is_included && is_settled(&sequencer))
            })
            .await?;
            proxy.honest();
            turns += 1;
            if turns >= proxies.len() && lies.load(Ordering::SeqCst) > 0 {
                break;
            }
        }
        assert!(lies.load(Ordering::SeqCst) > 0, "{what}");
    }
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lying_l1_node_at_start_stops_no_blocks() -> Result<()> {
    for (what, lie) in LIES {
        let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
        let (proxies, config) = behind(&rollup, 3, rollup.sequencer_role()?)?;
        // The node in use from the start on.
        proxies[0].set(lie);
        let sequencer = RollupNode::start(config).await?;
        let alice = Address::repeat_byte(0xa1);
        for count in 1..=2 {
            rollup.deposit(alice, U256::from(ETHER)).await?;
            until_posted_balance(what, &sequencer, alice, U256::from(count * ETHER)).await?;
        }
        sequencer.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_nodes_not_in_use_get_few_requests() -> Result<()> {
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    let (proxies, sequencer) = sequencer_behind(&rollup, 3).await?;
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    let has_read = async || -> Result<bool> {
        let head = rollup.provider.get_block_number().await?;
        let status = sequencer.status();
        Ok(status.l1_head.is_some_and(|l1| l1.number == head) && status.fault.is_none())
    };
    until("the deposit", &sequencer, || async {
        let has_block = sequencer.status().safe_head.number > 0;
        Ok(has_block && is_settled(&sequencer) && has_read().await?)
    })
    .await?;
    let counts = Arc::new(Mutex::new([0_usize; 2]));
    let counted = Arc::clone(&counts);
    proxies[2].set(move |request, response| {
        let is_pending = request.contains("\"pending\"");
        counted.lock().unwrap()[usize::from(!is_pending)] += 1;
        Some(response)
    });
    const BLOCKS: usize = 4;
    for _ in 0..BLOCKS {
        rollup.provider.anvil_mine(Some(1), None).await?;
        until("L1's head", &sequencer, &has_read).await?;
    }
    let before = counts.lock().unwrap()[0];
    until("more polls", &sequencer, || async { Ok(counts.lock().unwrap()[0] > before + 4) })
        .await?;
    // Duties, policy, head, decision and price, at most twice, and the header.
    let [_, others] = *counts.lock().unwrap();
    assert!((1..=11 * BLOCKS).contains(&others), "{others}");
    println!("{others} requests for {BLOCKS} L1 blocks");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_node_with_old_head_is_left() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxies, sequencer) = sequencer_behind(&rollup, 3).await?;
    let alice = Address::repeat_byte(0xa1);
    for (count, proxy) in (1..).zip(&proxies) {
        // The head of before the deposit.
        let latest = ("latest", false);
        let old: Value = rollup.provider.raw_request("eth_getBlockByNumber".into(), latest).await?;
        proxy.set(move |request, response| {
            let asks = request.contains("\"latest\"") && request.contains("eth_getBlockByNumber");
            if !asks {
                return Some(response);
            }
            let mut response: Value = serde_json::from_str(&response).unwrap();
            response["result"] = old.clone();
            Some(response.to_string())
        });
        rollup.deposit(alice, U256::from(ETHER)).await?;
        rollup.provider.anvil_mine(Some(4), None).await?;
        until_posted_balance("the deposit", &sequencer, alice, U256::from(count * ETHER)).await?;
        proxy.honest();
    }
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreeing_l1_nodes_are_reported_as_fault() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxies, config) = behind(&rollup, 2, Role::Follower { sequencer: None })?;
    let follower = RollupNode::start(config).await?;
    until_status("L1's head", &follower, |status| status.l1_head.is_some()).await?;
    // The second node has other blocks at all heights.
    proxies[1].set(move |request, response| {
        let by_number = request.contains("eth_getBlockByNumber") && request.contains("\"0x");
        let mut response: Value = serde_json::from_str(&response).unwrap();
        if by_number && response["result"].is_object() {
            response["result"]["extraData"] = json!("0x00");
        }
        Some(response.to_string())
    });
    rollup.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until("the fault", &follower, || async {
        let fault = follower.status().fault.unwrap_or_default();
        Ok(fault.contains("the L1 nodes disagree on block") && fault.contains("1 of 2 nodes"))
    })
    .await?;
    proxies[1].honest();
    let head = rollup.provider.get_block_number().await?;
    until_status("L1's head", &follower, |status| {
        status.fault.is_none() && status.l1_head.is_some_and(|l1| l1.number == head)
    })
    .await?;
    follower.stop().await;
    Ok(())
}
