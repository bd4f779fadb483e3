//! Flags and the resulting configuration.

use super::*;
use crate::{Hardfork, Traces};
use chain::ForkTime;
use clap::Parser;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    devnet: DevnetArgs,
}

fn parse(flags: &str) -> Result<DevnetConfig, String> {
    let words = std::iter::once("devnet").chain(flags.split_whitespace());
    let command = Command::try_parse_from(words).map_err(|error| error.to_string())?;
    command.devnet.config().map_err(|error| error.to_string())
}

#[test]
fn no_flags_yield_the_default_configuration() {
    let (said, default) = (parse("").unwrap(), DevnetConfig::default());
    assert_eq!(format!("{said:?}"), format!("{default:?}"));
}

#[test]
fn mainnet_rules_apply_together_or_individually() {
    let rules = |flags: &str| {
        let it = parse(flags).unwrap();
        (!it.loose_timestamps, it.tx_gas_cap, it.max_tx_size, it.floor_check)
    };
    assert_eq!(rules(""), (false, false, None, false));
    let all = (true, true, Some(131_072), true);
    assert_eq!(rules("--mainnet"), all);
    assert_eq!(rules("--increasing-timestamps"), (true, false, None, false));
    assert_eq!(
        rules("--verify-blocks"),
        (true, false, None, false),
        "verification needs increasing timestamps"
    );
    assert_eq!(rules("--enable-tx-gas-limit"), (false, true, None, false));
    assert_eq!(rules("--max-tx-size 131072"), (false, false, Some(131_072), false));
    assert_eq!(rules("--check-floor-gas"), (false, false, None, true));
    let by_part = "--increasing-timestamps --tx-gas-limit --max-tx-size 131072 --check-floor-gas";
    assert_eq!(rules(by_part), all);

    let lifted = rules("--mainnet --no-tx-gas-cap --loose-timestamps --max-tx-size 9000000");
    assert_eq!(lifted, (false, false, Some(9_000_000), true), "single flags override --mainnet");
    assert_eq!(rules("--no-tx-gas-cap --loose-timestamps"), rules(""), "already the default");
    assert!(parse("--loose-timestamps --increasing-timestamps").is_err());
    assert!(parse("--no-tx-gas-cap --enable-tx-gas-limit").is_err());
}

#[test]
fn disabled_gas_limit_uses_the_maximum() {
    let limit = |flags: &str| parse(flags).unwrap().gas_limit;
    assert_eq!(limit(""), 30_000_000);
    assert_eq!(limit("--disable-block-gas-limit"), u64::MAX);
    assert_eq!(limit("--mainnet --disable-block-gas-limit"), i64::MAX as u64);
}

#[test]
fn flags_select_every_mining_mode() {
    let second = Duration::from_secs(1);
    assert_eq!(parse("-b 1").unwrap().mining, MiningMode::Interval(second));
    assert_eq!(parse("-b 1 --mixed-mining").unwrap().mining, MiningMode::Mixed(second));
    assert_eq!(parse("--no-mining").unwrap().mining, MiningMode::Manual);
    assert!(parse("--no-mining -b 1").is_err());
    assert!(parse("-b 0").is_err());
}

#[test]
fn alternative_anvil_spellings_are_accepted() {
    let config = parse("--silent --base-fee 7 --auto-unlock --hardfork PRAGUE --ipc").unwrap();
    assert_eq!((config.base_fee, config.hardfork), (7, Hardfork::Prague));
    assert!(config.auto_impersonate);
    assert_eq!(config.server.ipc, Some(DEFAULT_IPC.into()));
    assert_eq!(parse("--hardfork latest").unwrap().hardfork, Hardfork::default());
}

