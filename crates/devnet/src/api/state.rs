//! Cheats that change the state.

use super::{
    Method,
    args::{Args, Number},
};
use crate::{cheats::EditState, exec, state::DevnetState};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use rpc::RpcError;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["anvil_setBalance", "hardhat_setBalance", "tenderly_setBalance"], set_balance),
    (&["anvil_addBalance", "hardhat_addBalance", "tenderly_addBalance"], add_balance),
    (&["anvil_setNonce", "hardhat_setNonce", "evm_setAccountNonce"], set_nonce),
    (&["anvil_setCode", "hardhat_setCode"], set_code),
    (&["anvil_setStorageAt", "hardhat_setStorageAt"], set_storage),
    (&["anvil_dealERC20", "hardhat_dealERC20", "anvil_setERC20Balance"], deal),
    (&["anvil_setERC20Allowance"], set_allowance),
];

sol! {
    function balanceOf(address of) external returns (uint256);
    function allowance(address owner, address spender) external returns (uint256);
}

/// Changes the state after the head.
fn edit(devnet: &DevnetState, change: EditState) -> Result<Value, RpcError> {
    // Commands lock the chain for all readers, so they must not wait for the forked node. The
    // values that the change reads from it are therefore cached first, by applying the change to a
    // copy that is discarded.
    if devnet.remote().is_some() {
        change.clone().edit(&devnet.node.state().detached())?;
    }
    devnet.node.execute(change)?;
    Ok(Value::Null)
}

fn set_balance(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, balance): (Address, Number) = (args.required()?, args.required()?);
    edit(devnet, EditState::Balance(address, balance.0))
}

fn add_balance(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, more): (Address, Number) = (args.required()?, args.required()?);
    edit(devnet, EditState::AddBalance(address, more.0))
}

fn set_nonce(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let address: Address = args.required()?;
    let nonce = args.required::<Number>()?.u64()?;
    edit(devnet, EditState::Nonce(address, nonce))
}

fn set_code(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, code): (Address, Bytes) = (args.required()?, args.required()?);
    edit(devnet, EditState::Code(address, code))
}

fn set_storage(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (address, slot, value): (Address, Number, B256) =
        (args.required()?, args.required()?, args.required()?);
    edit(devnet, EditState::Slot(address, slot.0, value.into()))?;
    Ok(json!(true))
}

/// Makes a view function return `value`, by writing the storage slot that it reads.
fn set_returned(
    devnet: &DevnetState,
    contract: Address,
    calldata: Vec<u8>,
    value: U256,
    what: &str,
) -> Result<Value, RpcError> {
    let not_found = || RpcError::failed(format!("Unable to set ERC20 {what}, no slot found"));
    let state = devnet.node.state();
    let calldata = Bytes::from(calldata);
    let (_, slots) = exec::view(&state, contract, calldata.clone()).map_err(|_| not_found())?;
    // Tries each slot that the call reads, on a copy of the state.
    let slot = slots.into_iter().find(|(address, slot)| {
        let tried = state.detached().edit(|state| state.set_slot(*address, *slot, value));
        let returned =
            tried.ok().and_then(|state| exec::view(&state, contract, calldata.clone()).ok());
        returned.is_some_and(|(output, _)| output.as_ref() == value.to_be_bytes::<32>())
    });
    let (address, slot) = slot.ok_or_else(not_found)?;
    edit(devnet, EditState::Slot(address, slot, value))
}

fn deal(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (of, token, value): (Address, Address, Number) =
        (args.required()?, args.required()?, args.required()?);
    set_returned(devnet, token, balanceOfCall { of }.abi_encode(), value.0, "balance")
}

fn set_allowance(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (owner, spender): (Address, Address) = (args.required()?, args.required()?);
    let (token, value): (Address, Number) = (args.required()?, args.required()?);
    let calldata = allowanceCall { owner, spender }.abi_encode();
    set_returned(devnet, token, calldata, value.0, "allowance")
}
