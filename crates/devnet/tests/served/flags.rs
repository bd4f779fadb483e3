//! Each flag of stock anvil is one of the devnet's too, or is refused with what to use instead.

use crate::support::TOOLS;
use clap::Parser;
use enshrine_devnet::{DevnetError, args::DevnetArgs};
use std::process::Command;

#[derive(Debug, Parser)]
struct Devnet {
    #[command(flatten)]
    args: DevnetArgs,
}

/// A flag as anvil's help shows it.
#[derive(Debug)]
struct Flag {
    names: Vec<String>,
    takes_value: bool,
}

/// The flags of anvil, with their other names.
fn flags_of_anvil() -> Vec<Flag> {
    let output = Command::new(TOOLS.anvil()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut flags: Vec<Flag> = Vec::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with('-') && line.contains("--") {
            let words = line.split([' ', ',']).filter(|word| word.starts_with('-'));
            // `--verbosity...` may be repeated.
            let names = words.map(|word| word.trim_end_matches('.').to_owned()).collect();
            flags.push(Flag { names, takes_value: line.contains('<') });
        }
        if let (Some(aliases), Some(flag)) = (line.strip_prefix("[aliases: "), flags.last_mut()) {
            let aliases = aliases.trim_end_matches(']').split(", ");
            flag.names.extend(aliases.map(|alias| format!("--{}", alias.trim_start_matches('-'))));
        }
    }
    flags
}

/// A value that anvil takes.
fn value_of(flag: &str) -> &'static str {
    match flag {
        "--hardfork" => "shanghai",
        "--host" => "127.0.0.1",
        "--order" => "fifo",
        "--color" => "never",
        "--network" => "ethereum",
        "--mnemonic" => "test test test test test test test test test test test junk",
        "--derivation-path" => "m/44'/60'/0'/0/",
        "--fork-url" => "http://127.0.0.1:1",
        "--fork-header" => "User-Agent: test-agent",
        "--fork-chain-id" | "--chain-id" => "mainnet",
        "--gas-limit" => "30000000",
        "--mnemonic-random" => "12",
        "--fork-transaction-hash" => {
            "0x0000000000000000000000000000000000000000000000000000000000000001"
        }
        _ => "1",
    }
}

#[test]
fn every_flag_of_anvil_is_taken_or_refused_with_advice() {
    let flags = flags_of_anvil();
    assert!(flags.len() >= 60, "only {} flags", flags.len());
    let folder = tempfile::tempdir().unwrap();
    let genesis = folder.path().join("genesis.json");
    let text = r#"{"config":{"chainId":1},"alloc":{},"difficulty":"0x0","gasLimit":"0x1c9c380"}"#;
    std::fs::write(&genesis, text).unwrap();
    let mut refused = Vec::new();
    for flag in &flags {
        let long = flag.names.iter().rfind(|name| name.starts_with("--")).unwrap();
        let first = flag.names.iter().find(|name| name.starts_with("--")).unwrap();
        if ["--help", "--version"].contains(&long.as_str()) {
            continue;
        }
        for name in &flag.names {
            let mut words = vec!["devnet".to_owned(), name.clone()];
            if flag.takes_value {
                words.push(match first.as_str() {
                    "--init" => genesis.to_str().unwrap().to_owned(),
                    first => value_of(first).to_owned(),
                });
            }
            // Those that say something about a fork or an interval need one.
            if first.starts_with("--fork-") && first != "--fork-url" {
                words.extend(["--fork-url".to_owned(), "http://127.0.0.1:1".to_owned()]);
            }
            if first == "--mixed-mining" {
                words.extend(["--block-time".to_owned(), "1".to_owned()]);
            }
            let parsed = Devnet::try_parse_from(&words);
            let args = parsed.unwrap_or_else(|error| panic!("{words:?}: {error}")).args;
            match args.config() {
                Ok(_) => {}
                Err(DevnetError::Flag { flag, reason }) => {
                    assert!(reason.contains(": use ") || reason.contains("use anvil"), "{reason}");
                    assert_eq!(flag, first, "{words:?}");
                    refused.push(flag);
                }
                Err(error) => panic!("{words:?}: {error}"),
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, ["--fork-transaction-hash", "--memory-limit", "--celo"]);
}
