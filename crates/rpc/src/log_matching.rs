//! Logs of blocks and events that match a filter.

use crate::{RpcLog, convert};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use chain::Block;
use node::Event;
use std::sync::Arc;

/// Logs of a block that match a filter, converted lazily.
pub(crate) fn matching<'b>(
    block: &'b Block,
    filter: &'b Filter,
) -> impl Iterator<Item = RpcLog> + 'b {
    let receipts = match filter.matches_bloom(block.header.logs_bloom) {
        true => block.executed.receipts.as_slice(),
        false => &[],
    };
    let firsts = receipts.iter().scan(0, |next, receipt| {
        let first = *next;
        *next += receipt.logs.len() as u64;
        Some(first)
    });
    receipts
        .iter()
        .zip(firsts)
        .enumerate()
        .filter(|(_, (receipt, _))| receipt.logs.iter().any(|log| filter.matches(log)))
        .flat_map(|(index, (_, first))| convert::logs(block, index, first))
        .filter(|log| filter.matches(&log.inner))
}

/// New logs, and the logs of removed blocks marked as removed.
pub(crate) fn log_changes<'e>(
    events: impl IntoIterator<Item = &'e Event>,
    filter: &Filter,
) -> Vec<RpcLog> {
    let blocks = events.into_iter().flat_map(|event| changed_blocks(event, filter));
    blocks
        .flat_map(|(block, removed)| {
            matching(block, filter).map(move |log| RpcLog { removed, ..log })
        })
        .collect()
}

/// Blocks of an event within the range of a filter, in order, with `true` for removed blocks.
pub(crate) fn changed_blocks<'e>(
    event: &'e Event,
    filter: &Filter,
) -> impl Iterator<Item = (&'e Block, bool)> {
    let (removed, added): (&[Arc<Block>], &[Arc<Block>]) = match event {
        Event::Head { removed, added } => (removed, added),
        Event::Pooled(_) => (&[], &[]),
    };
    let all = removed.iter().map(|block| (&**block, true));
    let all = all.chain(added.iter().map(|block| (&**block, false)));
    all.filter(|(block, _)| match filter.block_option {
        FilterBlockOption::Range { .. } => filter.matches_block_range(block.header.number),
        FilterBlockOption::AtBlockHash(_) => true,
    })
}