#[test]
fn forks_are_scheduled_by_time_or_block() {
    let config = parse("--hardfork Prague,osaka@+60,amsterdam@1800000000").unwrap();
    assert_eq!(config.hardfork, Hardfork::Prague);
    let later = [
        (ProtocolFork::Osaka, ForkTime::After(60)),
        (ProtocolFork::Amsterdam, ForkTime::At(1_800_000_000)),
    ];
    assert_eq!(config.later_forks, later);
    let by_block = parse("--hardfork osaka,bpo2@#25 --block-time 2").unwrap();
    assert_eq!(by_block.later_forks, [(ProtocolFork::Bpo2, ForkTime::Block(25))]);
    assert_eq!(parse("--hardfork osaka").unwrap().later_forks, []);
    for (text, expected) in [
        ("--hardfork osaka,amsterdam", "amsterdam has no time, expected amsterdam@+SECONDS"),
        ("--hardfork osaka@+5", "the first fork must be active from genesis on"),
        ("--hardfork osaka,prague@+5", "prague comes after osaka"),
        ("--hardfork london,osaka@+5", "\"london\" is not a fork"),
        ("--hardfork shanghai,osaka@+5", "expected cancun or later"),
        ("--hardfork osaka,amsterdam@soon", "\"soon\" is not the time of a fork"),
        (
            "--hardfork osaka,amsterdam@+5 --load-state state.json",
            "amsterdam@+5 counts from the genesis, which the loaded state replaces: expected \
             amsterdam@TIMESTAMP",
        ),
    ] {
        let refused = parse(text).unwrap_err();
        assert!(refused.contains(expected), "{text}: {refused}");
    }
    let absolute = "--hardfork osaka,amsterdam@1800000000 --load-state state.json";
    assert!(parse(absolute).is_ok());
}

#[test]
fn flags_override_the_genesis_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("genesis.json");
    let genesis = Genesis { gas_limit: 73, number: Some(1), ..Genesis::default() };
    std::fs::write(&file, serde_json::to_string(&genesis).unwrap()).unwrap();
    let read = |flags: &str| {
        let config = parse(&format!("--init {} {flags}", file.display())).unwrap();
        let Origin::Genesis { genesis, .. } = config.origin else { panic!("no genesis") };
        (genesis.number, genesis.gas_limit, genesis.base_fee_per_gas)
    };
    assert_eq!(read(""), (Some(1), 73, None));
    let overridden = read("--number 9 --gas-limit 9000000 --base-fee 7");
    assert_eq!(overridden, (Some(9), 9_000_000, Some(base_fee_before(7).into())));
}

#[test]
fn chains_and_forks_parse_by_name() {
    assert_eq!(parse("--chain-id mainnet").unwrap().chain_id, Some(1));
    assert_eq!(parse("--chain-id 0x7a69").ok().and_then(|config| config.chain_id), None);
    assert_eq!(parse("--chain-id 31337").unwrap().chain_id, Some(31_337));
    assert!(parse("--chain-id nowhere").is_err());
    assert!(parse("--fork-url http://localhost:1 --load-state state.json").is_ok());
    let words = parse("--fork-url http://localhost:1 --init genesis.json").unwrap_err();
    assert!(words.contains("--init") && words.contains("leave --init out"), "{words}");
    assert_eq!(parse("--hardfork 0x1101").unwrap().hardfork, Hardfork::Prague);
    assert!(parse("--hardfork 0x1102").unwrap_err().contains("schema id"));
    assert_eq!(parse("--hardfork shanghai").unwrap().hardfork, Hardfork::Shanghai);
    assert_eq!(parse("--hardfork merge").unwrap().hardfork, Hardfork::Paris);
    assert_eq!(parse("--hardfork london").unwrap().hardfork, Hardfork::London);
    assert_eq!(parse("--hardfork spuriousdragon").unwrap().hardfork, Hardfork::SpuriousDragon);
    assert!(parse("--hardfork nonsense").unwrap_err().contains("amsterdam"));
}

#[test]
fn unsupported_flags_are_rejected_with_alternatives() {
    for (flags, advice) in [
        ("--celo", "use anvil"),
        ("--optimism", "use anvil"),
        ("--tempo", "use anvil"),
        ("--network optimism", "use anvil"),
        ("--memory-limit 1000", "--gas-limit"),
        (
            "--fork-url http://x --fork-transaction-hash \
             0x0000000000000000000000000000000000000000000000000000000000000001",
            "--fork-block-number",
        ),
    ] {
        let error = parse(flags).unwrap_err();
        assert!(error.contains(advice), "{flags}: {error}");
    }
    assert!(parse("--network ethereum").is_ok());
}

