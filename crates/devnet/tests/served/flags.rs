//! Each flag of stock anvil works on the devnet or is rejected with a replacement, and has the same
//! effect on the output.

use crate::support::{TOOLS, serve, tool};
use clap::{CommandFactory as _, Parser};
use enshrine_devnet::{DevnetError, args::DevnetArgs, config_out};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use tokio::runtime::Runtime;

#[derive(Debug, Parser)]
struct Devnet {
    #[command(flatten)]
    args: DevnetArgs,
}

/// A flag in anvil's help.
#[derive(Debug)]
struct Flag {
    names: Vec<String>,
    takes_value: bool,
    /// Environment variable and its default.
    variable: Option<String>,
}

/// Flags of anvil and their aliases.
fn flags_of_anvil() -> Vec<Flag> {
    let output = Command::new(TOOLS.anvil()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut flags: Vec<Flag> = Vec::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with('-') && line.contains("--") {
            let words = line.split([' ', ',']).filter(|word| word.starts_with('-'));
            // `--verbosity...` may be repeated.
            let names = words.map(|word| word.trim_end_matches('.').to_owned()).collect();
            flags.push(Flag { names, takes_value: line.contains('<'), variable: None });
        }
        if let (Some(variable), Some(flag)) = (line.strip_prefix("[env: "), flags.last_mut()) {
            flag.variable = variable.split_once('=').map(|(name, _)| name.to_owned());
        }
        if let (Some(aliases), Some(flag)) = (line.strip_prefix("[aliases: "), flags.last_mut()) {
            let aliases = aliases.trim_end_matches(']').split(", ");
            flag.names.extend(aliases.map(|alias| format!("--{}", alias.trim_start_matches('-'))));
        }
    }
    flags
}

/// A value that anvil accepts.
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
fn anvil_flags_work_or_are_rejected_with_advice() {
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
            // Flags about a fork or an interval require one.
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

#[test]
fn environment_variables_match_anvil() {
    let devnet = Devnet::command();
    let flags = flags_of_anvil();
    let with_variables: Vec<_> = flags.iter().filter(|flag| flag.variable.is_some()).collect();
    assert!(!with_variables.is_empty());
    for flag in with_variables {
        let is_it =
            |name: &str| flag.names.iter().any(|known| known.trim_start_matches('-') == name);
        let argument = devnet.get_arguments().find(|known| known.get_long().is_some_and(is_it));
        let variable = argument.and_then(|argument| argument.get_env()?.to_str());
        assert_eq!(variable, flag.variable.as_deref(), "{flag:?}");
    }
}

/// Returns the file that anvil writes for `--config-out`.
fn config_of_anvil(path: &Path, flags: &[&str]) -> Value {
    let port = testkit::free_port().unwrap();
    let mut anvil = tool(TOOLS.anvil())
        .args(["--port", &port.to_string(), "--config-out"])
        .arg(path)
        .args(flags)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let written = loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Ok(written) = serde_json::from_str(&text) {
            break written;
        }
        assert_eq!(anvil.try_wait().unwrap(), None, "{flags:?}");
        thread::sleep(Duration::from_millis(20));
    };
    anvil.kill().unwrap();
    anvil.wait().unwrap();
    written
}

#[test]
fn config_out_matches_anvil() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, members: &str| {
        let path = folder.path().join(name);
        let text =
            format!(r#"{{"config":{{"chainId":99}},"alloc":{{}},"difficulty":"0x0",{members}}}"#);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let limit = r#""timestamp":"0x10","gasLimit":"0x1c9c380""#;
    let (plain, cheap) =
        (file("plain", limit), file("cheap", &format!(r#"{limit},"baseFeePerGas":"0x77""#)));
    let other = serve(|config| config.base_fee = 1_234_567);
    let url = other.url();
    let runtime = Runtime::new().unwrap();
    for flags in [
        ["--timestamp", "5"].as_slice(),
        &["--timestamp", "5", "--base-fee", "7", "--gas-limit", "40000000", "--gas-price", "33"],
        &["--timestamp", "5", "--hardfork", "berlin"],
        &["--init", &plain],
        &["--init", &cheap],
        &["--init", &cheap, "--base-fee", "7"],
        &["--fork-url", &url],
        &["--fork-url", &url, "--chain-id", "5", "--gas-limit", "50000000"],
        &["--fork-url", &url, "--base-fee", "9", "--gas-price", "11"],
    ] {
        let path = folder.path().join("config.json");
        let expected = config_of_anvil(&path, flags);
        std::fs::remove_file(&path).unwrap();
        let words = ["devnet", "--port", "0"].iter().chain(flags);
        let config = Devnet::try_parse_from(words).unwrap().args.config().unwrap();
        let devnet = runtime.block_on(enshrine_devnet::Devnet::start(config)).unwrap();
        let got = config_out(devnet.config(), devnet.accounts(), &devnet.facts());
        assert_eq!(got, expected, "{flags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn occupied_port_error_names_flag() {
    let devnet = enshrine_devnet::Devnet::builder().spawn().await.unwrap();
    let again = enshrine_devnet::Devnet::builder().port(devnet.port());
    let error = again.spawn().await.unwrap_err();
    assert!(error.to_string().contains("--port"), "{error}");
}
