//! State and block overrides of a call.

use crate::RpcError;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, U256, map::AddressSet};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use chain::{ChainError, EditState as _};
use executor::{BlockState, ReadError, StateSource};
use revm::context::BlockEnv;

/// Applies state overrides to the state of a call.
pub(crate) fn apply_state<S: StateSource>(
    state: &mut BlockState<'_, S>,
    overrides: &StateOverride,
) -> Result<(), RpcError> {
    for (address, account) in overrides {
        if account.state.is_some() && account.state_diff.is_some() {
            return Err(RpcError::params(format!(
                "account {address} has both 'state' and 'stateDiff': give one of them"
            )));
        }
        apply_account(state, *address, account).map_err(ChainError::from)?;
    }
    Ok(())
}

fn apply_account<S: StateSource>(
    state: &mut BlockState<'_, S>,
    address: Address,
    account: &AccountOverride,
) -> Result<(), ReadError> {
    if let Some(nonce) = account.nonce {
        state.set_nonce(address, nonce)?;
    }
    if let Some(code) = &account.code {
        state.set_code(address, code.clone())?;
    }
    if let Some(balance) = account.balance {
        state.set_balance(address, balance)?;
    }
    if account.state.is_some() {
        state.clear_storage(address)?;
    }
    for (slot, value) in account.state.iter().chain(&account.state_diff).flatten() {
        state.set_slot(address, (*slot).into(), (*value).into())?;
    }
    Ok(())
}

/// Moves precompiles to the addresses given in the state overrides. An overridden address has no
/// precompile unless one is moved there.
pub(crate) fn move_precompiles(
    precompiles: &mut PrecompilesMap,
    overrides: &StateOverride,
) -> Result<(), RpcError> {
    let known: AddressSet = precompiles.addresses().copied().collect();
    let mut moves = Vec::new();
    for (from, to) in
        overrides.iter().filter_map(|(from, account)| Some((*from, account.move_precompile_to?)))
    {
        if !known.contains(&from) {
            return Err(RpcError::server(format!("account {from:?} is not a precompile")));
        }
        if overrides.contains_key(&to) {
            return Err(RpcError::server(format!("account {to:?} is already overridden")));
        }
        moves.push((from, to));
    }
    let mut moved = Vec::new();
    for (from, to) in moves {
        precompiles.apply_precompile(&from, |precompile| {
            moved.push((to, precompile));
            None
        });
    }
    for address in overrides.keys().filter(|address| known.contains(*address)) {
        precompiles.apply_precompile(address, |_| None);
    }
    for (to, moved) in moved {
        precompiles.apply_precompile(&to, |_| moved);
    }
    Ok(())
}

/// Addresses that are warm in every transaction, after precompiles have been moved.
pub(crate) fn warm_addresses(precompiles: &PrecompilesMap) -> AddressSet {
    precompiles.addresses().copied().collect()
}

/// Applies block overrides to the block environment of a call.
pub(crate) fn apply_block(block: &mut BlockEnv, overrides: &BlockOverrides) {
    if let Some(number) = overrides.number {
        block.number = number;
    }
    if let Some(difficulty) = overrides.difficulty {
        block.difficulty = difficulty;
    }
    if let Some(time) = overrides.time {
        block.timestamp = U256::from(time);
    }
    if let Some(gas_limit) = overrides.gas_limit {
        block.gas_limit = gas_limit;
    }
    if let Some(coinbase) = overrides.coinbase {
        block.beneficiary = coinbase;
    }
    if let Some(random) = overrides.random {
        block.prevrandao = Some(random);
    }
    if let Some(base_fee) = overrides.base_fee {
        block.basefee = base_fee.saturating_to();
    }
    if let Some(fee) = overrides.blob_base_fee {
        let price = fee.saturating_to();
        let excess = block.blob_excess_gas_and_price.map_or(0, |blob| blob.excess_blob_gas);
        block.blob_excess_gas_and_price =
            Some(revm::context_interface::block::BlobExcessGasAndPrice {
                excess_blob_gas: excess,
                blob_gasprice: price,
            });
    }
}
