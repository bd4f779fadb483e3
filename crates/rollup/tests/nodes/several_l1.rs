//! Several L1 nodes, one of which hangs or returns forged data.

use crate::support::{World, is_settled, provider_of, until};
use alloy_consensus::constants::{EMPTY_RECEIPTS, EMPTY_TRANSACTIONS};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::Header;
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt as _, Result};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use testkit::{ETHER, Interception, Proxy};

/// Starts `count` proxies in front of the L1; also returns the configuration of a node that uses
/// all of them.
fn behind(world: &World, count: usize, role: Role) -> Result<(Vec<Proxy>, Config)> {
    let server = world.l1.server().ok_or_eyre("the devnet serves HTTP")?;
    let start = || Proxy::start(server.addresses()[0]);
    let proxies = (0..count).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let config = Config { l1: proxies.iter().map(Proxy::url).collect(), ..world.config(role) };
    Ok((proxies, config))
}

/// Hashes of headers that a proxy has forged.
type MadeUp = Arc<Mutex<Vec<B256>>>;

/// Has the proxy append a forged empty block to L1's head.
fn makes_up_blocks(proxy: &Proxy) -> MadeUp {
    let made_up = MadeUp::default();
    let hashes = Arc::clone(&made_up);
    proxy.set(move |request, answer| {
        let asks = request.contains("eth_getBlockByNumber") && request.contains("\"latest\"");
        if !asks {
            return Some(answer);
        }
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let head: Header = serde_json::from_value(answer["result"].clone()).unwrap();
        let mut header = head.inner;
        (header.parent_hash, header.number) = (head.hash, header.number + 1);
        (header.timestamp, header.gas_used) = (header.timestamp + 1, 0);
        (header.transactions_root, header.receipts_root) = (EMPTY_TRANSACTIONS, EMPTY_RECEIPTS);
        header.logs_bloom = Default::default();
        let header = Header::new(header);
        hashes.lock().unwrap().push(header.hash);
        answer["result"] = serde_json::to_value(&header).unwrap();
        answer["result"]["transactions"] = json!([]);
        answer["result"]["uncles"] = json!([]);
        Some(answer.to_string())
    });
    made_up
}