#[test]
fn fork_options_follow_the_flags() {
    let flags = "--fork-url http://a@7 --rpc-url http://b --retries 2 --timeout 300 \
                 --fork-retry-backoff 10 --no-rate-limit --fork-chain-id sepolia \
                 --fork-header A:b --gas-limit 40000000 --base-fee 77";
    let Origin::Fork(fork) = parse(flags).unwrap().origin else { panic!("it is no fork") };
    let expected = Fork {
        more_urls: vec!["http://b".to_owned()],
        chain_id: Some(11_155_111),
        headers: vec![("A".to_owned(), "b".to_owned())],
        timeout: Duration::from_millis(300),
        retries: 2,
        backoff: Duration::from_millis(10),
        units_per_second: None,
        gas_limit: Some(40_000_000),
        base_fee: Some(77),
        cache: fork.cache.clone(),
        ..Fork::at("http://a@7", None)
    };
    assert_eq!(fork, expected);
    let Origin::Fork(fork) = parse("-f http://a").unwrap().origin else { panic!("no fork") };
    let default = Fork { cache: fork.cache.clone(), ..Fork::at("http://a", None) };
    assert_eq!(fork, default, "defaults match anvil");
    for flags in ["-f http://a --no-storage-caching", "-f http://127.0.0.1:1", "-f localhost:1"] {
        let Origin::Fork(fork) = parse(flags).unwrap().origin else { panic!("no fork") };
        assert_eq!(fork.cache, None, "{flags}");
    }
}

#[test]
fn fork_url_rejects_aliases() {
    for alias in ["mynet", "mynet@7", "main-net"] {
        let words = parse(&format!("--fork-url {alias}")).unwrap_err();
        assert!(words.contains("aliases of foundry.toml are not read"), "{alias}: {words}");
    }
    for address in ["localhost", "localhost@7", "mynet:8545", "my.net", "http://mynet@7"] {
        let Origin::Fork(fork) = parse(&format!("--fork-url {address}")).unwrap().origin else {
            panic!("no fork")
        };
        assert_eq!(fork.url, address);
    }
}

#[test]
fn existing_state_file_or_folder_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let to_load = |path: &std::path::Path| {
        let words = ["devnet".as_ref(), "--state".as_ref(), path.as_os_str()];
        let args = Command::try_parse_from(words).unwrap().devnet;
        assert_eq!(args.state_to_dump().map(PathBuf::as_path), Some(path));
        args.state_to_load().cloned()
    };
    assert_eq!((to_load(folder.path()), to_load(&file)), (None, None));
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(to_load(folder.path()).as_deref(), Some(folder.path()));
    assert_eq!(to_load(&file), Some(file));
}

#[test]
fn each_verbosity_level_prints_more_traces() {
    let traces = |flags| parse(flags).unwrap().traces;
    assert_eq!(traces("-vv"), Traces::None);
    assert_eq!(traces("-vvv"), Traces::Failures);
    assert_eq!(traces("-vvvv"), Traces::All);
    assert_eq!(traces("--print-traces"), Traces::All);
    assert_eq!(traces("-vvvvv"), Traces::Storage);
}

#[test]
fn execute_flags_parse_and_reject_invalid_values() {
    assert!(parse("--execute-schema 0x1501,1201 --execute-gas 5+16").is_ok());
    assert!(parse("--execute-gas 5,16").is_err());
    let named = parse("--execute-schema amsterdam,0x1101,Bpo1").unwrap();
    let [amsterdam, prague, bpo1] = &named.execute_forks[..] else { panic!("{named:?}") };
    let expected = (&ProtocolFork::Amsterdam, &ProtocolFork::Prague, &ProtocolFork::Bpo1);
    assert_eq!((amsterdam, prague, bpo1), expected);
    assert_eq!(parse("").unwrap().execute_gas, GasSchedule::DEFAULT);
    for (name, schedule) in GasSchedule::NAMED {
        assert_eq!(parse(&format!("--execute-gas {name}")).unwrap().execute_gas, schedule);
    }
    assert_eq!(parse("--execute-gas 5+4+3+2").unwrap().execute_gas.to_string(), "5+4+3+2");
    assert!(parse("--execute-schema 0x15010").is_err());
    for early in ["shanghai", "paris", "0x0e01", "osaka,shanghai"] {
        let words = parse(&format!("--execute-schema {early}")).unwrap_err();
        assert!(
            words.contains("EXECUTE only supports blocks of cancun, prague"),
            "{early}: {words}"
        );
    }
    assert_eq!(parse("--execute-schema cancun").unwrap().execute_forks, [ProtocolFork::Cancun]);
    assert!(parse("--execute-market").unwrap().execute_market);
    assert!(!parse("").unwrap().execute_market);
    assert!(parse("--execute-market --no-execute").is_err());
    assert!(parse("--execute-gas 5").is_err());
    assert!(parse("--gas-limit 4999").unwrap_err().contains("--gas-limit"));
}
