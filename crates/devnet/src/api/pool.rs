//! Transactions that wait, and who may send.

use super::{Method, args::Args};
use crate::world::World;
use alloy_primitives::{Address, B256};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["anvil_dropTransaction", "hardhat_dropTransaction"], drop_one),
    (&["anvil_dropAllTransactions", "hardhat_dropAllTransactions"], drop_all),
    (&["anvil_removePoolTransactions"], drop_sender),
    (&["anvil_impersonateAccount", "hardhat_impersonateAccount"], impersonate),
    (&["anvil_stopImpersonatingAccount", "hardhat_stopImpersonatingAccount"], stop_impersonating),
    (&["anvil_autoImpersonateAccount", "hardhat_autoImpersonateAccount"], impersonate_all),
];

fn drop_one(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let hash: B256 = args.next()?;
    Ok(json!(world.node.change(|node| node.pool.remove(&hash)).map(|_| hash)))
}

fn drop_all(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    world.node.change(|node| node.pool.clear());
    Ok(Value::Null)
}

fn drop_sender(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let sender: Address = args.next()?;
    world.node.change(|node| node.pool.remove_sender(sender));
    Ok(Value::Null)
}

fn impersonate(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let address: Address = args.next()?;
    world.node.change(|node| node.settings.impersonated.insert(address));
    Ok(Value::Null)
}

fn stop_impersonating(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let address: Address = args.next()?;
    world.node.change(|node| node.settings.impersonated.remove(&address));
    Ok(Value::Null)
}

fn impersonate_all(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let all: bool = args.next()?;
    world.node.change(|node| node.settings.impersonate_all = all);
    Ok(Value::Null)
}
