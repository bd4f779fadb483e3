//! Ethereum's methods with additional fields about L1.

use super::RollupApi;
use crate::l1::cost::{WithL1, fields_at};
use alloy_rpc_types_eth::BlockId;
use chain::Block;
use rpc::{Args, Hash, Registry, RpcError, convert};
use std::sync::Arc;

pub(crate) fn register(methods: &mut Registry<RollupApi>) {
    methods.read("eth_getBlockByNumber", |rollup, args| {
        let block = rollup.api.block_by_number(args.required()?)?;
        with_l1(rollup, block, args)
    });
    methods.read("eth_getBlockByHash", |rollup, args| {
        let Hash(hash) = args.required()?;
        let block = rollup.api.block_by_hash(hash)?;
        with_l1(rollup, block, args)
    });
    methods.read("eth_getBlockReceipts", |rollup, args| {
        let block = rollup.api.find_block(args.required::<BlockId>()?)?;
        let Some(block) = block else { return Ok(None) };
        let chain = rollup.api.chain();
        let on_l1 = rollup.shared.on_l1(&chain, &block)?;
        let receipts = convert::receipts(&block, chain.config()).into_iter().enumerate();
        let with = |(index, inner)| WithL1 {
            inner,
            l1: on_l1.as_ref().map(|posted| fields_at(posted, &block, index)),
        };
        Ok(Some(receipts.map(with).collect::<Vec<_>>()))
    });
    methods.read("eth_getTransactionReceipt", |rollup, args| {
        let Hash(hash) = args.required()?;
        let Some(inner) = rpc::receipt(&rollup.api, hash)? else { return Ok(None) };
        let chain = rollup.api.chain();
        // Use the block of the receipt: after a reorg another block may include the transaction.
        let block = inner.inner.block_hash.map(|hash| chain.block(&hash)).transpose()?;
        let index = inner.inner.transaction_index.and_then(|index| usize::try_from(index).ok());
        let mut l1 = None;
        if let Some((block, index)) = block.zip(index) {
            let on_l1 = rollup.shared.on_l1(&chain, &block)?;
            l1 = on_l1.map(|posted| fields_at(&posted, &block, index));
        }
        Ok(Some(WithL1 { inner, l1 }))
    });
}

/// Adds the L1 fields to a block.
fn with_l1(
    rollup: &RollupApi,
    block: Option<Arc<Block>>,
    args: &mut Args,
) -> Result<Option<WithL1<rpc::RpcBlock>>, RpcError> {
    let full = args.or_default()?;
    let Some(block) = block else { return Ok(None) };
    let on_l1 = rollup.shared.on_l1(&rollup.api.chain(), &block)?;
    let l1 = on_l1.map(|posted| posted.fields);
    Ok(Some(WithL1 { inner: convert::block(&block, full), l1 }))
}
