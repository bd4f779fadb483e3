//! Startup output of a devnet, for users and for programs.

use crate::{Accounts, DevnetConfig, Origin, genesis::base_fee_before};
use alloy_primitives::{B256, utils::format_ether};
use client::RedactedUrl;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The project's name in ASCII art.
const NAME: &str = r"
                        _          _
      ___   _ __   ___ | |__   _ _(_) _ __    ___
     / _ \ | '_ \ / __|| '_ \ | '_| || '_ \  / _ \
    |  __/ | | | |\__ \| | | || | | || | | ||  __/
     \___| |_| |_||___/|_| |_||_| |_||_| |_| \___|
";

/// Properties of a running chain that the banner shows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Chain id.
    pub chain_id: u64,
    /// Base fee of the next block, in wei.
    pub base_fee: u64,
    /// Gas limit of the next block.
    pub gas_limit: u64,
    /// Timestamp of the first block, in seconds.
    pub genesis_time: u64,
    /// Number of the first block.
    pub genesis_number: u64,
    /// The forked block, if the chain is a fork.
    pub fork: Option<ForkOrigin>,
}

/// Block of the forked node on which a chain is built.
#[derive(Debug, Clone)]
pub struct ForkOrigin {
    /// URL of the forked node.
    pub url: RedactedUrl,
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Base fee of the block, in wei.
    pub base_fee: u64,
}

/// Returns the text that is printed before the node listens: accounts with their keys, and
/// properties of the chain. It has the same sections as anvil's banner, because programs parse
/// them.
pub fn banner(config: &DevnetConfig, accounts: &Accounts, facts: &Facts) -> String {
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
    if let Some(ForkOrigin { url, number, hash, .. }) = &facts.fork {
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
    let _ = writeln!(text, "{}{}", section("Rules"), config.rules());
    text
}

fn section(title: &str) -> String {
    format!("\n{title}\n==================\n\n")
}

/// Returns the content of the `--config-out` file, with anvil's members.
pub fn config_out(config: &DevnetConfig, accounts: &Accounts, facts: &Facts) -> Value {
    let lower = |address: alloy_primitives::Address| format!("{address:#x}");
    let mut out = json!({
        "available_accounts": accounts.addresses().map(lower).collect::<Vec<_>>(),
        "private_keys": accounts.secrets().collect::<Vec<_>>(),
        "wallet": {
            "mnemonic": accounts.mnemonic,
            "derivation_path": accounts.derivation_path,
        },
        "base_fee": reported_base_fee(config, facts).to_string(),
    });
    // On a fork, the suggested price is the base fee of the next block plus a tip.
    let suggested = match &facts.fork {
        Some(_) => u128::from(facts.base_fee) + DevnetConfig::TIP,
        None => DevnetConfig::LEGACY_GAS_PRICE,
    };
    out["gas_price"] = config.gas_price.unwrap_or(suggested).to_string().into();
    match &facts.fork {
        Some(ForkOrigin { url, number, hash, .. }) => {
            out["endpoint"] = url.to_string().into();
            out["block_number"] = (*number).into();
            out["block_hash"] = hash.to_string().into();
            out["chain_id"] = facts.chain_id.into();
            out["gas_limit"] = facts.gas_limit.to_string().into();
        }
        None => {
            let limit = Some(config.gas_limit).filter(|limit| *limit != DevnetConfig::GAS_LIMIT);
            out["gas_limit"] = limit.map(|limit| limit.to_string()).into();
            out["genesis_timestamp"] = facts.genesis_time.to_string().into();
        }
    }
    out
}

/// Returns the base fee that anvil would report: the flag's, or that of the first block.
fn reported_base_fee(config: &DevnetConfig, facts: &Facts) -> u64 {
    match (&config.origin, &facts.fork) {
        (Origin::Fork(fork), Some(continued)) => fork.base_fee.unwrap_or(continued.base_fee),
        (Origin::Genesis { genesis, .. }, _) => match genesis.base_fee_per_gas {
            // The flag sets the base fee of the block after the genesis.
            Some(fee) if fee != u128::from(base_fee_before(config.base_fee)) => {
                fee.try_into().unwrap_or(u64::MAX)
            }
            _ => config.base_fee,
        },
        _ => config.base_fee,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(config: &DevnetConfig) -> Accounts {
        Accounts::derive(&config.mnemonic, &config.derivation_path, config.accounts).unwrap()
    }

    #[test]
    fn banner_shows_accounts_keys_and_chain() {
        let config = DevnetConfig::default();
        let facts = Facts {
            chain_id: 31337,
            base_fee: 77,
            gas_limit: 88,
            genesis_time: 1_700_000_000,
            genesis_number: 5,
            fork: Some(ForkOrigin {
                url: RedactedUrl::new("http://user:S3CRET@there/S3CRET"),
                number: 5,
                hash: B256::ZERO,
                base_fee: 88,
            }),
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
    fn banner_shows_active_rules() {
        let strict = DevnetConfig::default().with_mainnet_rules();
        let loose = DevnetConfig { loose_timestamps: true, ..strict.clone() };
        let sized =
            |limit| DevnetConfig { code_size_limit: Some(limit), ..DevnetConfig::default() };
        let strict_and_sized = DevnetConfig { code_size_limit: Some(50_000), ..strict.clone() };
        for (config, said) in [
            (DevnetConfig::default(), "anvil's; --mainnet enforces what L1 does"),
            (
                strict,
                "mainnet's: increasing timestamps, the gas cap of EIP-7825, 131072 bytes per \
                 transaction, the calldata floor of EIP-7623 at admission",
            ),
            (
                loose,
                "anvil's, with the gas cap of EIP-7825, 131072 bytes per transaction, the calldata \
                 floor of EIP-7623 at admission",
            ),
            (
                sized(50_000),
                "anvil's; --mainnet enforces what L1 does; contract code of at most 50000 bytes",
            ),
            (
                sized(usize::MAX),
                "anvil's; --mainnet enforces what L1 does; contract code of any size",
            ),
            (
                strict_and_sized,
                "mainnet's: increasing timestamps, the gas cap of EIP-7825, 131072 bytes per \
                 transaction, the calldata floor of EIP-7623 at admission; contract code of at \
                 most 50000 bytes",
            ),
        ] {
            let facts = Facts {
                chain_id: 1,
                base_fee: 0,
                gas_limit: 0,
                genesis_time: 0,
                genesis_number: 0,
                fork: None,
            };
            let text = banner(&config, &accounts(&config), &facts);
            assert!(text.ends_with(&format!("\nRules\n==================\n\n{said}\n")), "{text}");
        }
    }
}
