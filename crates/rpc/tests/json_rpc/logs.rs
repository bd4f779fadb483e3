//! `eth_getLogs` over many blocks: with the index of a chain on disk it returns what a scan of the
//! same chain in memory returns.

use crate::support::{LOGGER, Server, raw};
use alloy_primitives::B256;
use node::{MineRequest, Mining, Settings};
use serde_json::{Value, json};

/// Blocks of a section of the index.
const SECTION: u64 = chain::store::SECTION;

/// Mines the same blocks on both: empty ones, and some with a log.
async fn grow(servers: [&Server; 2], blocks: u64, with_logs: &[u64]) {
    let mut nonce = 0;
    // Far ahead of both clocks, so that each later block is one second after its parent.
    let first = MineRequest { timestamp: Some(1_000_000), ..MineRequest::default() };
    for server in servers {
        server.node.mine(&first).unwrap();
    }
    for number in 2..=blocks {
        for server in servers {
            if with_logs.contains(&number) {
                // A transaction is mined at once.
                server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, vec![])])).await;
            } else {
                server.node.mine(&MineRequest::default()).unwrap();
            }
        }
        nonce += u64::from(with_logs.contains(&number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_long_chain_on_disk_are_complete() {
    let settings = || Settings { mining: Mining::Auto, ..Settings::default() };
    let folder = tempfile::tempdir().unwrap();
    let (memory, disk) = (Server::with(settings()), Server::on_disk(folder.path(), settings()));
    let with_logs = [3, 1_000, SECTION - 1, SECTION, SECTION + 200];
    grow([&memory, &disk], SECTION + 400, &with_logs).await;

    let hex = |number: u64| format!("{number:#x}");
    let all = json!({ "fromBlock": "0x0", "address": LOGGER });
    let found = disk.ask("eth_getLogs", json!([all])).await;
    let numbers: Vec<_> = found.as_array().unwrap().iter().map(|log| &log["blockNumber"]).collect();
    assert_eq!(numbers, with_logs.map(hex).each_ref());
    let topic = found[0]["topics"].get(0).cloned().unwrap_or(Value::Null);
    for filter in [
        all,
        json!({ "fromBlock": "0x0" }),
        json!({ "fromBlock": "0x0", "topics": [topic] }),
        json!({ "fromBlock": "0x0", "topics": [[topic, B256::ZERO]] }),
        json!({ "fromBlock": "0x0", "topics": [B256::ZERO] }),
        json!({ "fromBlock": "0x0", "address": "0x00000000000000000000000000000000000000ff" }),
        json!({ "fromBlock": "0x4", "toBlock": hex(SECTION - 1), "address": LOGGER }),
        json!({ "fromBlock": "0x3e8", "toBlock": "0x3e8", "address": LOGGER }),
        json!({ "fromBlock": hex(SECTION), "toBlock": hex(SECTION + 300), "address": LOGGER }),
    ] {
        let [expected, found] = [
            memory.ask("eth_getLogs", json!([filter])).await,
            disk.ask("eth_getLogs", json!([filter])).await,
        ];
        assert_eq!(found, expected, "{filter}");
    }
}
