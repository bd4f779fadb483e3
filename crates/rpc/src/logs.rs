//! Log queries.

use crate::{
    Api, Registry, RpcError, RpcLog,
    limits::log_bytes,
    log_matching::{bloom_query, check_filter, matching},
};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use chain::store::SECTION;

/// Number of blocks from which on the index is used: it reads four records for an address.
const MIN_INDEXED: u64 = 256;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("eth_getLogs", |api, args| find(api, &args.required()?));
}

/// Returns all logs that match a filter.
pub(crate) fn find(api: &Api, filter: &Filter) -> Result<Vec<RpcLog>, RpcError> {
    check_filter(filter)?;
    let mut found = Vec::new();
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block =
                api.block_by_hash(hash)?.ok_or_else(|| RpcError::server("unknown block"))?;
            found.extend(matching(&block, filter));
            return Ok(found);
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let from = from_block.unwrap_or_default();
            let to = to_block.unwrap_or_default();
            if from.is_pending() || to.is_pending() {
                let pending = api.node().pending()?;
                if from.is_pending() {
                    found.extend(matching(pending.state.block(), filter));
                    return Ok(found);
                }
            }
            (api.number_of(from), api.number_of(to))
        }
    };
    let head = api.number_of(Default::default());
    if from > to {
        return Err(RpcError::params("invalid block range params: from is above to"));
    }
    // A response for a range that ends beyond the head would look complete to a client that
    // requested future blocks.
    if to > head {
        return Err(RpcError::params(format!(
            "block range extends beyond current head block: from {from} to {to}, head {head}"
        )));
    }
    let chain = api.chain();
    let (deadline, limit) = (api.call_deadline(), api.options().limits.trace_bytes);
    let (mut counted, mut bytes) = (0, 0_u64);
    let first = chain.first_number();
    // A response without the logs of these blocks would look complete.
    if chain.canonical_block(from)?.is_none() {
        api.require_history(from, first)?;
    }
    let query = bloom_query(filter);
    let mut next = from.max(first);
    while next <= to {
        let section = next / SECTION;
        let end = (section * SECTION + (SECTION - 1)).min(to);
        let query = query.as_ref().filter(|_| end - next >= MIN_INDEXED);
        let mut candidates = None;
        if let Some(query) = query {
            candidates = chain.log_candidates(section, query)?;
            // Only if the query reads all of the section's blocks anyway.
            if candidates.is_none() && end - next == SECTION - 1 {
                chain.index_logs(section, || deadline.check().is_err())?;
                deadline.check()?;
                candidates = chain.log_candidates(section, query)?;
            }
        }
        let numbers = candidates.unwrap_or_else(|| (next..=end).collect());
        for number in numbers.into_iter().filter(|number| (next..=end).contains(number)) {
            let Some(block) = chain.canonical_block(number)? else { return Ok(found) };
            found.extend(matching(&block, filter));
            deadline.check()?;
            bytes += found[counted..].iter().map(|log| log_bytes(&log.inner)).sum::<u64>();
            counted = found.len();
            if bytes > limit {
                let advice = format!("narrow the range, {from} to {number} is too wide");
                return Err(RpcError::exceeded("too many logs (bytes)", bytes, limit, &advice));
            }
            let max = api.options().max_logs;
            if found.len() > max {
                return Err(RpcError::server(format!(
                    "query returns more than {max} logs: narrow the range, {from} to {number} is too wide"
                )));
            }
        }
        deadline.check()?;
        next = end + 1;
    }
    Ok(found)
}
