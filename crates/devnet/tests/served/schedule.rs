//! An L1 with scheduled forks: `--hardfork prague,osaka@+100,bpo2@+200,amsterdam@+300`.

use crate::support::{Served, number, serve};
use alloy_primitives::hex;
use chain::ForkTime;
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use enshrine_devnet::{Devnet, DevnetConfig, Hardfork, MiningMode, Origin};
use executor::ChainSpec;
use serde_json::{Value, json};
use std::time::Duration;
use wire::ProtocolFork::{Amsterdam, Bpo2, Osaka, Prague};

const START: u64 = 1_700_000_000;
const L2_CHAIN: u64 = 9_999;

fn schedule(config: &mut DevnetConfig) {
    config.timestamp = Some(START);
    config.hardfork = Hardfork::Prague;
    config.later_forks = vec![
        (Osaka, ForkTime::After(100)),
        (Bpo2, ForkTime::At(START + 200)),
        (Amsterdam, ForkTime::After(300)),
    ];
}

fn mine_at(served: &Served, timestamp: u64) -> Value {
    served.ask("evm_setNextBlockTimestamp", json!([timestamp]));
    served.ask("evm_mine", json!([]));
    served.block("latest")
}

fn fork_now(served: &Served) -> Value {
    served.ask("anvil_nodeInfo", json!([]))["hardFork"].clone()
}

/// Returns `true` if the fork has CLZ, an instruction that Osaka introduced (EIP-7939).
fn has_clz(served: &Served) -> bool {
    let call = json!([{ "data": "0x60011e60005260206000f3" }, "latest"]);
    served.client.request::<_, Value>("eth_call", call).is_ok()
}

/// Maximum number of blobs per block, from `eth_config`.
fn most_blobs(served: &Served, which: &str) -> Value {
    served.ask("eth_config", json!([]))[which]["blobSchedule"]["max"].clone()
}

#[test]
fn rules_and_headers_follow_the_schedule() {
    let served = serve(schedule);
    let from = served.devnet.addresses()[0];
    // Above the gas cap of EIP-7825, which applies from Osaka on.
    let large = json!([{ "from": from, "to": from, "gas": "0x1000001" }]);

    let block = mine_at(&served, START + 99);
    assert_eq!(fork_now(&served), "Prague");
    assert!(block.get("requestsHash").is_some() && block.get("blockAccessListHash").is_none());
    assert!(!has_clz(&served));
    let config = served.ask("eth_config", json!([]));
    assert_eq!(number(&config["next"]["activationTime"]), START + 100);
    assert_eq!(number(&config["last"]["activationTime"]), START + 300);
    assert_eq!(
        (most_blobs(&served, "current"), most_blobs(&served, "last")),
        (9.into(), 21.into())
    );

    let block = mine_at(&served, START + 100);
    assert_eq!((number(&block["timestamp"]), fork_now(&served)), (START + 100, "Osaka".into()));
    assert!(has_clz(&served));
    assert!(served.refused("eth_sendTransaction", large.clone()).contains("gas"));
    assert_eq!(most_blobs(&served, "current"), 9);

    mine_at(&served, START + 200);
    assert_eq!((fork_now(&served), most_blobs(&served, "current")), ("Bpo2".into(), 21.into()));

    let block = mine_at(&served, START + 300);
    assert_eq!(fork_now(&served), "Amsterdam");
    assert!(block.get("blockAccessListHash").is_some(), "{block}");
    served.ask("eth_sendTransaction", large);
    let config = served.ask("eth_config", json!([]));
    assert_eq!((&config["next"], &config["last"]), (&Value::Null, &Value::Null));

    // Roll back to before Amsterdam's first block.
    served.ask("anvil_rollback", json!([2]));
    assert_eq!(fork_now(&served), "Bpo2");
}

#[test]
fn large_transaction_is_accepted_until_gas_cap_fork() {
    let served = serve(schedule);
    let from = served.devnet.addresses()[0];
    let large = json!([{ "from": from, "to": from, "gas": "0x1000001" }]);
    served.ask("eth_sendTransaction", large.clone());
    mine_at(&served, START + 100);
    assert!(served.refused("eth_sendTransaction", large).contains("gas"));
}

/// Calldata for the L2 blocks with L1's forks, one second before and at each fork.
fn l2_blocks() -> Vec<(u64, String)> {
    let later = [(Osaka, START + 100), (Bpo2, START + 200), (Amsterdam, START + 300)];
    let spec = ChainSpec::scheduled(L2_CHAIN, Prague, &later);
    let mut genesis = empty_genesis(Amsterdam);
    genesis.timestamp = START;
    let mut chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
    let times = [99, 100, 199, 200, 299, 300].map(|after| START + after);
    let mut inputs = Vec::new();
    for timestamp in times {
        let slot_number = if timestamp < START + 300 { 0 } else { 1 };
        let attributes = BlockAttributes { timestamp, slot_number, ..Default::default() };
        let (block, _) = chain.build(&attributes, Vec::new()).unwrap();
        inputs.push((timestamp, hex::encode_prefixed(block.input().unwrap())));
        chain.append(block).unwrap();
    }
    inputs
}

