//! Methods for filters: events since the last poll.

use crate::{
    Api, Registry, RpcError, RpcLog,
    installed_filters::{FilterKind, not_found},
    log_matching::check_filter,
    logs,
};
use alloy_primitives::U256;
use alloy_rpc_types_eth::{Filter, FilterBlockOption};

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("eth_newBlockFilter", |api, _| install(api, FilterKind::Blocks));
    methods.read("eth_newPendingTransactionFilter", |api, _| install(api, FilterKind::Pending));
    methods.execute("eth_newFilter", |api, args| new_log_filter(api, args.required()?));
    methods.execute("eth_getFilterChanges", |api, args| {
        api.filters.changes(args.required()?, api.options().limits.trace_bytes)
    });
    methods.execute("eth_getFilterLogs", |api, args| filter_logs(api, args.required()?));
    methods.read("eth_uninstallFilter", |api, args| Ok(api.filters.uninstall(args.required()?)));
}

fn install(api: &Api, kind: FilterKind) -> Result<U256, RpcError> {
    let permit = api.reserve_items_of_filter(0)?;
    Ok(api.filters.install(api.node().subscribe(), kind, Vec::new(), permit))
}

/// Installs a log filter. If the node's `past_logs` option is set, its first poll also returns
/// matching logs of existing blocks.
fn new_log_filter(api: &Api, filter: Filter) -> Result<U256, RpcError> {
    let items = check_filter(&filter)?;
    let permit = api.reserve_items_of_filter(items)?;
    let (events, head) = api.node().subscribe_at_head();
    let mut past = filter.clone();
    let past_logs = match &mut past.block_option {
        FilterBlockOption::Range { from_block: Some(from), to_block }
            if api.options().past_logs =>
        {
            let end = api.number_of(to_block.unwrap_or_default()).min(head.header.number);
            if from.is_pending() || api.number_of(*from) > end {
                Vec::new()
            } else {
                *to_block = Some(end.into());
                logs::find(api, &past)?
            }
        }
        _ => Vec::new(),
    };
    Ok(api.filters.install(events, FilterKind::Logs(Box::new(filter)), past_logs, permit))
}

/// Returns all logs that match a filter, including those of earlier polls.
fn filter_logs(api: &Api, id: U256) -> Result<Vec<RpcLog>, RpcError> {
    match api.filters.kind(id)? {
        FilterKind::Logs(filter) => logs::find(api, &filter),
        FilterKind::Blocks | FilterKind::Pending => Err(not_found()),
    }
}
