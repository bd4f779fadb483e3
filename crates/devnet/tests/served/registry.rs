//! The fork registry of EIP-8357, deployed with `--fork-registry`.

use crate::support::{Served, serve};
use alloy_primitives::{B256, U256, hex};
use chain::ForkTime;
use enshrine_devnet::{DevnetConfig, Hardfork, REGISTRY_ADDRESS, verification_key_hash};
use serde_json::{Value, json};
use wire::ProtocolFork::{self, Amsterdam, Bpo2, Osaka, Prague};

const START: u64 = 1_700_000_000;

fn schedule(config: &mut DevnetConfig) {
    config.fork_registry = true;
    config.timestamp = Some(START);
    config.hardfork = Hardfork::Prague;
    let later = [(Osaka, 100), (Bpo2, 200), (Amsterdam, 300)];
    config.later_forks = later.map(|(fork, after)| (fork, ForkTime::After(after))).to_vec();
}

fn mine_at(served: &Served, timestamp: u64) {
    served.ask("evm_setNextBlockTimestamp", json!([timestamp]));
    served.ask("evm_mine", json!([]));
}

fn read(served: &Served, data: &str, block: &Value) -> Result<String, String> {
    let call = json!([{ "to": REGISTRY_ADDRESS, "data": data }, block]);
    served.client.request("eth_call", call).map_err(|error| error.to_string())
}

fn entry(fork: ProtocolFork) -> String {
    let schema = fork.schema();
    let words = [verification_key_hash(schema), B256::from(U256::from(schema.get()))];
    hex::encode_prefixed(words.concat())
}

#[test]
fn registry_entry_changes_with_forks_first_block() {
    let served = serve(schedule);
    let current = format!("{:?}", B256::ZERO);
    let mut seen = Vec::new();
    let times =
        [(1, Prague), (99, Prague), (100, Osaka), (199, Osaka), (200, Bpo2), (300, Amsterdam)];
    for (after, fork) in times {
        mine_at(&served, START + after);
        seen.push(fork);
        assert_eq!(read(&served, &current, &json!("latest")).unwrap(), entry(fork), "{after}");
    }
    // Past blocks have the entries of their time.
    for (number, fork) in (1_u64..).zip(seen) {
        let block = json!(format!("{number:#x}"));
        assert_eq!(read(&served, &current, &block).unwrap(), entry(fork), "block {number}");
    }
    let hashes = [Prague, Osaka, Bpo2, Amsterdam].map(|fork| verification_key_hash(fork.schema()));
    assert!(hashes.iter().all(|hash| !hash.is_zero()));
    assert!((1..4).all(|index| !hashes[..index].contains(&hashes[index])));
}

#[test]
fn registry_reverts_on_other_calldata() {
    let served = serve(schedule);
    let latest = json!("latest");
    let one = format!("{:?}", B256::with_last_byte(1));
    let high = format!("{:?}", B256::repeat_byte(0x80));
    let long = format!("0x{}", "00".repeat(33));
    let short = format!("0x{}", "00".repeat(31));
    for query in [&*one, &high, &long, &short, "0x"] {
        assert!(read(&served, query, &latest).is_err(), "{query}");
    }
    assert!(read(&served, &format!("{:?}", B256::ZERO), &latest).is_ok());
}

#[test]
fn registry_requires_its_flag() {
    let served = serve(|config| config.hardfork = Hardfork::Osaka);
    let code = served.ask("eth_getCode", json!([REGISTRY_ADDRESS, "latest"]));
    assert_eq!(code, "0x");
    let with = serve(|config| config.fork_registry = true);
    let current = format!("{:?}", B256::ZERO);
    let answer = read(&with, &current, &json!("latest")).unwrap();
    assert_eq!(answer, entry(ProtocolFork::Bpo1));
}
