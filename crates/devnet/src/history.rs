//! States of earlier blocks in state files, in the format of anvil's in-memory database.

use crate::state_file::plain_or_hex_number;
use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256,
    map::{AddressMap, HashMap},
};
use alloy_trie::EMPTY_ROOT_HASH;
use chain::{ChainError, EditState as _, State};
use revm::{bytecode::Bytecode, state::AccountInfo};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// State after a block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PastState {
    accounts: BTreeMap<Address, PastAccount>,
    #[serde(default)]
    storage: BTreeMap<Address, BTreeMap<U256, U256>>,
    /// Block hashes by number, for BLOCKHASH.
    #[serde(default)]
    block_hashes: BTreeMap<U256, B256>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PastAccount {
    balance: U256,
    #[serde(with = "plain_or_hex_number")]
    nonce: u64,
    code_hash: B256,
    #[serde(default)]
    code: Option<PastCode>,
}

/// Code in the format of anvil's EVM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum PastCode {
    LegacyAnalyzed {
        /// Code padded with zeros, so that its last instruction is complete.
        bytecode: Bytes,
        /// Length of the code without the padding.
        original_len: usize,
        /// One bit per byte, set at jump destinations.
        jump_table: Value,
    },
    Eip7702 {
        delegated_address: Address,
        version: u8,
        raw: Bytes,
    },
}

impl PastCode {
    fn of(code: &Bytes) -> Self {
        if let Some(delegate) = code.strip_prefix(&[0xef, 0x01, 0x00]).filter(|d| d.len() == 20) {
            let delegated_address = Address::from_slice(delegate);
            return Self::Eip7702 { delegated_address, version: 0, raw: code.clone() };
        }
        let (jumps, end) = jumps(code);
        Self::LegacyAnalyzed {
            bytecode: [&code[..], &vec![0; end - code.len() + 1]].concat().into(),
            original_len: code.len(),
            jump_table: json!({
                "order": "bitvec::order::Lsb0",
                "head": { "width": 8, "index": 0 },
                "bits": code.len(),
                "data": jumps,
            }),
        }
    }

    fn code(&self) -> Bytes {
        match self {
            Self::LegacyAnalyzed { bytecode, original_len, .. } => {
                bytecode.slice(..bytecode.len().min(*original_len))
            }
            Self::Eip7702 { raw, .. } => raw.clone(),
        }
    }
}

/// Finds a code's jump destinations and the end of its last instruction.
fn jumps(code: &[u8]) -> (Vec<u8>, usize) {
    const JUMPDEST: u8 = 0x5b;
    const PUSH: std::ops::RangeInclusive<u8> = 0x60..=0x7f;
    let mut bits = vec![0; code.len().div_ceil(8)];
    let mut at = 0;
    while let Some(opcode) = code.get(at) {
        if *opcode == JUMPDEST {
            bits[at / 8] |= 1 << (at % 8);
        }
        let pushed = if PUSH.contains(opcode) { usize::from(opcode - PUSH.start()) + 1 } else { 0 };
        at += 1 + pushed;
    }
    (bits, at)
}

/// Converts code to revm's representation.
pub(crate) fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}

/// Values that were read from a state: accounts, slots and block hashes.
pub(crate) type Values =
    (AddressMap<Option<AccountInfo>>, HashMap<(Address, U256), U256>, HashMap<u64, B256>);

impl PastState {
    /// Creates a state that contains these values.
    pub(crate) fn of_values((accounts, slots, hashes): &Values) -> Self {
        let mut past = Self::default();
        for (address, account) in accounts {
            // An absent account is written as an empty one.
            let account = account.clone().unwrap_or_default();
            let code = account.code.as_ref().map(Bytecode::original_bytes);
            let (balance, nonce) = (account.balance, account.nonce);
            let code_hash = account.code_hash;
            let code = code.as_ref().map(PastCode::of);
            past.accounts.insert(*address, PastAccount { balance, nonce, code_hash, code });
        }
        for ((address, slot), value) in slots {
            past.storage.entry(*address).or_default().insert(*slot, *value);
        }
        past.block_hashes =
            hashes.iter().map(|(number, hash)| (U256::from(*number), *hash)).collect();
        past
    }

