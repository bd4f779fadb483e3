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
        let (pending, queued) = api.node().read(|node| split(node, sender))?;
        Ok(Content { pending: by_nonce(&pending, &to_rpc), queued: by_nonce(&queued, &to_rpc) })
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
    // Transactions are converted after the lock is released: the conversion of a full pool would
    // delay blocks and new transactions.
    let senders = api.node().read(|node| {
        let senders = node.pool.senders();
        let splits = senders.map(|sender| Ok((sender, split(node, sender)?)));
        splits.collect::<Result<Vec<_>, RpcError>>()
    })?;
    let mut content = Content { pending: BTreeMap::new(), queued: BTreeMap::new() };
    for (sender, (pending, queued)) in senders {
        for (list, of) in [(&mut content.pending, pending), (&mut content.queued, queued)] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RpcOptions, send::decode_pooled};
    use alloy_consensus::TxEip1559;
    use alloy_eips::eip2718::Encodable2718;
    use alloy_primitives::TxKind;
    use chain::{Chain, ChainConfig};
    use executor::ChainSpec;
    use node::{ClearPool, Clock, Mining, Node, Settings};
    use std::{sync::mpsc, thread};
    use testkit::{ETHER, Key, Timeout, rich_genesis};
    use wire::ProtocolFork;

    #[test]
    fn content_is_converted_without_the_lock() {
        let fork = ProtocolFork::Osaka;
        let config = ChainConfig::new(ChainSpec::constant(1, fork));
        let chain = Chain::new(&rich_genesis(fork, ["alice"], ETHER), config).unwrap();
        let settings = Settings { mining: Mining::Manual, ..Settings::default() };
        let node = Node::new(chain, Clock::starting_at(1_000), settings);
        let transaction = Key::named("alice").sign(TxEip1559 {
            chain_id: 1,
            gas_limit: 21_000,
            max_fee_per_gas: 20_000_000_000,
            to: TxKind::Call(Address::repeat_byte(0xb0)),
            ..Default::default()
        });
        node.submit(decode_pooled(&transaction.encoded_2718().into()).unwrap()).unwrap();
        let api = Api::new(Arc::clone(&node), RpcOptions::default());
        let is_changed_meanwhile = |_: &PoolTransaction| {
            let (node, (sender, receiver)) = (Arc::clone(&node), mpsc::channel());
            thread::spawn(move || {
                node.execute(ClearPool);
                sender.send(())
            });
            receiver.recv_timeout(Timeout::LIMIT).is_ok()
        };
        let content = all(&api, &is_changed_meanwhile).unwrap();
        let converted: Vec<bool> =
            content.pending.values().flat_map(BTreeMap::values).copied().collect();
        assert_eq!(converted, [true]);
    }
}