fn believes(node: &RollupNode, made_up: &MadeUp) -> bool {
    let head = node.status().l1_head.map(|head| head.hash);
    head.is_some_and(|head| made_up.lock().unwrap().contains(&head))
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_l1_node_is_replaced_by_next() -> Result<()> {
    let world = World::new().await?;
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    let (proxies, config) = behind(&world, 2, role)?;
    let sequencer = RollupNode::start(config).await?;
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
        world.deposit(alice, U256::from(ETHER)).await?;
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
    let world = World::new().await?;
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    let (proxies, config) = behind(&world, 3, role)?;
    let made_up = makes_up_blocks(&proxies[0]);
    // Control: a node without other L1 nodes accepts the block, since its header is consistent.
    let alone =
        Config { l1: vec![proxies[0].url()], ..world.config(Role::Follower { sequencer: None }) };
    let alone = RollupNode::start(alone).await?;
    until("the made-up block", &alone, || async { Ok(believes(&alone, &made_up)) }).await?;
    alone.stop().await;

    let sequencer = RollupNode::start(config).await?;
    let (alice, l2) = (Address::repeat_byte(0xa1), provider_of(&sequencer)?);
    for count in 1..=3 {
        world.deposit(alice, U256::from(ETHER)).await?;
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
fn forged(answer: &str, key: &str, value: &Value) -> String {
    let Ok(mut answer) = serde_json::from_str::<Value>(answer) else { return answer.to_owned() };
    let results = match &mut answer["result"] {
        Value::Array(results) => results.iter_mut().collect(),
        result => vec![result],
    };
    for result in results.into_iter().filter(|result| result.is_object()) {
        result[key] = value.clone();
    }
    answer.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_hostile_l1_node_stops_blocks() -> Result<()> {
    type Answer = fn(&str, String) -> Option<String>;
    const HOSTILE: [(&str, Answer); 8] = [
        ("wrong headers", |request, answer| {
            let asks = request.contains("eth_getBlockByNumber");
            Some(if asks { forged(&answer, "extraData", &json!("0x00")) } else { answer })
        }),
        ("wrong receipts", |request, answer| {
            let asks = request.contains("eth_getBlockReceipts");
            Some(if asks { forged(&answer, "cumulativeGasUsed", &json!("0x1")) } else { answer })
        }),
        ("wrong transactions", |request, answer| {
            let asks = request.contains("eth_getBlockByHash");
            Some(if asks { forged(&answer, "transactions", &json!([])) } else { answer })
        }),
        ("no blocks", |request, answer| {
            let asks = request.contains("eth_getBlock");
            Some(if asks {
                crate::support::answer(request, "").replace("\"\"", "null")
            } else {
                answer
            })
        }),
        ("answers of another type", |request, answer| {
            let asks = request.contains("eth_getBlock");
            Some(if asks { crate::support::answer(request, "0x1") } else { answer })
        }),
        ("long answers", |request, answer| {
            let asks = request.contains("eth_getBlock");
            Some(if asks { format!("{}{answer}", " ".repeat(64 << 20)) } else { answer })
        }),
        ("no JSON", |_, _| Some("<html>".to_owned())),
        ("another chain", |request, answer| {
            let asks = request.contains("eth_chainId");
            Some(if asks { crate::support::answer(request, "0x7") } else { answer })
        }),
    ];
    let world = World::new().await?;
    let role = Role::Sequencer(Box::new(world.sequencer_config()?));
    let (proxies, config) = behind(&world, 3, role)?;
    let sequencer = RollupNode::start(config).await?;
    let (alice, l2) = (Address::repeat_byte(0xa1), provider_of(&sequencer)?);
    let mut expected = U256::ZERO;
    let kinds = HOSTILE.into_iter().map(|(what, answer)| (what, Some(answer)));
    for (what, hostile) in kinds.chain([("too many requests", None), ("slow answers", None)]) {
        // Each of the three in turn, since one of them is the node that is used at present.
        for proxy in &proxies {
            match hostile {
                Some(hostile) => proxy.set(hostile),
                None if what == "slow answers" => proxy.delay(Duration::from_secs(60)),
                None => proxy.intercept(|_| Some(Interception::Refused(429))),
            }
            world.deposit(alice, U256::from(ETHER)).await?;
            expected += U256::from(ETHER);
            until(what, &sequencer, || async {
                Ok(l2.get_balance(alice).await? == expected && is_settled(&sequencer))
            })
            .await?;
            proxy.honest();
            proxy.delay(Duration::ZERO);
        }
    }
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreeing_l1_nodes_are_reported_as_fault() -> Result<()> {
    let world = World::new().await?;
    let (proxies, config) = behind(&world, 2, Role::Follower { sequencer: None })?;
    let follower = RollupNode::start(config).await?;
    until("L1's head", &follower, || async { Ok(follower.status().l1_head.is_some()) }).await?;
    // The second node has other blocks at all heights.
    proxies[1].set(move |request, answer| {
        let by_number = request.contains("eth_getBlockByNumber") && request.contains("\"0x");
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        if by_number && answer["result"].is_object() {
            answer["result"]["extraData"] = json!("0x00");
        }
        Some(answer.to_string())
    });
    world.deposit(Address::repeat_byte(0xa1), U256::from(ETHER)).await?;
    until("the fault", &follower, || async {
        let fault = follower.status().fault.unwrap_or_default();
        Ok(fault.contains("the L1 nodes disagree on block") && fault.contains("1 of 2 nodes"))
    })
    .await?;
    proxies[1].honest();
    let head = world.provider.get_block_number().await?;
    until("L1's head", &follower, || async {
        let status = follower.status();
        Ok(status.fault.is_none() && status.l1_head.is_some_and(|it| it.number == head))
    })
    .await?;
    follower.stop().await;
    Ok(())
}
