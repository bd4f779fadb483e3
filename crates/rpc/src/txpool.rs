//! `txpool` methods.

use crate::{Api, Registry, RpcError, RpcTransaction, convert};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use node::{NodeState, PoolTransaction};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

type ByNonce<T> = BTreeMap<String, T>;

/// Executable and queued transactions. They are serialised directly, because collecting JSON values
/// first would copy a full pool.
#[derive(Debug, Clone, Serialize)]
struct Content<T> {
    pending: T,
    queued: T,
}

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("txpool_status", |api, _| {
        api.node().read(|node| {
            let (mut pending, mut queued) = (0_u64, 0_u64);
            // Only counted, not collected: monitors poll this often, also when the pool is full.
            for sender in node.pool.senders() {
                let next = node.chain.nonce(sender)?;
                let run = node.pool.next_nonce(sender, next) - next;
                pending += run;
                queued += node.pool.count_of(sender) as u64 - run;
            }
            Ok(json!({ "pending": U64::from(pending), "queued": U64::from(queued) }))
        })
    });
    methods.execute("txpool_content", |api, _| all(api, &to_rpc));
    methods.execute("txpool_inspect", |api, _| all(api, &summary));
    methods.execute("txpool_contentFrom", |api, args| {
        let sender = args.required()?;
        api.node().read(|node| {
            let (pending, queued) = split(node, sender)?;
            Ok(Content { pending: by_nonce(&pending, &to_rpc), queued: by_nonce(&queued, &to_rpc) })
        })
    });
}

type Transactions = Vec<Arc<PoolTransaction>>;

/// Returns a sender's executable and queued transactions.
fn split(node: &NodeState, sender: Address) -> Result<(Transactions, Transactions), RpcError> {
    let next = node.chain.nonce(sender)?;
    let run = node.pool.next_nonce(sender, next);
    let all = node.pool.of(sender).map(Arc::clone);
    Ok(all.partition(|transaction| transaction.nonce() < run))
}

fn all<T>(
    api: &Api,
    item: &impl Fn(&PoolTransaction) -> T,
) -> Result<Content<BTreeMap<String, ByNonce<T>>>, RpcError> {
    api.node().read(|node| {
        let mut content = Content { pending: BTreeMap::new(), queued: BTreeMap::new() };
        for sender in node.pool.senders() {
            let split = split(node, sender)?;
            for (list, of) in [(&mut content.pending, split.0), (&mut content.queued, split.1)] {
                if !of.is_empty() {
                    let name = match api.options().plain_senders {
                        true => format!("{sender:#x}"),
                        false => sender.to_checksum(None),
                    };
                    list.insert(name, by_nonce(&of, item));
                }
            }
        }
        Ok(content)
    })
}

fn by_nonce<T>(
    transactions: &[Arc<PoolTransaction>],
    item: &impl Fn(&PoolTransaction) -> T,
) -> ByNonce<T> {
    transactions.iter().map(|one| (one.nonce().to_string(), item(one))).collect()
}

fn to_rpc(transaction: &PoolTransaction) -> RpcTransaction {
    convert::pooled(&transaction.recovered.transaction, transaction.sender())
}

fn summary(pooled: &PoolTransaction) -> String {
    let transaction = &pooled.recovered.transaction;
    let to = transaction.to().map_or("contract creation".to_owned(), |to| to.to_checksum(None));
    let (value, gas) = (transaction.value(), transaction.gas_limit());
    format!("{to}: {value} wei + {gas} gas × {} wei", transaction.max_fee_per_gas())
}
