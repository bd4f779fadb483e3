//! Responses that combine both nodes' data.

use super::{Request, block_id, hex};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::FeeHistory;
use alloy_rpc_types_trace::filter::TraceFilter;
use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Maximum number of blocks in a fee history, as on a chain that is not a fork.
const MAX_FEES: u64 = 1_024;

impl Request<'_> {
    /// Logs of both nodes, in block order.
    pub(super) fn logs(&self) -> Result<Value, ErrorObjectOwned> {
        let Some(filter) = self.params.get(0).filter(|filter| filter.is_object()) else {
            return self.ours(&self.params);
        };
        let fork = self.remote.number();
        let hash = filter.get("blockHash").and_then(|hash| B256::deserialize(hash).ok());
        if let Some(hash) = hash {
            return match self.number_of_hash(hash)? {
                Some(number) if number <= fork => self.only_theirs(&self.params),
                _ => self.ours(&self.params),
            };
        }
        let end = |member: &str| -> Option<u64> {
            match filter.get(member) {
                None | Some(Value::Null) => Some(self.head()),
                Some(tag) => {
                    let tag = BlockNumberOrTag::deserialize(tag).ok()?;
                    Some(self.number_of_tag(tag).unwrap_or_else(|| self.head()))
                }
            }
        };
        let (Some(from), Some(to)) = (end("fromBlock"), end("toBlock")) else {
            return self.ours(&self.params);
        };
        if from > fork || from > to {
            return self.ours(&self.params);
        }
        let mut found = items(self.theirs_by_number(&part(filter, from, to.min(fork)))?);
        if to > fork {
            found.extend(items(self.ours(&part(filter, fork + 1, to))?));
        }
        Ok(found.into())
    }

    /// Traces of both nodes, in block order.
    pub(super) fn traces(&self) -> Result<Value, ErrorObjectOwned> {
        let Some(params) = self.params.get(0) else { return self.ours(&self.params) };
        let Ok(filter) = TraceFilter::deserialize(params) else { return self.ours(&self.params) };
        let (head, fork) = (self.head(), self.remote.number());
        let from = filter.from_block.unwrap_or(0);
        let to = filter.to_block.unwrap_or(head).min(head);
        if from > fork || from > to {
            return self.ours(&self.params);
        }
        if to <= fork {
            return self.only_theirs_by_number(&part(params, from, to));
        }
        // `after` and `count` apply to the joined list, so the forked node must return the skipped
        // traces too, but no more than `after + count`.
        let skip = filter.after.unwrap_or(0);
        let most = filter.count.map(|count| skip.saturating_add(count));
        let mut wanted = params.clone();
        if let Some(members) = wanted.as_object_mut() {
            members.remove("after");
            if let Some(most) = most {
                members.insert("count".to_owned(), json!(most));
            }
        }
        let mut found = items(self.theirs_by_number(&part(&wanted, from, fork))?);
        if most.is_none_or(|most| (found.len() as u64) < most) {
            found.extend(items(self.ours(&part(&wanted, fork + 1, to))?));
        }
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let page = found.into_iter().skip(size(skip));
        Ok(page.take(filter.count.map_or(usize::MAX, size)).collect())
    }

    /// Fees of both nodes' blocks. If the forked node's history does not connect to this node's,
    /// only the latter is returned. It is shorter than requested, as on a node that has pruned old
    /// blocks. If only blocks of the forked node are requested, its response is returned unchanged.
    pub(super) fn fees(&self) -> Result<Value, ErrorObjectOwned> {
        let count = self.params.get(0).and_then(quantity);
        let newest = self.params.get(1).and_then(block_id);
        let (Some(count), Some(BlockId::Number(newest))) = (count, newest) else {
            return self.ours(&self.params);
        };
        let (head, fork) = (self.head(), self.remote.number());
        let newest = self.number_of_tag(newest).unwrap_or(head);
        let oldest = newest.saturating_sub(count.min(MAX_FEES).saturating_sub(1));
        if count == 0 || newest > head || oldest > fork {
            return self.ours(&self.params);
        }
        let history = |oldest: u64, newest: u64| {
            let mut params = vec![hex(newest - oldest + 1), hex(newest)];
            params.extend(self.params.get(2).cloned());
            Value::from(params)
        };
        if newest < fork {
            return self.only_theirs_by_number(&history(oldest, newest));
        }
        // This node determines the base fee after the forked block; the block itself is the forked
        // node's.
        let first = newest.min(fork + 1);
        let ours = self.ours(&history(first, newest))?;
        let theirs = self.theirs_by_number(&history(oldest, fork));
        let joined = theirs.as_ref().ok().and_then(|theirs| {
            let theirs = FeeHistory::deserialize(theirs).ok()?;
            let ends = theirs.oldest_block.checked_add(theirs.gas_used_ratio.len() as u64)?;
            let ours = FeeHistory::deserialize(&ours).ok()?;
            (ends == fork + 1).then(|| one_history(&theirs, &ours, first <= fork)).flatten()
        });
        match joined {
            Some(joined) => Ok(json!(joined)),
            None if first > fork => Ok(ours),
            None => theirs,
        }
    }
}

/// Joins two consecutive fee histories; with `overlap`, the first block of the later one is the
/// last block of the earlier one. An optional list that either lacks is omitted.
fn one_history(theirs: &FeeHistory, ours: &FeeHistory, overlap: bool) -> Option<FeeHistory> {
    fn joined<T: Clone>(theirs: &[T], blocks: usize, ours: &[T], skip: usize) -> Option<Vec<T>> {
        Some([theirs.get(..blocks)?, ours.get(skip..)?].concat())
    }
    let (blocks, skip) = (theirs.gas_used_ratio.len(), usize::from(overlap));
    let blob_fees = (&theirs.base_fee_per_blob_gas, &ours.base_fee_per_blob_gas);
    let blob_gas = (&theirs.blob_gas_used_ratio, &ours.blob_gas_used_ratio);
    let reward = match (&theirs.reward, &ours.reward) {
        (_, None) => None,
        (Some(theirs), Some(ours)) if theirs.len() == blocks => {
            Some(joined(theirs, blocks, ours, skip)?)
        }
        // Some nodes return no reward rows if no percentile is requested.
        (_, Some(ours)) if ours.iter().all(Vec::is_empty) => {
            Some(vec![Vec::new(); (blocks + ours.len()).saturating_sub(skip)])
        }
        _ => return None,
    };
    Some(FeeHistory {
        base_fee_per_gas: joined(&theirs.base_fee_per_gas, blocks, &ours.base_fee_per_gas, skip)?,
        gas_used_ratio: joined(&theirs.gas_used_ratio, blocks, &ours.gas_used_ratio, skip)?,
        base_fee_per_blob_gas: joined(blob_fees.0, blocks, blob_fees.1, skip).unwrap_or_default(),
        blob_gas_used_ratio: joined(blob_gas.0, blocks, blob_gas.1, skip).unwrap_or_default(),
        oldest_block: theirs.oldest_block,
        reward,
    })
}

/// Restricts the filter to a range of blocks.
fn part(filter: &Value, from: u64, to: u64) -> Value {
    let mut filter = filter.clone();
    if let Some(members) = filter.as_object_mut() {
        members.insert("fromBlock".to_owned(), hex(from));
        members.insert("toBlock".to_owned(), hex(to));
    }
    json!([filter])
}

fn items(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn quantity(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number: U64 = value.as_str()?.parse().ok()?;
        Some(number.to())
    })
}
