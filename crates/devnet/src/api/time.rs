//! Methods for block timestamps.

use super::{
    Method,
    args::{Args, Number},
};
use crate::state::DevnetState;
use node::SetClock;
use rpc::RpcError;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["anvil_setNextBlockTimestamp", "evm_setNextBlockTimestamp"], set_next_timestamp),
    (&["anvil_setBlockTimestampInterval"], set_interval),
    (&["anvil_removeBlockTimestampInterval"], remove_interval),
    (&["anvil_increaseTime", "evm_increaseTime"], increase),
    (&["anvil_setTime", "evm_setTime"], set),
    (&["anvil_getGenesisTime"], genesis_time),
];

/// Threshold between seconds and milliseconds: seconds stay below it for thousands of years,
/// milliseconds have exceeded it since 1973.
const LARGEST_SECONDS: u64 = 100_000_000_000;

/// Rejects a timestamp after which the chain would soon have none left: each block needs a later
/// one, and no later request could set the time back.
fn require_time_left(timestamp: u64) -> Result<(), RpcError> {
    if timestamp <= LARGEST_SECONDS {
        return Ok(());
    }
    Err(RpcError::params(format!("timestamp: got {timestamp}, expected at most {LARGEST_SECONDS}")))
}

/// Sets the timestamp of the next block.
pub(super) fn set_next(devnet: &DevnetState, timestamp: u64) -> Result<(), RpcError> {
    if timestamp < devnet.node.read(|node| node.chain.head().header.timestamp) {
        return Err(RpcError::params(format!(
            "Timestamp error: {timestamp} is lower than previous block's timestamp"
        )));
    }
    require_time_left(timestamp)?;
    devnet.node.execute(SetClock::NextBlock(timestamp));
    Ok(())
}

fn set_next_timestamp(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    set_next(devnet, args.required::<Number>()?.u64()?)?;
    Ok(Value::Null)
}

fn set_interval(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let seconds = args.required::<Number>()?.u64()?;
    let head = devnet.node.read(|node| node.chain.head().header.timestamp);
    require_time_left(head.saturating_add(seconds))?;
    devnet.node.execute(SetClock::Interval(Some(seconds)));
    Ok(Value::Null)
}

fn remove_interval(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    let there = devnet.node.read(|node| node.clock.interval().is_some());
    devnet.node.execute(SetClock::Interval(None));
    Ok(json!(there))
}

fn increase(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let seconds = args.required::<Number>()?.u64()?;
    let now = devnet.node.read(|node| node.clock.now());
    require_time_left(now.saturating_add(seconds))?;
    devnet.node.execute(SetClock::Advance(seconds.into()));
    let offset = devnet.node.read(|node| node.clock.offset());
    Ok(json!(i64::try_from(offset).unwrap_or(i64::MAX)))
}

fn set(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let mut timestamp = args.required::<Number>()?.u64()?;
    if timestamp > LARGEST_SECONDS {
        timestamp /= 1000;
    }
    require_time_left(timestamp)?;
    let before = devnet.node.read(|node| node.clock.now());
    devnet.node.execute(SetClock::Now(timestamp));
    Ok(json!(timestamp.saturating_sub(before)))
}

fn genesis_time(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    Ok(json!(devnet.genesis_time))
}
