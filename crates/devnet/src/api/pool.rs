//! Methods of the transaction pool and of impersonation.

use super::{Method, args::Args};
use crate::state::DevnetState;
use alloy_primitives::{Address, B256, Bytes};
use node::{ClearPool, RemoveSender, RemoveTransaction};
use rpc::RpcError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const METHODS: &[Method] = &[
    (&["anvil_dropTransaction", "hardhat_dropTransaction"], drop_one),
    (&["anvil_dropAllTransactions", "hardhat_dropAllTransactions"], drop_all),
    (&["anvil_removePoolTransactions"], drop_sender),
    (&["anvil_impersonateAccount", "hardhat_impersonateAccount"], impersonate),
    (&["anvil_stopImpersonatingAccount", "hardhat_stopImpersonatingAccount"], stop_impersonating),
    (&["anvil_autoImpersonateAccount", "hardhat_autoImpersonateAccount"], impersonate_all),
    (&["anvil_impersonateSignature"], impersonate_signature),
];

fn drop_one(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    Ok(json!(devnet.node.execute(RemoveTransaction(hash)).map(|_| hash)))
}

fn drop_all(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    devnet.node.execute(ClearPool);
    Ok(Value::Null)
}

fn drop_sender(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let sender: Address = args.required()?;
    devnet.node.execute(RemoveSender(sender));
    Ok(Value::Null)
}

fn impersonate(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let address: Address = args.required()?;
    devnet.impersonation.lock().accounts.insert(address);
    Ok(Value::Null)
}

fn stop_impersonating(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let address: Address = args.required()?;
    devnet.impersonation.lock().accounts.remove(&address);
    Ok(Value::Null)
}

fn impersonate_all(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let all: bool = args.required()?;
    devnet.impersonation.lock().all = all;
    Ok(Value::Null)
}

/// Parameters of a forged signature: anvil expects a pair, but its clients send two parameters.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SignatureOf {
    Pair(Bytes, Address),
    Alone(Bytes),
}

fn impersonate_signature(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (signature, address) = match args.required()? {
        SignatureOf::Pair(signature, address) => (signature, address),
        SignatureOf::Alone(signature) => (signature, args.required()?),
    };
    // Input of another length cannot be a signature.
    if let Ok(signature) = signature[..].try_into() {
        devnet.change_evm_cheats(|cheats| {
            Arc::make_mut(&mut cheats.signatures).0.insert(signature, address);
        });
    }
    Ok(Value::Null)
}
