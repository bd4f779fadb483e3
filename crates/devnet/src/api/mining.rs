//! Block production, and header fields of the next block.

use super::{
    Method,
    args::{Args, Number},
};
use crate::{cheats::ForceHeader, state::DevnetState};
use alloy_primitives::{Address, U256};
use node::{MineRequest, Mining, SetClock, SetCoinbase, SetGasPrice, SetMining};
use rpc::{FailureStyle, RpcError, explorer::parity::replay_one};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const METHODS: &[Method] = &[
    (&["anvil_mine", "hardhat_mine"], mine),
    (&["evm_mine"], evm_mine),
    (&["evm_mine_detailed", "anvil_mine_detailed"], mine_detailed),
    (&["anvil_getAutomine", "hardhat_getAutomine"], get_automine),
    (&["anvil_setAutomine", "evm_setAutomine"], set_automine),
    (&["anvil_getIntervalMining"], get_interval),
    (&["anvil_setIntervalMining", "evm_setIntervalMining"], set_interval),
    (&["anvil_setCoinbase", "hardhat_setCoinbase"], set_coinbase),
    (&["anvil_setNextBlockBaseFeePerGas", "hardhat_setNextBlockBaseFeePerGas"], set_next_base_fee),
    (&["anvil_setBlockGasLimit", "evm_setBlockGasLimit"], set_gas_limit),
    (&["anvil_setMinGasPrice", "hardhat_setMinGasPrice"], set_min_gas_price),
    (
        &["hardhat_setPrevRandao", "anvil_setPrevRandao", "anvil_setNextBlockPrevRandao"],
        set_prev_randao,
    ),
];

/// Minimum gas limit for which the next block has a base fee (EIP-1559).
const LEAST_GAS_LIMIT: u64 = 2;

/// Seals one block.
pub(super) fn mine_one(devnet: &DevnetState) -> Result<(), RpcError> {
    devnet.node.mine(&MineRequest::default()).map(|_| ()).map_err(Into::into)
}

fn mine(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let count = args.optional::<Number>()?.map_or(Ok(1), Number::u64)?;
    let gap = args.optional::<Number>()?.map(Number::u64).transpose()?;
    for _ in 0..count {
        if let Some(gap) = gap {
            devnet.node.execute(SetClock::Advance(gap.into()));
        }
        mine_one(devnet)?;
    }
    Ok(Value::Null)
}

/// Parameters of `evm_mine`: a timestamp, or options.
#[derive(Deserialize)]
#[serde(untagged)]
enum MineParams {
    At(Number),
    Options { timestamp: Option<Number>, blocks: Option<Number> },
}

/// Seals the blocks that `evm_mine` requests, and returns their number.
pub(super) fn mine_requested(devnet: &DevnetState, args: &mut Args) -> Result<u64, RpcError> {
    let (timestamp, blocks) = match args.optional::<MineParams>()? {
        None => (None, None),
        Some(MineParams::At(timestamp)) => (Some(timestamp), None),
        Some(MineParams::Options { timestamp, blocks }) => (timestamp, blocks),
    };
    if let Some(timestamp) = timestamp {
        super::time::set_next(devnet, timestamp.u64()?)?;
    }
    let count = blocks.map_or(Ok(1), Number::u64)?;
    for _ in 0..count {
        mine_one(devnet)?;
    }
    Ok(count)
}

fn evm_mine(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    mine_requested(devnet, args)?;
    Ok(json!("0x0"))
}

