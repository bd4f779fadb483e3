//! Transactions that wait, and who may send.

use super::{
    Method,
    args::{Args, invalid},
};
use crate::world::World;
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256};
use jsonrpsee::types::ErrorObjectOwned;
use node::PoolTransaction;
use serde_json::{Map, Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["txpool_status"], status),
    (&["txpool_inspect"], inspect),
    (&["anvil_dropTransaction", "hardhat_dropTransaction"], drop_one),
    (&["anvil_dropAllTransactions", "hardhat_dropAllTransactions"], drop_all),
    (&["anvil_removePoolTransactions"], drop_sender),
    (&["anvil_impersonateAccount", "hardhat_impersonateAccount"], impersonate),
    (&["anvil_stopImpersonatingAccount", "hardhat_stopImpersonatingAccount"], stop_impersonating),
    (&["anvil_autoImpersonateAccount", "hardhat_autoImpersonateAccount"], impersonate_all),
];

/// Transactions by sender and nonce: those that can stand in the next block, and those that miss one
/// before them.
pub(super) fn by_sender(
    world: &World,
    mut show: impl FnMut(&PoolTransaction) -> Value,
) -> (Value, Value) {
    world.node.read(|node| {
        let state = node.chain.state();
        let (mut pending, mut queued) = (Map::new(), Map::new());
        for sender in node.pool.senders() {
            let first = state.nonce(sender).unwrap_or_default();
            let next = node.pool.next_nonce(sender, first);
            for transaction in node.pool.of(sender) {
                let nonce = transaction.nonce();
                let part = if nonce < next { &mut pending } else { &mut queued };
                let sender = part.entry(sender.to_string()).or_insert_with(|| json!({}));
                sender[nonce.to_string()] = show(transaction);
            }
        }
        (Value::Object(pending), Value::Object(queued))
    })
}

fn count(part: &Value) -> String {
    let senders = part.as_object().into_iter().flat_map(Map::values);
    let count: usize = senders.filter_map(Value::as_object).map(Map::len).sum();
    format!("{count:#x}")
}

fn status(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    let (pending, queued) = by_sender(world, |_| Value::Null);
    Ok(json!({ "pending": count(&pending), "queued": count(&queued) }))
}

fn inspect(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    let (pending, queued) = by_sender(world, |waiting| {
        let transaction = &waiting.candidate.transaction;
        let to = match transaction.to() {
            Some(to) => to.to_string(),
            None => "contract creation".to_owned(),
        };
        let (value, gas) = (transaction.value(), transaction.gas_limit());
        json!(format!("{to}: {value} wei + {gas} gas × {} wei", transaction.max_fee_per_gas()))
    });
    Ok(json!({ "pending": pending, "queued": queued }))
}

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
    let all: bool = args.next().map_err(|error| invalid(error.message().to_owned()))?;
    world.node.change(|node| node.settings.impersonate_all = all);
    Ok(Value::Null)
}
