//! What a devnet says when it starts, for people and for programs.

use crate::{Accounts, Config};
use alloy_primitives::{B256, U256, utils::format_ether};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The name in letters.
const NAME: &str = r"
                        _          _
      ___   _ __   ___ | |__   _ _(_) _ __    ___
     / _ \ | '_ \ / __|| '_ \ | '_| || '_ \  / _ \
    |  __/ | | | |\__ \| | | || | | || | | ||  __/
     \___| |_| |_||___/|_| |_||_| |_||_| |_| \___|
";

/// What is true of a chain once it has started.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its id.
    pub chain_id: u64,
    /// Base fee of the next block, in wei.
    pub base_fee: u64,
    /// Gas limit of the next block.
    pub gas_limit: u64,
    /// Time of its first block, in seconds.
    pub genesis_time: u64,
    /// Number of its first block.
    pub genesis_number: u64,
    /// The block that it continues, if it does: address of the other node, number and hash.
    pub fork: Option<(String, u64, B256)>,
}

/// What is printed before the node listens: the accounts with their keys, and the chain. The
/// sections are anvil's, since programs read them.
pub fn banner(config: &Config, accounts: &Accounts, facts: &Facts) -> String {
    let mut text = format!("\n{NAME}\n    {}\n", env!("CARGO_PKG_VERSION"));
    text += &section("Available Accounts");
    let ether = format_ether(config.balance);
    for (index, address) in accounts.addresses().enumerate() {
        let _ = writeln!(text, "({index}) {address} ({ether} ETH)");
    }
    text += &section("Private Keys");
    for (index, secret) in accounts.secrets().enumerate() {
        let _ = writeln!(text, "({index}) {secret}");
    }
    text += &section("Wallet");
    let _ = writeln!(text, "Mnemonic:          {}", accounts.mnemonic);
    let _ = writeln!(text, "Derivation path:   {}", accounts.derivation_path);
    if let Some((url, number, hash)) = &facts.fork {
        text += &section("Fork");
        let _ = writeln!(text, "Endpoint:       {url}");
        let _ = writeln!(text, "Block number:   {number}");
        let _ = writeln!(text, "Block hash:     {hash}");
        let _ = writeln!(text, "Chain ID:       {}", facts.chain_id);
    }
    let lines = [
        ("Chain ID", facts.chain_id),
        ("Base Fee", facts.base_fee),
        ("Gas Limit", facts.gas_limit),
        ("Genesis Timestamp", facts.genesis_time),
        ("Genesis Number", facts.genesis_number),
    ];
    for (title, value) in lines {
        let _ = writeln!(text, "{}{value}", section(title));
    }
    text
}

fn section(title: &str) -> String {
    format!("\n{title}\n==================\n\n")
}

/// What `--config-out` writes: the same members as anvil's.
pub fn config_out(config: &Config, accounts: &Accounts, genesis_time: u64) -> Value {
    let gas_price = config.gas_price.map_or_else(|| suggested(config.base_fee), U256::from);
    let lower = |address: alloy_primitives::Address| format!("{address:#x}");
    json!({
        "available_accounts": accounts.addresses().map(lower).collect::<Vec<_>>(),
        "private_keys": accounts.secrets().collect::<Vec<_>>(),
        "wallet": {
            "mnemonic": accounts.mnemonic,
            "derivation_path": accounts.derivation_path,
        },
        "base_fee": config.base_fee.to_string(),
        "gas_price": gas_price.to_string(),
        "gas_limit": (config.gas_limit != Config::GAS_LIMIT).then(|| config.gas_limit.to_string()),
        "genesis_timestamp": genesis_time.to_string(),
    })
}

/// What anvil writes as the price of gas of a fresh chain: the base fee of the block after an empty
/// one, and a tip of one gwei.
fn suggested(base_fee: u64) -> U256 {
    U256::from(base_fee - base_fee / 8) + U256::from(1_000_000_000_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(config: &Config) -> Accounts {
        Accounts::derive(&config.mnemonic, &config.derivation_path, config.accounts).unwrap()
    }

    #[test]
    fn the_banner_names_accounts_keys_and_chain() {
        let config = Config::default();
        let facts = Facts {
            chain_id: 31337,
            base_fee: 77,
            gas_limit: 88,
            genesis_time: 1_700_000_000,
            genesis_number: 5,
            fork: Some(("http://there".to_owned(), 5, B256::ZERO)),
        };
        let text = banner(&config, &accounts(&config), &facts);
        for line in [
            "Endpoint:       http://there",
            "Block number:   5",
            "77",
            "88",
            "(0) 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 (10000.000000000000000000 ETH)",
            "(0) 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "Mnemonic:          test test test test test test test test test test test junk",
            "31337",
            "1700000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(
            !banner(&config, &accounts(&config), &Facts { fork: None, ..facts }).contains("Fork")
        );
    }

    #[test]
    fn the_machine_readable_form_is_anvils() {
        let config = Config { accounts: 1, ..Config::default() };
        let expected = json!({
            "available_accounts": ["0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"],
            "private_keys": ["0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"],
            "wallet": {
                "mnemonic": "test test test test test test test test test test test junk",
                "derivation_path": "m/44'/60'/0'/0/",
            },
            "base_fee": "1000000000",
            "gas_price": "1875000000",
            "gas_limit": null,
            "genesis_timestamp": "1700000000",
        });
        assert_eq!(config_out(&config, &accounts(&config), 1_700_000_000), expected);
    }
}
