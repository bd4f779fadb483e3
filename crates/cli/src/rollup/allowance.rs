//! Flags that allow balances and codes in a genesis.

use contracts::GenesisAllowance;
use core::str::FromStr;
use eyre::{Result, eyre};

/// Parses `ADDRESS=VALUE`.
pub(super) fn parse_pair<K: FromStr, V: FromStr>(text: &str) -> Result<(K, V), String> {
    // An empty text would parse as the number zero.
    let pair = text.split_once('=').filter(|(_, value)| !value.is_empty());
    let (address, value) = pair.ok_or("expected ADDRESS=VALUE")?;
    let address = address.parse().map_err(|_| format!("{address} is not an address"))?;
    let value = value.parse().map_err(|_| format!("{value} is not a value of this flag"))?;
    Ok((address, value))
}

/// Parses the values of `--allow-balance` and `--allow-code`.
pub(super) fn allowance(balances: &[String], codes: &[String]) -> Result<GenesisAllowance> {
    Ok(GenesisAllowance {
        balances: pairs("--allow-balance", balances)?,
        codes: pairs("--allow-code", codes)?,
    })
}

fn pairs<K: FromStr, V: FromStr, C: FromIterator<(K, V)>>(flag: &str, all: &[String]) -> Result<C> {
    let pair =
        |text: &String| parse_pair(text.trim()).map_err(|error| eyre!("{flag} {text}: {error}"));
    all.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B256, U256};

    #[test]
    fn malformed_allowance_error_contains_flag() {
        let (account, hash) = (Address::repeat_byte(7), B256::repeat_byte(9));
        let balances = [format!("{account}=5"), format!(" {}=0x10", Address::ZERO)];
        let read = allowance(&balances, &[format!("{account}={hash}")]).unwrap();
        assert_eq!(read.balances[&account], U256::from(5));
        assert_eq!(read.balances[&Address::ZERO], U256::from(16));
        assert_eq!(read.codes[&account], hash);
        for malformed in ["", "7", "0x07=5", &format!("{account}="), &format!("{account}=ether")] {
            let error = allowance(&[malformed.to_owned()], &[]).unwrap_err().to_string();
            assert!(error.starts_with("--allow-balance "), "{error}");
        }
        let error = allowance(&[], &[format!("{account}=5")]).unwrap_err().to_string();
        assert!(error.starts_with("--allow-code "), "{error}");
    }
}
