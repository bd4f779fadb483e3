//! Current and suggested fees, and fee history.

use crate::{Api, Registry, RpcError};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockNumberOrTag, eip7840::BlobParams};
use alloy_primitives::{U64, U256};
use alloy_rpc_types_eth::FeeHistory;
use chain::{Block, ChainReader};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Maximum number of blocks in one `eth_feeHistory`.
const MAX_BLOCKS: u64 = 1_024;
/// Maximum number of percentiles in one `eth_feeHistory`.
const MAX_PERCENTILES: usize = 100;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("eth_gasPrice", |api, _| Ok(U256::from(gas_price(api))));
    methods.read("eth_maxPriorityFeePerGas", |api, _| Ok(U256::from(suggested_tip(api))));
    methods.inline("eth_baseFee", |api, _| {
        Ok(api.node().read(|node| {
            node.chain.head().header.base_fee_per_gas.map(|_| U256::from(node.next_base_fee()))
        }))
    });
    methods.inline("eth_blobBaseFee", |api, _| Ok(blob_base_fee(api).map(U256::from)));
    methods.execute("eth_feeHistory", |api, args| {
        let Count(count) = args.required()?;
        let newest = args.required()?;
        let percentiles: Option<Vec<f64>> = args.optional()?;
        fee_history(api, count, newest, percentiles.as_deref())
    });
}

/// Number of blocks: hexadecimal, or a plain JSON number.
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let number = serde_json::from_str::<u64>(raw.get())
            .or_else(|_| serde_json::from_str::<U64>(raw.get()).map(|count| count.to()));
        number.map(Self).map_err(serde::de::Error::custom)
    }
}

/// Returns the suggested priority fee, in wei per gas.
pub fn suggested_tip(api: &Api) -> u128 {
    // A tip below all tips of the last block may miss the next block.
    api.node().read(|node| {
        let head = node.chain.head();
        let base_fee = head.header.base_fee_per_gas.unwrap_or_default();
        let tips = head.transactions.iter().filter_map(|tx| tx.effective_tip_per_gas(base_fee));
        let least = tips.min().unwrap_or_default();
        let of_budget = node.settings.budget.suggested_tip();
        least.max(node.settings.suggested_tip).max(node.settings.min_tip).max(of_budget)
    })
}

/// Returns the suggested gas price of a legacy transaction, in wei per gas.
pub fn gas_price(api: &Api) -> u128 {
    let (own, base_fee) =
        api.node().read(|node| (node.settings.gas_price, u128::from(node.next_base_fee())));
    own.unwrap_or_else(|| base_fee.saturating_add(suggested_tip(api)))
}

/// Returns the blob base fee of the next block, in wei per blob gas.
pub fn blob_base_fee(api: &Api) -> Option<u128> {
    api.node().read(|node| {
        let head = node.chain.head();
        let params = blob_params(&node.chain, head)?;
        next_blob_fee(&node.chain, head, params)
    })
}

fn blob_params(chain: &ChainReader, block: &Block) -> Option<BlobParams> {
    chain.config().spec.blob_params_at(block.header.timestamp)
}

/// Returns the blob base fee of a block's child under the block's own blob parameters, in wei per
/// blob gas.
fn next_blob_fee(chain: &ChainReader, block: &Block, params: BlobParams) -> Option<u128> {
    let fork = chain.config().spec.fork_at(block.header.timestamp)?;
    block.header.excess_blob_gas?;
    let excess = stateless::next_excess_blob_gas(&block.header, fork, &params).ok()?;
    Some(params.calc_blob_fee(excess))
}

/// Returns base fees, gas used ratios and tips at percentiles for a range of blocks
/// (`eth_feeHistory`).
pub(crate) fn fee_history(
    api: &Api,
    count: u64,
    newest: BlockNumberOrTag,
    percentiles: Option<&[f64]>,
) -> Result<FeeHistory, RpcError> {
    if let Some(percentiles) = percentiles {
        if percentiles.len() > MAX_PERCENTILES {
            return Err(RpcError::params(format!(
                "over the query limit {MAX_PERCENTILES}: {} percentiles",
                percentiles.len()
            )));
        }
        if let Some(odd) = percentiles.iter().find(|at| !(0.0..=100.0).contains(*at)) {
            return Err(RpcError::params(format!("invalid reward percentile: {odd}")));
        }
        if !percentiles.is_sorted() {
            return Err(RpcError::params("invalid reward percentiles: they must ascend"));
        }
    }
    let head = api.number_of(BlockNumberOrTag::Latest);
    let newest = match newest {
        BlockNumberOrTag::Pending => head,
        tag => api.number_of(tag),
    };
    if newest > head {
        return Err(RpcError::params(format!(
            "request beyond head block: requested {newest}, head {head}"
        )));
    }
    if count == 0 {
        return Ok(FeeHistory::default());
    }
    let chain = api.chain();
    let oldest = newest.saturating_sub(count.min(MAX_BLOCKS) - 1).max(chain.first_number());
    let mut history = FeeHistory { oldest_block: oldest, ..Default::default() };
    let mut rewards = Vec::new();
    let mut last = None;
    for number in oldest..=newest {
        let Some(block) = chain.canonical_block(number)? else { break };
        let header = &block.header;
        let params = blob_params(&chain, &block);
        history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        let fee = params.and_then(|params| header.blob_fee(params)).unwrap_or_default();
        history.base_fee_per_blob_gas.push(fee);
        let max = params.map_or(0, |params| params.max_blob_gas_per_block());
        history.blob_gas_used_ratio.push(ratio(header.blob_gas_used.unwrap_or_default(), max));
        rewards.push(percentiles.map_or_else(Vec::new, |at| tips(&block, at)));
        last = Some(block);
    }
    if let Some(block) = last {
        let next = chain.state_after(&block).next_base_fee()?;
        let london = block.header.base_fee_per_gas.is_some();
        history.base_fee_per_gas.push(if london { next.into() } else { 0 });
        let fee =
            blob_params(&chain, &block).and_then(|params| next_blob_fee(&chain, &block, params));
        history.base_fee_per_blob_gas.push(fee.unwrap_or_default());
    }
    history.reward = percentiles.map(|_| rewards);
    Ok(history)
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Tips per gas at percentiles of a block's gas, with transactions sorted by tip.
fn tips(block: &Block, percentiles: &[f64]) -> Vec<u128> {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let mut by_tip: Vec<(u128, u64)> = block
        .transactions
        .iter()
        .enumerate()
        .map(|(index, transaction)| {
            let tip = transaction.effective_tip_per_gas(base_fee).unwrap_or_default();
            (tip, block.transaction_gas(index))
        })
        .collect();
    by_tip.sort_unstable();
    let gas: u64 = by_tip.iter().map(|(_, gas)| gas).sum();
    let (mut seen, mut index) = (by_tip.first().map_or(0, |(_, gas)| *gas), 0);
    percentiles
        .iter()
        .map(|percentile| {
            let threshold = (gas as f64 * percentile / 100.0) as u64;
            while seen < threshold && index + 1 < by_tip.len() {
                index += 1;
                seen += by_tip[index].1;
            }
            by_tip.get(index).map_or(0, |(tip, _)| *tip)
        })
        .collect()
}
