//! The minimum time between two blocks of an L1, as measured.

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::Block;
use client::Client;
use eyre::{OptionExt as _, Result, eyre};

/// Number of L1 blocks over which the block time is averaged: fewer give an imprecise average, and
/// more could hide a change of the block time.
const WINDOW: u64 = 32;

/// Number of windows, which end at the latest block.
const WINDOWS: u64 = 8;

/// Minimum that the rollup accepts, in milliseconds.
const LEAST: u64 = 100;

/// Returns half of the shortest average time between the last L1 blocks, in milliseconds, and at
/// most `most`: an L1 without demand can have long pauses, and any L1 can halve its slots.
///
/// Returns `None` if the L1 has too few blocks.
pub(super) fn least_millis(l1: &Client, most: u64) -> Result<Option<u64>> {
    let block = |number: BlockNumberOrTag| -> Result<Block> {
        let block: Option<Block> = l1.request("eth_getBlockByNumber", (number, false))?;
        block.ok_or_eyre("the L1 node lacks one of its last blocks")
    };
    let latest = block(BlockNumberOrTag::Latest)?;
    let (mut number, mut end) = (latest.header.number, latest.header.timestamp);
    let mut least = None;
    for _ in 0..WINDOWS {
        let Some(first) = number.checked_sub(WINDOW) else { break };
        let start = block(first.into())?.header.timestamp;
        let elapsed = end.checked_sub(start).ok_or_else(|| {
            eyre!("L1 block {first} has timestamp {start}, but block {number} has {end}")
        })?;
        let average = elapsed.saturating_mul(1_000) / WINDOW;
        least = least.into_iter().chain([average]).min();
        (number, end) = (first, start);
    }
    Ok(least.map(|average| (average / 2).clamp(LEAST, most)))
}
