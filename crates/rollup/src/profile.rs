//! Configuration of EXECUTE on a rollup's L1.

use crate::{L1Client, L1Error, RollupError};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Bytes, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use chain::{BlockAttributes, Chain, ChainConfig, spec_of};
use contracts::{Deployment, advance_plan};
use execute::{EXECUTE_ADDRESS, Execute, Networks};
use executor::ChainSpec;
use std::sync::Arc;
use variants::{
    GasSchedule,
    market::{MARKET_ADDRESS, Rate},
};
use wire::StatelessResult;

/// Prices of EXECUTE on L1, in EXECUTE gas, for builder, self-check, planner and followers. Forks are those of the
/// L2, which has the schedule of its L1; limits of a transaction are
/// [`SubmitterConfig::limits`](crate::SubmitterConfig::limits). If L1 has a [`market`](variants::market), each of
/// its blocks sets the gas for a unit of EXECUTE gas, and the node requests it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Profile {
    /// Gas schedule, by the name of a [`GasSchedule`].
    pub schedule: GasSchedule,
}

/// Part of a call's reserve by which L1 may differ from the schedule.
const TOLERANCE: u64 = 16;
/// Maximum number of comparisons while the market of L1 changes its price between them.
const MAX_CHECKS: usize = 8;
/// Gas that suffices for the call by any schedule that a node can work with.
const PLENTY: u64 = advance_plan::TRANSACTION_GAS_CAP;

impl L1Profile {
    /// EXECUTE of this L1 for blocks of an L2 with this fork schedule.
    pub fn execute(&self, spec: &ChainSpec) -> Execute {
        let networks = Networks::Only(Arc::new(spec.clone()));
        Execute { gas: self.schedule.into(), networks, ..Execute::following(spec.clone()) }
    }

    /// Compares the prices with L1's, and repeats this until L1's market has the same price before and after.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if L1 does not answer, or its EXECUTE has other prices.
    pub(crate) fn check(
        &self,
        client: &L1Client,
        deployment: &Deployment,
    ) -> Result<(), RollupError> {
        let now = || {
            let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(None) };
            rate(client, BlockId::latest(), head.header.base_fee)
        };
        let mut before = now()?;
        for _ in 0..MAX_CHECKS {
            let outcome = self.check_at(before.unwrap_or(Rate::PAR), client, deployment);
            let after = now()?;
            // A block of L1 between the two makes the comparison one of different prices.
            if before == after {
                return outcome;
            }
            before = after;
        }
        tracing::warn!("L1's price of EXECUTE changes at each look, its prices are unknown");
        Ok(())
    }

    /// Compares the prices with L1's at this rate of its market. Calls EXECUTE there with a valid block, an empty
    /// one on the genesis of the L2, and with a little more and a little less gas than the schedule reserves.
    ///
    /// # Errors
    ///
    /// [`RollupError::Profile`] if L1's reserve is larger or smaller; [`RollupError::L1`] if it does not answer.
    fn check_at(
        &self,
        rate: Rate,
        client: &L1Client,
        deployment: &Deployment,
    ) -> Result<(), RollupError> {
        let spec = spec_of(&deployment.genesis.config);
        let input = first_block(deployment)?;
        let reserve_by = |schedule| {
            let execute = Self { schedule }.execute(&spec);
            variants::cost_of(&*execute.gas, &input, 0, 0).map(|cost| rate.gas(cost.reserve))
        };
        let refused = |reason| RollupError::Refused { hash: deployment.genesis_hash, reason };
        let reserve = reserve_by(self.schedule).map_err(refused)?;
        let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(()) };
        let Some(fork) = spec.fork_at(head.header.timestamp) else { return Ok(()) };
        let (intrinsic, floor) = advance_plan::transaction_gas(fork, &input);
        let runs_with = |gas: u64| runs(client, &input, intrinsic.saturating_add(gas));
        let (little, much) = (reserve - reserve / TOLERANCE, reserve + reserve / TOLERANCE);
        // A transaction has no less gas than its bytes cost at least, for any price of EXECUTE.
        let is_enough = runs_with(much.max(floor.saturating_sub(intrinsic)))?;
        let is_more_than_enough = intrinsic + little >= floor && runs_with(little)?;
        if is_enough && !is_more_than_enough {
            return Ok(());
        }
        if !is_enough && !runs_with(PLENTY.saturating_sub(intrinsic))? {
            // It is behind another address, or its forks are others: prices are not what is wrong.
            tracing::warn!(reserve, "L1 does not run EXECUTE, its prices are unknown");
            return Ok(());
        }
        let mut fitting = None;
        for (name, schedule) in GasSchedule::NAMED {
            let reserve = reserve_by(schedule).map_err(refused)?;
            let (little, much) = (reserve - reserve / TOLERANCE, reserve + reserve / TOLERANCE);
            if intrinsic + little >= floor && !runs_with(little)? && runs_with(much)? {
                fitting = Some(name);
            }
        }
        let configured = self.schedule.to_string();
        let what = if is_enough { "less" } else { "more" };
        Err(RollupError::Profile {
            configured,
            reserve,
            what,
            fitting: fitting.unwrap_or("another"),
        })
    }
}

/// Rate of L1's market after a block with this base fee; `None` if it has no market.
pub(crate) fn rate(
    client: &L1Client,
    block: BlockId,
    base_fee: u64,
) -> Result<Option<Rate>, L1Error> {
    let provider = client.inner().provider().clone();
    let request = TransactionRequest::default().to(MARKET_ADDRESS);
    // A refusal is no sign that there is no market: without its contract the call succeeds, with an empty answer.
    let words = client.wait(async move { provider.call(request).block(block).await })?;
    // Price, excess and limit. With nothing at the address, EXECUTE gas is gas.
    let price = (words.len() == 96).then(|| U256::from_be_slice(&words[..32]).saturating_to());
    Ok(price.map(|price| Rate { price, base_fee }))
}

/// The input of EXECUTE for an empty block on the genesis of an L2.
fn first_block(deployment: &Deployment) -> Result<Bytes, RollupError> {
    let genesis = &deployment.genesis;
    let chain = Chain::new(genesis, ChainConfig::new(spec_of(&genesis.config)))?;
    let parent = &chain.head().header;
    let attributes = BlockAttributes {
        timestamp: parent.timestamp + 1,
        slot_number: parent.number + 1,
        ..BlockAttributes::default()
    };
    let (new, _) = chain.build(&attributes, Vec::new())?;
    let number = new.block.header.number;
    Ok(new.input().map_err(|source| RollupError::Input { number, source })?.into())
}

/// Returns `true` if EXECUTE verifies the input in a transaction with this gas.
fn runs(client: &L1Client, input: &Bytes, gas: u64) -> Result<bool, L1Error> {
    let provider = client.inner().provider().clone();
    let request = TransactionRequest::default()
        .to(EXECUTE_ADDRESS)
        .gas_limit(gas)
        .input(input.clone().into());
    let answer = client.wait(async move { provider.call(request).await });
    match answer {
        Ok(output) => Ok(StatelessResult::decode(&output).is_ok_and(|result| result.valid)),
        Err(error) if error.as_error_resp().is_some() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
