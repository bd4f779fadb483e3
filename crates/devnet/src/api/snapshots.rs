//! Moments to come back to, and other ways of undoing blocks.

use super::{
    Method,
    args::{Args, Number, internal, invalid},
};
use crate::world::World;
use alloy_primitives::B256;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["anvil_snapshot", "evm_snapshot"], snapshot),
    (&["anvil_revert", "evm_revert"], revert),
    (&["anvil_rollback"], rollback),
    (&["anvil_reset", "hardhat_reset"], reset),
];

fn snapshot(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    args.none()?;
    let snapshot = world.node.read(node::World::snapshot);
    Ok(json!(format!("{:#x}", world.snapshots.lock().put(snapshot))))
}

fn revert(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let number = args.next::<Number>()?.u64()?;
    let Some(snapshot) = world.snapshots.lock().take(number) else { return Ok(json!(false)) };
    world.node.change(|node| {
        // What waits and how blocks are made stays as it is: a snapshot is one of the chain.
        let (pool, settings) = (node.pool.clone(), node.settings.clone());
        node.restore(&snapshot);
        (node.pool, node.settings) = (pool, settings);
    });
    Ok(json!(true))
}

/// Makes the block that is `depth` below the head the head.
pub(super) fn go_back(world: &World, depth: u64, what: &str) -> Result<(), ErrorObjectOwned> {
    world.node.change(|node| {
        let height = node.chain.head().header.number;
        let target =
            height.checked_sub(depth).and_then(|number| node.chain.canonical_block(number));
        let Some(block) = target else {
            return Err(invalid(format!(
                "{what} depth must not exceed current chain height: current height {height}, depth \
                 {depth}"
            )));
        };
        let state = node.chain.state_after(&block);
        node.chain.set_state(&state);
        node.clock.set(block.header.timestamp);
        Ok(())
    })
}

fn rollback(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    go_back(world, args.optional::<u64>()?.unwrap_or(1), "Rollback")?;
    Ok(Value::Null)
}

fn reset(world: &World, args: &mut Args) -> Result<Value, ErrorObjectOwned> {
    let options: Option<Value> = args.optional()?;
    if options.as_ref().and_then(|options| options.get("forking")).is_some_and(|f| !f.is_null()) {
        return Err(internal("this devnet was not started as a fork of another node"));
    }
    world.snapshots.lock().clear();
    *world.instance.lock() = B256::random();
    world.node.change(|node| {
        node.restore(&world.start);
        node.sidecars.clear();
        let time = world.config.timestamp.unwrap_or_else(|| node.chain.head().header.timestamp);
        node.clock.set(time);
    });
    Ok(Value::Null)
}