fn execute(served: &Served, input: &str) -> Result<Value, String> {
    let call =
        json!([{ "to": "0x0000000000000000000000000000000000000101", "data": input }, "latest"]);
    served.client.request("eth_call", call).map_err(|error| error.to_string())
}

#[test]
fn execute_accepts_pre_fork_blocks_after_fork() {
    let served = serve(schedule);
    let blocks = l2_blocks();
    for at in [1, 150, 250, 350] {
        mine_at(&served, START + at);
        for (timestamp, input) in &blocks {
            assert!(execute(&served, input).is_ok(), "{timestamp} at {at}");
            // The same block with the schema id of a fork that was not active at its timestamp.
            let other = if *timestamp < START + 100 { "0x1201" } else { "0x1101" };
            let claimed = format!("{other}{}", &input[6..]);
            assert!(execute(&served, &claimed).is_err(), "{timestamp} at {at} as {other}");
        }
    }
}

#[test]
fn configured_schemas_are_valid_at_any_time() {
    let served = serve(|config| {
        schedule(config);
        config.execute_forks = vec![Osaka];
    });
    let blocks = l2_blocks();
    let (_, of_prague) = &blocks[0];
    assert!(execute(&served, &format!("0x1201{}", &of_prague[6..])).is_ok());
}

#[test]
fn loaded_state_continues_the_schedule() {
    let later = vec![(Osaka, ForkTime::At(START + 100)), (Amsterdam, ForkTime::At(START + 300))];
    let with = |config: &mut DevnetConfig| {
        config.timestamp = Some(START);
        config.hardfork = Hardfork::Prague;
        config.later_forks = later.clone();
    };
    let before = serve(with);
    mine_at(&before, START + 99);
    mine_at(&before, START + 101);
    let state = before.ask("anvil_dumpState", json!([]));
    let after = serve(with);
    after.ask("anvil_loadState", json!([state]));
    assert_eq!(fork_now(&after), "Osaka");
    let block = mine_at(&after, START + 300);
    assert_eq!((number(&block["number"]), fork_now(&after)), (3, "Amsterdam".into()));
}

fn start(change: impl FnOnce(&mut DevnetConfig)) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let spawned = runtime.block_on(Devnet::builder().with(change).spawn());
    spawned.map(drop).map_err(|error| error.to_string())
}

#[test]
fn invalid_fork_schedules_are_rejected() {
    let by_block = |mining| {
        move |config: &mut DevnetConfig| {
            schedule(config);
            config.later_forks = vec![(Osaka, ForkTime::Block(10))];
            config.mining = mining;
        }
    };
    assert!(start(by_block(MiningMode::Interval(Duration::from_secs(12)))).is_ok());
    let reason = start(by_block(MiningMode::Instant)).unwrap_err();
    assert!(
        reason.contains("expected a block time") && reason.contains("--block-time"),
        "{reason}"
    );
    let past = |config: &mut DevnetConfig| {
        schedule(config);
        config.later_forks = vec![(Osaka, ForkTime::At(START))];
    };
    let reason = start(past).unwrap_err();
    assert!(
        reason.contains(&format!("osaka begins at {START}, expected a time after")),
        "{reason}"
    );
}

#[test]
fn eth_config_without_schedule_has_no_next() {
    let served: Served = serve(|config| config.hardfork = Hardfork::Osaka);
    let config = served.ask("eth_config", json!([]));
    assert_eq!(config["next"], Value::Null);
    assert_eq!(fork_now(&served), "Osaka");
}

#[test]
fn genesis_file_schedules_forks_for_execute() {
    let mut genesis = empty_genesis(Amsterdam);
    genesis.timestamp = START;
    genesis.config = serde_json::from_value(json!({
        "chainId": 31_337, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
        "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0,
        "berlinBlock": 0, "londonBlock": 0, "terminalTotalDifficulty": "0x0",
        "terminalTotalDifficultyPassed": true, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0,
        "osakaTime": START + 100, "bpo1Time": START + 200, "bpo2Time": START + 200,
        "amsterdamTime": START + 300,
    }))
    .unwrap();
    let served = serve(move |config| {
        config.origin = Origin::Genesis { genesis: Box::new(genesis), blocks: None };
    });
    let blocks = l2_blocks();
    for at in [50, 150, 250, 350] {
        let block = mine_at(&served, START + at);
        assert_eq!(block.get("blockAccessListHash").is_some(), at > 300, "{at}");
        assert_eq!(has_clz(&served), at > 100, "{at}");
        assert!(blocks.iter().all(|(_, input)| execute(&served, input).is_ok()), "{at}");
        let (_, of_prague) = &blocks[0];
        assert!(execute(&served, &format!("0x1201{}", &of_prague[6..])).is_err(), "{at}");
    }
}

#[test]
fn genesis_file_conflicts_with_fork_schedule() {
    let reason = start(|config| {
        schedule(config);
        let genesis = Box::new(empty_genesis(Amsterdam));
        config.origin = Origin::Genesis { genesis, blocks: None };
    });
    let reason = reason.unwrap_err();
    assert!(reason.contains("amsterdamTime"), "{reason}");
}
