//! Methods for block timestamps.

use super::{
    Method,
    args::{Args, Number, invalid},
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

/// Sets the timestamp of the next block.
pub(super) fn set_next(devnet: &DevnetState, timestamp: u64) -> Result<(), RpcError> {
    if timestamp < devnet.node.read(|node| node.chain.head().header.timestamp) {
        return Err(invalid(format!(
            "Timestamp error: {timestamp} is lower than previous block's timestamp"
        )));
    }
    devnet.node.execute(SetClock::NextBlock(timestamp));
    Ok(())
}

fn set_next_timestamp(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    set_next(devnet, args.required::<Number>()?.u64()?)?;
    Ok(Value::Null)
}

fn set_interval(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let seconds = args.required::<Number>()?.u64()?;
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
    devnet.node.execute(SetClock::Advance(seconds.into()));
    let offset = devnet.node.read(|node| node.clock.offset());
    Ok(json!(i64::try_from(offset).unwrap_or(i64::MAX)))
}

fn set(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let mut timestamp = args.required::<Number>()?.u64()?;
    if timestamp > LARGEST_SECONDS {
        timestamp /= 1000;
    }
    let before = devnet.node.read(|node| node.clock.now());
    devnet.node.execute(SetClock::Now(timestamp));
    Ok(json!(timestamp.saturating_sub(before)))
}

fn genesis_time(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    Ok(json!(devnet.genesis_time))
}