    /// Converts back to values. An account whose code does not match its code hash is omitted.
    pub(crate) fn into_values(self) -> Values {
        let mut values = Values::default();
        for (address, account) in self.accounts {
            let code = account.code.as_ref().map(PastCode::code).unwrap_or_default();
            if keccak256(&code) != account.code_hash {
                continue;
            }
            let is_there = !account.balance.is_zero() || account.nonce > 0 || !code.is_empty();
            values.0.insert(
                address,
                is_there.then(|| AccountInfo {
                    balance: account.balance,
                    nonce: account.nonce,
                    code_hash: account.code_hash,
                    code: Some(bytecode(&code)),
                    account_id: None,
                }),
            );
        }
        for (address, slots) in self.storage {
            values.1.extend(slots.into_iter().map(|(slot, value)| ((address, slot), value)));
        }
        let hashes = self.block_hashes.into_iter();
        values.2 =
            hashes.filter_map(|(number, hash)| Some((number.try_into().ok()?, hash))).collect();
        values
    }

    /// Collects a state, as far as the preimages of its keys are known.
    pub(crate) fn of(
        state: &State,
        preimages: &BTreeMap<Address, BTreeSet<U256>>,
    ) -> Result<Self, ChainError> {
        let mut past = Self::default();
        for (address, slots) in preimages {
            let Some(account) = state.account(*address)? else { continue };
            let code = state.code(*address)?;
            let code = Some(PastCode::of(&code));
            let (balance, nonce) = (account.balance, account.nonce);
            let code_hash = account.code_hash;
            past.accounts.insert(*address, PastAccount { balance, nonce, code_hash, code });
            let mut storage = BTreeMap::new();
            for slot in slots {
                let value = state.storage(*address, *slot)?;
                if !value.is_zero() {
                    storage.insert(*slot, value);
                }
            }
            past.storage.insert(*address, storage);
        }
        let block = state.block();
        past.block_hashes.insert(U256::from(block.header.number), block.hash);
        Ok(past)
    }

    /// Writes the state to a chain's store and returns its root. `any` is any state in that store.
    pub(crate) fn put(&self, any: &State) -> Result<B256, ChainError> {
        let put = any.with_root(EMPTY_ROOT_HASH).edit(|state| {
            for (address, account) in &self.accounts {
                state.set_balance(*address, account.balance)?;
                state.set_nonce(*address, account.nonce)?;
                if let Some(code) =
                    account.code.as_ref().filter(|_| account.code_hash != KECCAK256_EMPTY)
                {
                    state.set_code(*address, code.code())?;
                }
            }
            for (address, slots) in &self.storage {
                for (slot, value) in slots {
                    state.set_slot(*address, *slot, *value)?;
                }
            }
            Ok(())
        })?;
        Ok(put.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::bytes;

    #[test]
    fn code_padding_round_trips() {
        // A jump destination, a `JUMPDEST` byte in push data, and a push without two of its three
        // bytes.
        let code = bytes!("5b605b5b62ff");
        let past = PastCode::of(&code);
        assert_eq!(past.code(), code);
        let written = serde_json::to_value(&past).unwrap();
        assert_eq!(written["LegacyAnalyzed"]["bytecode"], "0x5b605b5b62ff000000");
        assert_eq!(written["LegacyAnalyzed"]["jump_table"]["data"], json!([0b1001]));
        assert_eq!(PastCode::of(&Bytes::new()).code(), Bytes::new());
        let delegation = bytes!("ef010000000000000000000000000000000000000000aa");
        assert!(matches!(PastCode::of(&delegation), PastCode::Eip7702 { .. }));
    }
}
