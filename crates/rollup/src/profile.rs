//! L1 as the blocks of a rollup are made for it: its forks, its EXECUTE, and its limits of a
//! transaction.

use crate::{Config, InputLimits, L1Client, L1Error, RollupError};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Bytes, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use chain::{BlockAttributes, Chain, ChainConfig, spec_of};
use contracts::{
    Deployment,
    advance_plan::{self, L1Limits},
};
use execute::{EXECUTE_ADDRESS, Execute, Networks};
use executor::ChainSpec;
use std::sync::Arc;
use variants::{
    GasSchedule,
    market::{MARKET_ADDRESS, Rate},
};
use wire::{ProtocolFork, StatelessResult};

/// L1 as the blocks of an L2 are made for it. The builder, the self-check, the planner, the
/// submitter and a follower that may be promoted all take it from here. It is compared with L1 at
/// the start, and after each `advance` that L1 has not taken.
///
/// An L1 with a [`market`](variants::market) sets the price of EXECUTE gas itself: the node reads
/// it at each L1 block.
#[derive(Debug, Clone)]
pub struct L1Profile {
    /// Fork schedule: that of the L2, which has the forks of its L1 at the same times.
    pub forks: Arc<ChainSpec>,
    /// Prices of EXECUTE, in EXECUTE gas.
    pub execute: GasSchedule,
    /// Limits of a transaction.
    pub limits: L1Limits,
}

/// Part of a call's reserve by which L1 may differ from the schedule.
const TOLERANCE: u64 = 16;
/// Maximum number of comparisons while the market of L1 changes its price between them.
const MAX_CHECKS: usize = 8;
/// Gas that suffices for the call by any schedule that a node can work with.
const PLENTY: u64 = advance_plan::TRANSACTION_GAS_CAP;

impl L1Profile {
    /// The L1 of a deployment, as it is configured.
    pub fn new(config: &Config, deployment: &Deployment) -> Self {
        let forks = Arc::new(spec_of(&deployment.genesis.config));
        Self { forks, execute: config.execute_gas, limits: config.l1_limits }
    }

    /// The same L1 with blocks of this gas limit: no transaction has more than the block that it
    /// stands in.
    pub(crate) fn within(mut self, block_gas: Option<u64>) -> Self {
        self.limits.gas = self.limits.gas.min(block_gas.unwrap_or(u64::MAX));
        self
    }

    /// EXECUTE of this L1, for blocks of its L2.
    pub fn execute(&self) -> Execute {
        self.priced(self.execute)
    }

    fn priced(&self, schedule: GasSchedule) -> Execute {
        let networks = Networks::Only(Arc::clone(&self.forks));
        let following = Execute::following(ChainSpec::clone(&self.forks));
        let cryptography = cryptography::libraries();
        Execute { gas: schedule.into(), networks, cryptography, ..following }
    }

    /// Fork at a timestamp, but none before `least`.
    pub(crate) fn fork_at(&self, timestamp: u64, least: ProtocolFork) -> ProtocolFork {
        self.forks.fork_at(timestamp).map_or(least, |fork| fork.max(least))
    }

    /// Limits of a block's input, in which each byte has at least this price in wei.
    pub(crate) const fn input_limits(&self, byte_price: u128) -> InputLimits {
        InputLimits {
            bytes: Some(self.limits.input_bytes()),
            gas: Some(self.limits.execute_gas()),
            byte_price,
            schedule: self.execute,
        }
    }

    /// Compares prices and limits with those of L1. Those of a running node do not follow an L1
    /// whose blocks got smaller: blocks that were made for more are still to get there.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if L1 cannot be asked, sells EXECUTE at other prices, or has no room in a
    /// block for a transaction of the most gas.
    pub(crate) fn check(
        &self,
        client: &L1Client,
        deployment: &Deployment,
    ) -> Result<(), RollupError> {
        if let Some(got) = block_gas(client)?
            && got < self.limits.gas
        {
            return Err(RollupError::L1Limits { got, expected: self.limits.gas });
        }
        self.check_prices(client, deployment)
    }

