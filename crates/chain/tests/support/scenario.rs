//! Fixtures as scenarios: pre-states and transactions, whatever the rules were when they were made.

use super::fixture::{bytes, call, chain_spec, genesis, genesis_header};
use alloy_genesis::GenesisAccount;
use enshrine_chain::{BlockAttributes, Chain, ChainConfig, ChainError};
use execute::{Execute, Networks};
use eyre::{OptionExt, Result, ensure};
use serde_json::Value;
use stateless::{Invalid, SYSTEM_CONTRACTS, SystemCode, decode_transaction};
use std::{collections::BTreeMap, sync::Arc};
use wire::{Withdrawal, convert::RawBlock};

/// What was played.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) blocks: usize,
    pub(crate) transactions: usize,
    /// Transactions that cannot stand in a block: most were meant to be invalid.
    pub(crate) left_out: usize,
}

/// Plays a pack as scenarios; `None` if it is not there.
pub(crate) fn play(name: &str) -> Result<Option<Played>> {
    let mut played = Played::default();
    let present = vectors::fixtures(name, |_, text| {
        let tests: BTreeMap<String, Value> = serde_json::from_slice(text)?;
        for (name, test) in &tests {
            play_test(test, &mut played).map_err(|error| error.wrap_err(name.clone()))?;
        }
        Ok(())
    })?;
    Ok(present.then_some(played))
}

fn play_test(test: &Value, played: &mut Played) -> Result<()> {
    let spec = chain_spec(test["network"].as_str().unwrap_or_default())?;
    let mut genesis = genesis(&test["pre"])?;
    for contract in SYSTEM_CONTRACTS {
        let account =
            GenesisAccount { nonce: Some(1), code: Some(contract.code()), ..Default::default() };
        genesis.alloc.insert(contract.address, account);
    }
    let header = genesis_header(&bytes(&test["genesisRLP"])?)?;
    genesis.gas_limit = header.gas_limit;
    genesis.timestamp = header.timestamp;
    genesis.base_fee_per_gas = header.base_fee_per_gas.map(Into::into);
    genesis.excess_blob_gas = header.excess_blob_gas;
    let config =
        ChainConfig { system_code: SystemCode::Canonical, ..ChainConfig::new(spec.clone()) };
    let mut chain = Chain::new(&genesis, config);
    let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
    for block in test["blocks"].as_array().ok_or_eyre("no blocks")? {
        let Ok(raw) = RawBlock::decode(&bytes(&block["rlp"])?) else { continue };
        if raw.header.timestamp <= chain.head().header.timestamp {
            continue;
        }
        let transactions: Vec<_> =
            raw.transactions.iter().filter_map(|tx| decode_transaction(tx).ok()).collect();
        let attributes = BlockAttributes {
            timestamp: raw.header.timestamp,
            fee_recipient: raw.header.beneficiary,
            prev_randao: raw.header.mix_hash,
            parent_beacon_block_root: raw.header.parent_beacon_block_root.unwrap_or_default(),
            withdrawals: raw.withdrawals.iter().flatten().map(withdrawal).collect(),
            slot_number: raw.header.slot_number.unwrap_or(1),
            ..Default::default()
        };
        let (new, left_out) = match chain.build(&attributes, transactions) {
            // A gas limit chosen to the item for the access list of an older draft is too low for
            // any block today.
            Err(ChainError::Invalid(Invalid::AccessListSize { .. })) => continue,
            built => built?,
        };
        let calldata = new.input()?;
        ensure!(
            call(&execute, &calldata).is_some(),
            "EXECUTE refuses: {:?}",
            execute.run(&calldata, u64::MAX).map(|_| ())
        );
        played.blocks += 1;
        played.transactions += new.block.transactions.len();
        played.left_out += left_out.len();
        chain.append(new);
    }
    Ok(())
}

fn withdrawal(record: &[u8; Withdrawal::LEN]) -> alloy_eips::eip4895::Withdrawal {
    let Withdrawal { index, validator_index, address, amount } = Withdrawal::from_record(record);
    alloy_eips::eip4895::Withdrawal { index, validator_index, address, amount }
}
