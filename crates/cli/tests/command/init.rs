//! `enshrine init` and `enshrine genesis`.

use crate::support::{document, json_of, path, place, refuse, run};
use alloy_primitives::{Address, B256, U256, address, hex};
use contracts::{L1_ANCHOR, L2_MESSENGER, PREMINT, Predeploys};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};
use testkit::{ETHER, Key, NodeProcess, head_time};

fn toml_of(file: &str) -> toml::Table {
    fs::read_to_string(file).unwrap().parse().unwrap()
}

#[test]
fn init_files_are_consistent() {
    let (_parent, folder) = place();
    let told = json_of(&["init", &folder, "--timestamp", "1700000000"]);
    let folder = Path::new(&folder);
    let (genesis, rollup, node) = (
        path(folder, "genesis.json"),
        toml_of(&path(folder, "rollup.toml")),
        toml_of(&path(folder, "node.toml")),
    );
    let first = json_of(&["genesis", &genesis]);
    assert_eq!(first["blockHash"], told["genesisHash"]);
    assert_eq!(first["stateRoot"], told["genesisStateRoot"]);
    assert_eq!(first["chainId"], 8_079);
    assert_eq!(first["fork"], "osaka");
    assert_eq!(first["timestamp"], 1_700_000_000);
    assert_eq!(rollup["l2"]["chain_id"].as_integer(), first["chainId"].as_i64());
    let fork = rollup["l2"]["schema"].as_str().expect("a name");
    assert_eq!(first["fork"].as_str(), Some(fork));
    assert_eq!(rollup["l2"]["genesis"]["header"].as_str(), first["header"].as_str());
    assert_eq!(rollup["l2"]["genesis"]["file"].as_str(), Some(&*genesis));
    assert_eq!(rollup["deployment"]["file"], node["deployment"]);
    assert_eq!(rollup["deployment"]["file"].as_str(), Some(&*path(folder, "deployment.json")));
    assert_eq!(rollup["sequencing"]["policy"].as_str(), Some("permissioned"));
    assert_eq!(rollup["rollup"]["forks"].as_str(), Some("follow"));
    assert_eq!(told["forkMode"], "follow");
    assert_eq!(rollup["rollup"]["owner"].as_str(), Some(&*Address::ZERO.to_string()));

    let keys: Value =
        serde_json::from_str(&fs::read_to_string(path(folder, "keys.json")).unwrap()).unwrap();
    let account = |name: &str| {
        let secret: B256 = keys[name]["key"].as_str().unwrap().parse().unwrap();
        Key::from_secret(secret).unwrap().address().to_string()
    };
    let lower = |value: &Value| value.as_str().unwrap().parse::<Address>().unwrap().to_string();
    assert_eq!(account("advance"), lower(&keys["advance"]["address"]));
    assert_eq!(account("advance"), lower(&told["advance"]));
    assert_eq!(rollup["sequencing"]["sequencer"].as_str(), Some(&*account("advance")));
    for key in ["advance_key", "operator_key"] {
        assert_eq!(node[key].as_str(), Some(&*path(folder, "keys.json")));
    }
    assert_eq!(node["role"].as_str(), Some("sequencer"));
    for key in [
        "l1",
        "data_dir",
        "http_port",
        "block_time_ms",
        "idle_block_time_ms",
        "submit_interval_ms",
        "l1_confirmations",
    ] {
        assert!(node.contains_key(key), "{key}");
    }
    let idle = node["idle_block_time_ms"].as_integer().unwrap() / 1_000;
    assert!(idle < rollup["sequencing"]["timeout"].as_integer().unwrap(), "others would advance");

    // The operator's float is the only ether on the L2 outside the messenger.
    let genesis: Value = serde_json::from_str(&fs::read_to_string(genesis).unwrap()).unwrap();
    let accounts = genesis["alloc"].as_object().unwrap();
    let rich: Vec<_> = accounts
        .iter()
        .map(|(address, account)| (address.parse::<Address>().unwrap(), &account["balance"]))
        .map(|(address, wei)| (address, wei.as_str().unwrap().parse::<U256>().unwrap()))
        .filter(|(_, wei)| !wei.is_zero())
        .collect();
    let operator: Address = account("operator").parse().unwrap();
    assert_eq!(rich.len(), 2);
    assert!(rich.contains(&(L2_MESSENGER, PREMINT)));
    assert!(rich.contains(&(operator, U256::from(ETHER))));
    let allowed = format!("{operator}={ETHER}");
    assert_eq!(node["allow_balance"].as_array().unwrap(), &[toml::Value::from(allowed)]);
    let code = |address: Address| {
        let (_, account) =
            accounts.iter().find(|(name, _)| name.parse() == Ok(address)).expect("it is there");
        hex::decode(account["code"].as_str().unwrap()).unwrap()
    };
    assert_eq!(code(L1_ANCHOR), Predeploys::built_in().l1_anchor);
    assert!(!code(address!("0x4e59b44847b379578588920cA78FbF26c0B4956C")).is_empty());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path(folder, "keys.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let ignored = fs::read_to_string(path(folder, ".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "keys.json"));
}

