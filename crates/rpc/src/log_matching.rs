//! Logs of blocks and events that match a filter.

use crate::{RpcError, RpcLog, convert};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use chain::{Block, store::BloomQuery};
use node::Event;
use std::sync::Arc;

/// Maximum number of addresses and topics of a log filter. Each log of a block is compared with
/// them, for each filter and subscription.
const MAX_ITEMS: usize = 1_024;
/// Maximum number of addresses and topics for which a block's bloom filter is used: the filter
/// keeps 256 bytes for each of them, and the more there are, the less likely it is that none
/// occurs.
const MAX_BLOOM_ITEMS: usize = 32;

/// Returns the number of addresses and topics of a filter.
fn items_of(filter: &Filter) -> usize {
    filter.address.len() + filter.topics.iter().map(|topics| topics.len()).sum::<usize>()
}

/// Checks that a filter has few addresses and topics, and returns their number.
pub(crate) fn check_filter(filter: &Filter) -> Result<usize, RpcError> {
    let got = items_of(filter);
    if got > MAX_ITEMS {
        let message =
            format!("the filter has {got} addresses and topics, expected at most {MAX_ITEMS}");
        return Err(RpcError::params(message));
    }
    Ok(got)
}

/// Returns the condition of a filter on the bloom filter of a block; `None` if it excludes none or
/// is too long to be worth it.
pub(crate) fn bloom_query(filter: &Filter) -> Option<BloomQuery> {
    let addresses = filter.address.iter().map(|address| address.as_slice()).collect();
    let topics =
        filter.topics.iter().map(|topics| topics.iter().map(|topic| topic.as_slice()).collect());
    let query = BloomQuery::new(core::iter::once(addresses).chain(topics));
    (items_of(filter) <= MAX_BLOOM_ITEMS && !query.is_empty()).then_some(query)
}

/// Logs of a block that match a filter, converted lazily.
pub(crate) fn matching<'b>(
    block: &'b Block,
    filter: &'b Filter,
) -> impl Iterator<Item = RpcLog> + 'b {
    let may_match =
        items_of(filter) > MAX_BLOOM_ITEMS || filter.matches_bloom(block.header.logs_bloom);
    let receipts = if may_match { block.executed.receipts.as_slice() } else { &[] };
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