    /// Compares the prices with those of L1, until its market has one price from before to after
    /// that.
    fn check_prices(&self, client: &L1Client, deployment: &Deployment) -> Result<(), RollupError> {
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

    /// Compares the prices with L1's at this rate of its market. Calls EXECUTE there with a valid
    /// block, an empty one on the genesis of the L2, and with a little more and a little less gas
    /// than the schedule reserves.
    ///
    /// # Errors
    ///
    /// [`RollupError::Profile`] if L1's reserve is larger or smaller; [`RollupError::L1`] if it
    /// does not answer.
    fn check_at(
        &self,
        rate: Rate,
        client: &L1Client,
        deployment: &Deployment,
    ) -> Result<(), RollupError> {
        let input = first_block(deployment)?;
        let reserve_by = |schedule| {
            let execute = self.priced(schedule);
            variants::cost_of(&*execute.gas, &input, 0, 0).map(|cost| rate.gas(cost.reserve))
        };
        let refused = |reason| RollupError::Refused { hash: deployment.genesis_hash, reason };
        let reserve = reserve_by(self.execute).map_err(refused)?;
        let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(()) };
        let Some(fork) = self.forks.fork_at(head.header.timestamp) else { return Ok(()) };
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
        let configured = self.execute.to_string();
        let what = if is_enough { "less" } else { "more" };
        Err(RollupError::Profile {
            configured,
            reserve,
            what,
            fitting: fitting.unwrap_or("another"),
        })
    }
}

/// Gas limit of L1's newest block.
pub(crate) fn block_gas(client: &L1Client) -> Result<Option<u64>, L1Error> {
    let provider = client.inner().provider().clone();
    let latest = BlockNumberOrTag::Latest;
    let block = client.wait(async move { provider.get_block_by_number(latest).await })?;
    Ok(block.map(|block| block.header.gas_limit))
}

/// Rate of L1's market after a block with this base fee; `None` if it has no market.
pub(crate) fn rate(
    client: &L1Client,
    block: BlockId,
    base_fee: u64,
) -> Result<Option<Rate>, L1Error> {
    let provider = client.inner().provider().clone();
    let request = TransactionRequest::default().to(MARKET_ADDRESS);
    // A refusal is no sign that there is no market: without its contract the call succeeds, with an
    // empty answer.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_from_before_a_fork_of_l1_are_planned_by_the_gas_of_the_l1_that_takes_them() {
        use ProtocolFork::{Amsterdam, Osaka, Prague};
        let forks = ChainSpec::scheduled(8_079, Prague, &[(Osaka, 100), (Amsterdam, 200)]);
        let profile = L1Profile {
            forks: Arc::new(forks),
            execute: GasSchedule::DEFAULT,
            limits: L1Limits::default(),
        };
        for (block, posted, expected) in
            [(99, 99, Prague), (99, 100, Osaka), (99, 200, Amsterdam), (199, 199, Osaka)]
        {
            let of_block = profile.forks.fork_at(block).unwrap();
            assert_eq!(profile.fork_at(posted, of_block), expected, "{block} at {posted}");
        }
        // A clock behind the block's time takes nothing back.
        assert_eq!(profile.fork_at(150, Amsterdam), Amsterdam);
        // L1 counts more gas for the same bytes after the fork.
        let bytes = vec![0xff; 1_000];
        let floor = |fork| advance_plan::transaction_gas(fork, &bytes).1;
        assert!(floor(profile.fork_at(200, Osaka)) > floor(Osaka));
    }

    #[test]
    fn a_transaction_has_no_more_gas_than_a_block_of_l1() {
        let forks = Arc::new(ChainSpec::scheduled(8_079, ProtocolFork::Prague, &[]));
        let limits = L1Limits::default();
        let profile = L1Profile { forks, execute: GasSchedule::DEFAULT, limits };
        let within = |gas| profile.clone().within(gas);
        assert_eq!(within(None).limits, limits);
        assert_eq!(within(Some(limits.gas + 1)).limits, limits);
        let small = within(Some(limits.gas / 2));
        assert_eq!(small.limits, L1Limits { gas: limits.gas / 2, ..limits });
        // Blocks are built for that.
        let (most, less) = (profile.input_limits(0).gas, small.input_limits(0).gas);
        assert!(less < most && less == Some(small.limits.execute_gas()), "{less:?} of {most:?}");
    }
}