#[test]
fn init_describes_each_rollup_parameter() {
    let (_parent, folder) = place();
    let said = run(&["init", &folder]);
    let rollup = toml_of(&path(Path::new(&folder), "rollup.toml"));
    for section in ["rollup", "messages", "guardian", "forced", "bridge"] {
        for (key, value) in rollup[section].as_table().unwrap() {
            let line =
                said.lines().find(|line| line.contains(&format!("{section}.{key} = {value} ")));
            let meaning =
                line.and_then(|line| line.split_once("   ")).map(|(_, meaning)| meaning.trim());
            assert!(meaning.is_some_and(|meaning| meaning.len() > 10), "{section}.{key} in {said}");
        }
    }
    for expected in [
        "no owner",
        "no guardian",
        "the fork that L1 had",
        "head start",
        "105 minutes old",
        "1 hour: a block is",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn guardian_pause_extends_upgrade_delay() {
    let account = Address::repeat_byte(0xbb).to_string();
    let delay_with = |flags: &[&str]| {
        let (_parent, folder) = place();
        let said = run(&[&["init", &folder], flags].concat());
        let rollup = toml_of(&path(Path::new(&folder), "rollup.toml"));
        let guardian = rollup["guardian"]["account"].as_str().unwrap().to_lowercase();
        let delay = rollup["rollup"]["upgrade_delay"].as_integer().unwrap();
        (said, guardian, delay, rollup["guardian"]["pause"].as_integer().unwrap())
    };
    let (_, none, without, _) = delay_with(&[]);
    assert_eq!(none, Address::ZERO.to_string());
    let (said, guardian, with, pause) = delay_with(&["--guardian", &account]);
    assert_eq!(guardian, account.to_lowercase());
    assert_eq!(with, without + pause);
    assert!(said.contains("delay large claims"), "{said}");
}

#[test]
fn init_describes_effect_of_l1_forks() {
    let owner = Address::repeat_byte(0xaa).to_string();
    for (flags, expected) in [
        (&["--fork-mode", "follow"][..], "no account has to act when L1 forks"),
        (&["--fork-mode", "registry"], "not posted before a fork of L1 are lost"),
        (&["--fork-mode", "pinned"], "THE NEXT FORK OF L1 STOPS THE ROLLUP PERMANENTLY"),
        (&["--fork-mode", "pinned", "--owner", &owner], "until the owner has added it"),
    ] {
        let (_parent, folder) = place();
        let said = run(&[&["init", &folder], flags].concat());
        assert!(said.contains(expected), "{flags:?}: {said}");
        let rollup = toml_of(&path(Path::new(&folder), "rollup.toml"));
        assert_eq!(rollup["rollup"]["forks"].as_str(), Some(flags[1]));
    }
}

#[test]
fn init_overwrites_nothing_and_reuses_keys() {
    let (_parent, folder) = place();
    let first = json_of(&["init", &folder]);
    let keys = fs::read_to_string(path(Path::new(&folder), "keys.json")).unwrap();
    for name in ["genesis.json", "rollup.toml", "node.toml"] {
        let said = refuse(&["init", &folder]);
        assert!(said.contains(&path(Path::new(&folder), name)), "{said}");
        fs::remove_file(path(Path::new(&folder), name)).unwrap();
    }
    let again = json_of(&["init", &folder]);
    assert_eq!(again["advance"], first["advance"]);
    assert_eq!(again["operator"], first["operator"]);
    assert_eq!(fs::read_to_string(path(Path::new(&folder), "keys.json")).unwrap(), keys);
    // An existing deployment file is not overwritten either.
    for name in ["genesis.json", "rollup.toml", "node.toml"] {
        fs::remove_file(path(Path::new(&folder), name)).unwrap();
    }
    fs::write(path(Path::new(&folder), "deployment.json"), "{}").unwrap();
    assert!(refuse(&["init", &folder]).contains("deployment.json"));
    fs::remove_file(path(Path::new(&folder), "deployment.json")).unwrap();
    // A key that does not belong to its account is an error, not silently replaced.
    let mut wrong: Value = serde_json::from_str(&keys).unwrap();
    wrong["advance"]["address"] = json!(Address::repeat_byte(1));
    fs::write(path(Path::new(&folder), "keys.json"), wrong.to_string()).unwrap();
    let said = refuse(&["init", &folder]);
    assert!(said.contains("advance.key is that of"), "{said}");
    // New keys change the genesis, and so the contract addresses.
    fs::remove_file(path(Path::new(&folder), "keys.json")).unwrap();
    assert_ne!(json_of(&["init", &folder])["genesisHash"], first["genesisHash"]);
}

#[test]
fn genesis_timestamp_does_not_exceed_l1_head() {
    let begins = |l1: &str| {
        let (_parent, folder) = place();
        json_of(&["init", &folder, "--l1", l1]);
        let genesis = json_of(&["genesis", &path(Path::new(&folder), "genesis.json")]);
        genesis["timestamp"].as_u64().unwrap()
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let l1_at = |time: u64| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
        NodeProcess::start(command.args(["devnet", "--mainnet", "--timestamp", &time.to_string()]))
            .unwrap()
    };
    assert_eq!(begins(l1_at(1_700_000_000).client().url()), 1_700_000_000);
    // With an L1 whose clock is ahead, the genesis is not in the future of this machine.
    let before = now();
    let begun = begins(l1_at(before + 3_600).client().url());
    assert!((before..=now()).contains(&begun));
    // L1 is unreachable.
    let before = now();
    let begun = begins("http://127.0.0.1:1");
    assert!((before - 60..=now() - 60).contains(&begun));
}

#[test]
fn init_stores_flags_and_rejects_invalid_ones() {
    let (_parent, folder) = place();
    let owner = Address::repeat_byte(0xaa).to_string();
    let sequencer = Address::repeat_byte(0xbb).to_string();
    for (flags, reason) in [
        (&["--chain-id", "1"][..], "a public network's"),
        (&["--chain-id", "0"], "at least 1"),
        (&["--gas-limit", "4294967296"], "at most 4294967295"),
        (&["--fork", "cancun"], "prague, osaka"),
        (
            &["--policy", "none", "--sequencer", &sequencer],
            "only --policy permissioned and preconfirmed",
        ),
        (&["--sequencer", "0x0000000000000000000000000000000000000000"], "has no key"),
        (&["--min-bond", "1"], "only --policy preconfirmed"),
        (&["--policy", "preconfirmed", "--min-bond", "0"], "whole gwei"),
        (&["--policy", "preconfirmed", "--min-bond", "0.0000000001"], "whole gwei"),
        (&["--operator-float", "a lot"], "an amount of ether"),
        (&["--operator-float", "19"], "at most 18.44"),
    ] {
        let said = refuse(&[&["init", &folder], flags].concat());
        assert!(said.contains(reason), "{flags:?}: {said}");
        assert!(!Path::new(&folder).exists(), "{flags:?} created the folder");
    }
    let flags = [
        "--chain-id",
        "90",
        "--fork",
        "amsterdam",
        "--gas-limit",
        "4294967295",
        "--owner",
        &owner,
        "--sequencer",
        &sequencer,
        "--operator-float",
        "0",
        "--salt",
        "a \"salt\"",
        "--http-port",
        "9000",
        "--l1",
        "http://l1.example:8545",
        "--dev",
    ];
    let told = json_of(&[&["init", &folder][..], &flags].concat());
    assert_eq!(told["fork"], "amsterdam");
    let folder = Path::new(&folder);
    let (rollup, node) =
        (toml_of(&path(folder, "rollup.toml")), toml_of(&path(folder, "node.toml")));
    assert_eq!(rollup["deployment"]["salt"].as_str(), Some("a \"salt\""));
    assert_eq!(rollup["l2"]["chain_id"].as_integer(), Some(90));
    assert_eq!(rollup["l2"]["schema"].as_str(), Some("amsterdam"));
    assert_eq!(rollup["rollup"]["owner"].as_str(), Some(&*owner));
    assert_eq!(rollup["rollup"]["max_lag"].as_integer(), Some(60));
    assert_eq!(rollup["forced"]["delay"].as_integer(), Some(90));
    assert_eq!(rollup["sequencing"]["sequencer"].as_str(), Some(&*sequencer));
    let idle = node["idle_block_time_ms"].as_integer().unwrap() / 1_000;
    assert!(idle < rollup["sequencing"]["timeout"].as_integer().unwrap(), "others would advance");
    assert_eq!(node["http_port"].as_integer(), Some(9_000));
    assert_eq!(node["l1"].as_str(), Some("http://l1.example:8545"));
    let genesis = json_of(&["genesis", &path(folder, "genesis.json")]);
    assert_eq!(genesis["chainId"], 90);
    assert_eq!(genesis["gasLimit"], 4_294_967_295_u64);
    let alloc: Value =
        serde_json::from_str(&fs::read_to_string(path(folder, "genesis.json")).unwrap()).unwrap();
    let operator = told["operator"].as_str().unwrap().to_lowercase();
    assert!(alloc["alloc"].get(&operator).is_none(), "an operator without a float");
    assert!(!node.contains_key("allow_balance"));
}

#[test]
fn preconfirmed_policy_requires_a_bond() {
    let with = |folder: &str, more: &[&str]| {
        let base = ["init", folder, "--policy", "preconfirmed"];
        [&base[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (more, gwei) in
        [(&[][..], 10_000_000_000_i64), (&["--min-bond", "0.5", "--dev"], 500_000_000)]
    {
        let (_parent, folder) = place();
        let owned = with(&folder, more);
        let arguments: Vec<&str> = owned.iter().map(String::as_str).collect();
        let told = json_of(&arguments);
        let folder = Path::new(&folder);
        let (rollup, node) =
            (toml_of(&path(folder, "rollup.toml")), toml_of(&path(folder, "node.toml")));
        let sequencing = &rollup["sequencing"];
        assert_eq!(sequencing["policy"].as_str(), Some("hybrid"));
        assert_eq!(sequencing["bonds"].as_str(), Some("deploy"));
        assert_eq!(sequencing["min_bond_gwei"].as_integer(), Some(gwei));
        let sequencer = sequencing["sequencer"].as_str().unwrap().to_lowercase();
        assert_eq!(told["advance"], sequencer);
        assert!(sequencing["post_delay"].is_integer());
        assert_eq!(told["bonds"], "deploy");
        assert_eq!(told["minBondGwei"], gwei);
        assert_eq!(node["preconfirm"].as_bool(), Some(true));
    }
    let (_parent, folder) = place();
    let owned = with(&folder, &["--min-bond", "2.5"]);
    let said = run(&owned.iter().map(String::as_str).collect::<Vec<_>>());
    for expected in [
        "anyone may post blocks that it has signed",
        "sequencing.min_bond_gwei = 2500000000 ",
        "--value 12.5ether",
        "enshrine bond deposit 2.5 ",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // Other policies have no bond, and their sequencers sign nothing.
    let (_parent, folder) = place();
    assert_eq!(json_of(&["init", &folder])["bonds"], Value::Null);
    let folder = Path::new(&folder);
    assert!(toml_of(&path(folder, "rollup.toml"))["sequencing"].get("bonds").is_none());
    assert!(!toml_of(&path(folder, "node.toml")).contains_key("preconfirm"));
}

#[test]
fn genesis_contains_scheduled_forks_and_their_contracts() {
    let (_parent, folder) = place();
    let forks = "prague,osaka@+100,amsterdam@1700000300";
    let told = json_of(&["init", &folder, "--timestamp", "1700000000", "--fork", forks]);
    assert_eq!(told["fork"], "prague");
    let file = path(Path::new(&folder), "genesis.json");
    let genesis: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let config = &genesis["config"];
    for (field, expected) in [
        ("pragueTime", 0),
        ("osakaTime", 1_700_000_100),
        ("bpo1Time", 1_700_000_300_u64),
        ("amsterdamTime", 1_700_000_300),
    ] {
        assert_eq!(config[field].as_u64(), Some(expected), "{field} in {config}");
    }
    assert_eq!(json_of(&["genesis", &file])["fork"], "prague");
    // Without the system contract of EIP-8282 (builder deposits), Amsterdam has no valid block.
    let genesis: alloy_genesis::Genesis = serde_json::from_value(genesis).unwrap();
    for contract in executor::SYSTEM_CONTRACTS {
        let account = &genesis.alloc[&contract.address];
        assert_eq!(account.code, Some(contract.code()), "{}", contract.address);
    }

    for (forks, expected) in [
        ("osaka,prague@+5", "prague comes after osaka"),
        ("cancun,osaka@+5", "prague"),
        ("osaka,amsterdam", "amsterdam has no time"),
        ("osaka,amsterdam@1699999999", "amsterdam begins at 1699999999, expected a time after"),
        ("osaka,amsterdam@#5", "expected a block time"),
    ] {
        let (_parent, folder) = place();
        let said = refuse(&["init", &folder, "--timestamp", "1700000000", "--fork", forks]);
        assert!(said.contains(expected), "{forks}: {said}");
    }
}

#[test]
fn genesis_errors_contain_missing_parts() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "genesis.json");
    fs::write(&file, "{\"alloc\": {}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("it needs both `config`"), "{said}");
    fs::write(&file, "{\"alloc\": {}, \"config\": {\"chainId\": 7}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("older than Shanghai"), "{said}");
    fs::write(&file, "{\"config\": {\"chainId\": 7},\n\"alloc\": {\"0x12\": {}}}").unwrap();
    let said = refuse(&["genesis", &file]);
    assert!(said.contains("genesis.json") && said.contains("line 2 column"), "{said}");
    let config = json!({
        "chainId": 7, "londonBlock": 0, "terminalTotalDifficulty": 0, "shanghaiTime": 0,
        "cancunTime": 0, "pragueTime": 0,
    });
    fs::write(&file, json!({ "alloc": {}, "config": config }).to_string()).unwrap();
    let first = json_of(&["genesis", &file]);
    assert_eq!(first["fork"], "prague");
    assert_eq!(first["accounts"], 0);
    assert!(run(&["genesis", &file]).contains(first["blockHash"].as_str().unwrap()));
    // A deployment file contains a genesis.
    let inside = json!({ "rollup": Address::ZERO, "genesis": { "alloc": {}, "config": config } });
    fs::write(&file, inside.to_string()).unwrap();
    assert_eq!(json_of(&["genesis", &file])["blockHash"], first["blockHash"]);
    let fed = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(["genesis", "-", "--json"])
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert_eq!(document(&fed.stdout)["blockHash"], first["blockHash"]);
}

/// A ring of checkpoints that is sized for slower slots would be full before a relay is due.
#[test]
fn init_measures_slots_of_l1() {
    let mut devnet = Command::new(env!("CARGO_BIN_EXE_enshrine"));
    let l1 = NodeProcess::start(devnet.args(["devnet", "--mainnet"])).unwrap();
    let measured = || {
        let (_parent, folder) = place();
        run(&["init", &folder, "--l1", l1.client().url()]);
        let plan = toml_of(&path(Path::new(&folder), "rollup.toml"));
        let value = |section: &str, key: &str| plan[section][key].as_integer().unwrap();
        (value("rollup", "l1_slot_millis"), value("messages", "checkpoints"))
    };
    // Time passes between two calls, and must not lengthen the interval between their blocks.
    let mine = |blocks: u64, seconds: u64| {
        let first = head_time(l1.client()).unwrap() + seconds;
        let _: Value = l1.client().request("evm_setNextBlockTimestamp", (first,)).unwrap();
        let _: Value = l1.client().request("anvil_mine", (blocks, seconds)).unwrap();
    };
    mine(31, 2);
    assert_eq!(measured(), (6_000, 16_382), "too few blocks");
    mine(225, 2);
    assert_eq!(measured(), (1_000, 54_000));
    mine(32, 1);
    assert_eq!(measured(), (500, 108_000));
    mine(224, 3);
    assert_eq!(measured(), (500, 108_000), "the shortest of the last 256 blocks");
    mine(256, 60);
    assert_eq!(measured(), (6_000, 16_382), "a block on demand is no slot");
}