/// Mines like `evm_mine`, and returns the blocks, including the returndata of failed transactions.
fn mine_detailed(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let count = mine_requested(devnet, args)?;
    let chain = devnet.api.chain();
    let head = chain.head().header.number;
    let mut blocks = Vec::new();
    for number in (head + 1).saturating_sub(count)..=head {
        let Some(block) = chain.canonical_block(number).map_err(RpcError::from)? else {
            continue;
        };
        let mut shape = json!(rpc::convert::block(&block, true));
        let transactions = shape.get_mut("transactions").and_then(Value::as_array_mut);
        for (index, transaction) in transactions.into_iter().flatten().enumerate() {
            if block.executed.receipts[index].success {
                continue;
            }
            let output = replay_one(&devnet.api, &block, index, |result| {
                result.output().cloned().unwrap_or_default()
            })?
            .unwrap_or_default();
            let reverted = RpcError::reverted(&output, FailureStyle::Anvil).message;
            if let Some(reason) = reverted.strip_prefix("execution reverted: ") {
                transaction["revertReason"] = json!(reason);
            }
            transaction["output"] = json!(output);
        }
        blocks.push(shape);
    }
    Ok(json!(blocks))
}

fn get_automine(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    Ok(json!(devnet.node.read(|node| node.settings.mining.is_auto())))
}

fn set_automine(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let on: bool = args.required()?;
    let (mining, waiting) =
        devnet.node.read(|node| (node.settings.mining, on && !node.pool.is_empty()));
    devnet.node.execute(SetMining(match (mining, on) {
        (mining, true) if mining.is_auto() => mining,
        (_, true) => Mining::Auto,
        (Mining::Auto, false) => Mining::Manual,
        (Mining::Mixed(interval), false) => Mining::Interval(interval),
        (mining, false) => mining,
    }));
    if waiting {
        mine_waiting(devnet)?;
    }
    Ok(Value::Null)
}

/// Seals a block if the pool has executable transactions.
pub(super) fn mine_waiting(devnet: &DevnetState) -> Result<(), RpcError> {
    if devnet.node.pending().is_ok_and(|next| !next.state.block().transactions.is_empty()) {
        mine_one(devnet)?;
    }
    Ok(())
}

fn get_interval(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    let interval = devnet.node.read(|node| node.settings.mining.interval());
    Ok(json!(interval.map(|interval| interval.as_secs())))
}

fn set_interval(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let seconds: u64 = args.required()?;
    let mining = match seconds {
        0 => Mining::Manual,
        seconds => Mining::Interval(Duration::from_secs(seconds)),
    };
    devnet.node.execute(SetMining(mining));
    Ok(Value::Null)
}

fn set_coinbase(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let coinbase: Address = args.required()?;
    devnet.node.execute(SetCoinbase(coinbase));
    Ok(Value::Null)
}

fn set_next_base_fee(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let fee = args.required::<Number>()?.u64()?;
    if !has_base_fee(devnet) {
        let name = "anvil_setNextBlockBaseFeePerGas";
        return Err(RpcError::params(format!("{name} is only supported when EIP-1559 is active")));
    }
    ForceHeader::NextBaseFee(fee).apply(&devnet.forced_header);
    Ok(Value::Null)
}

fn set_gas_limit(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let limit = args.required::<Number>()?.u64()?;
    if limit < LEAST_GAS_LIMIT {
        return Err(RpcError::params(format!(
            "a block has a gas limit of {LEAST_GAS_LIMIT} at least, got {limit}: the base fee of the next block \
             follows from half of it"
        )));
    }
    ForceHeader::GasLimit(Some(limit)).apply(&devnet.forced_header);
    Ok(json!(true))
}

fn set_min_gas_price(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let price: Number = args.required()?;
    if has_base_fee(devnet) {
        return Err(RpcError::params(
            "anvil_setMinGasPrice is not supported when EIP-1559 is active",
        ));
    }
    devnet.node.execute(SetGasPrice(price.0.saturating_to()));
    Ok(Value::Null)
}

/// Returns `true` if the next block has a base fee.
fn has_base_fee(devnet: &DevnetState) -> bool {
    devnet.node.read(|node| node.chain.state().has_base_fee())
}

fn set_prev_randao(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let value: Number = args.required()?;
    let randao = U256::to_be_bytes::<32>(&value.0).into();
    ForceHeader::NextPrevRandao(randao).apply(&devnet.forced_header);
    Ok(Value::Null)
}
