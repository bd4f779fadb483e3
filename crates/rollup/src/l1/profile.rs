//! L1 properties that the L2 blocks are built for: forks, EXECUTE prices and transaction limits.

use crate::{Config, InputLimits, L1Client, L1Error, L1Provider as _};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Bytes, U256};
use alloy_provider::{Provider as _, RootProvider};
use alloy_rpc_types_eth::TransactionRequest;
use chain::{BlockAttributes, Chain, ChainConfig, spec_of};
use contracts::{
    Deployment,
    advance_plan::{self, L1Limits},
};
use execute::{EXECUTE_ADDRESS, Execute, Networks, WorkGas};
use executor::ChainSpec;
use std::sync::Arc;
use variants::{
    GasSchedule,
    market::{MARKET_ADDRESS, Rate},
};
use wire::{ProtocolFork, StatelessResult};

/// L1 properties that the L2 blocks are built for, shared by the builder, the self-check, the
/// planner, the submitter, and a follower that may be promoted. They are compared with L1 at the
/// start, and after each `advance` that L1 rejected.
///
/// On an L1 with a [`market`](variants::market) the price of EXECUTE gas varies: the node reads it
/// at each L1 block.
#[derive(Debug, Clone)]
pub struct L1Profile {
    /// Fork schedule of the L2, which has the same forks as its L1 at the same times.
    pub forks: Arc<ChainSpec>,
    /// Prices of EXECUTE, in EXECUTE gas.
    pub execute: GasSchedule,
    /// Limits of an L1 transaction.
    pub limits: L1Limits,
}

/// Reciprocal of the tolerated difference between L1's reserve of a call and the schedule's.
const TOLERANCE: u64 = 16;
/// Maximum number of comparisons while the price of L1's market keeps changing.
const MAX_CHECKS: usize = 8;
/// Gas that suffices for the call under any usable schedule.
const PLENTY: u64 = advance_plan::TRANSACTION_GAS_CAP;

impl L1Profile {
    /// Creates the configured profile for the L1 of a deployment.
    pub fn new(config: &Config, deployment: &Deployment) -> Self {
        let forks = Arc::new(spec_of(&deployment.genesis.config));
        Self { forks, execute: config.execute_gas, limits: config.l1_limits }
    }

    /// Reduces the limit of a transaction to the gas limit of L1's blocks, if it is known.
    pub(crate) fn within(mut self, block_gas: Option<u64>) -> Self {
        self.limits.gas = self.limits.gas.min(block_gas.unwrap_or(u64::MAX));
        self
    }

    /// Returns EXECUTE with the prices of this L1, for blocks of its L2.
    pub fn execute(&self) -> Execute {
        self.priced(self.execute)
    }

    fn priced(&self, schedule: GasSchedule) -> Execute {
        let networks = Networks::Only(Arc::clone(&self.forks));
        let following = Execute::following(ChainSpec::clone(&self.forks));
        let cryptography = crypto::libraries();
        Execute { gas: schedule.into(), networks, cryptography, ..following }
    }

    /// Returns the fork at a timestamp, but at least `minimum`.
    pub(crate) fn fork_at(&self, timestamp: u64, minimum: ProtocolFork) -> ProtocolFork {
        self.forks.fork_at(timestamp).map_or(minimum, |fork| fork.max(minimum))
    }

    /// Returns the limits of a block's input, with this minimum price per byte in wei.
    pub(crate) const fn input_limits(&self, byte_price: u128) -> InputLimits {
        InputLimits {
            bytes: Some(self.limits.input_bytes()),
            gas: Some(self.limits.execute_gas()),
            byte_price,
            present_byte_price: 0,
            schedule: self.execute,
        }
    }

    /// Compares prices and limits with L1's. A running node does not reduce its limits if L1's
    /// block gas limit falls, because blocks sealed under the old limits are still to be posted.
    ///
    /// # Errors
    ///
    /// [`L1Error`] if L1 does not respond, has other prices of EXECUTE, or has a block gas limit
    /// below the limit of a transaction.
    pub(crate) fn check(&self, client: &L1Client, deployment: &Deployment) -> Result<(), L1Error> {
        if let Some(got) = block_gas(client)?
            && got < self.limits.gas
        {
            return Err(L1Error::Limits { got, expected: self.limits.gas });
        }
        self.check_prices(client, deployment)
    }

    /// Compares the prices with L1's, and repeats this until the price of its market has not
    /// changed during the comparison.
    fn check_prices(&self, client: &L1Client, deployment: &Deployment) -> Result<(), L1Error> {
        let now = || {
            let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(None) };
            rate(client, BlockId::latest(), head.header.base_fee)
        };
        let mut before = now()?;
        for _ in 0..MAX_CHECKS {
            let outcome = self.check_at(before.unwrap_or(Rate::PAR), client, deployment);
            let after = now()?;
            // An L1 block in between may have changed the price, which invalidates the comparison.
            if before == after {
                return outcome;
            }
            before = after;
        }
        tracing::warn!("failed to check EXECUTE prices, L1's market price changes at each poll");
        Ok(())
    }

    /// Compares the prices with L1's at this rate of its market: calls EXECUTE on L1 with a valid
    /// block (an empty one on the L2's genesis), with slightly more and slightly less gas than the
    /// schedule reserves.
    ///
    /// # Errors
    ///
    /// [`L1Error::Profile`] if L1's reserve is larger or smaller; [`L1Error`] if L1 does not
    /// respond.
    fn check_at(
        &self,
        rate: Rate,
        client: &L1Client,
        deployment: &Deployment,
    ) -> Result<(), L1Error> {
        let input = first_block(deployment)?;
        let reserve_by = |schedule| {
            let execute = self.priced(schedule);
            variants::cost_of(&*execute.gas, &input, 0, WorkGas::default())
                .map(|cost| rate.gas(cost.reserve))
        };
        let refused = |reason| L1Error::Refused { hash: deployment.genesis_hash, reason };
        let reserve = reserve_by(self.execute).map_err(refused)?;
        let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(()) };
        let Some(fork) = self.forks.fork_at(head.header.timestamp) else { return Ok(()) };
        let (intrinsic, floor) = advance_plan::transaction_gas(fork, &input);
        let runs_with = |gas: u64| runs(client, &input, intrinsic.saturating_add(gas));
        let around = |reserve: u64| {
            (reserve - reserve / TOLERANCE, reserve.saturating_add(reserve / TOLERANCE))
        };
        let (little, much) = around(reserve);
        // A transaction needs at least the floor gas of its calldata (EIP-7623), at any price of
        // EXECUTE.
        let is_enough = runs_with(much.max(floor.saturating_sub(intrinsic)))?;
        let is_more_than_enough = intrinsic.saturating_add(little) >= floor && runs_with(little)?;
        if is_enough && !is_more_than_enough {
            return Ok(());
        }
        if !is_enough && !runs_with(PLENTY.saturating_sub(intrinsic))? {
            // EXECUTE has another address or other forks, so the prices are not the cause.
            tracing::warn!(reserve, "failed to check EXECUTE prices, L1 does not execute the call");
            return Ok(());
        }
        let mut fitting = None;
        for (name, schedule) in GasSchedule::NAMED {
            let reserve = reserve_by(schedule).map_err(refused)?;
            let (little, much) = around(reserve);
            if intrinsic.saturating_add(little) >= floor && !runs_with(little)? && runs_with(much)?
            {
                fitting = Some(name);
            }
        }
        let configured = self.execute.to_string();
        let what = if is_enough { "less" } else { "more" };
        Err(L1Error::Profile { configured, reserve, what, fitting: fitting.unwrap_or("another") })
    }
}

/// Returns the gas limit of L1's latest block.
pub(crate) fn block_gas(client: &L1Client) -> Result<Option<u64>, L1Error> {
    let provider = client.inner().provider().clone();
    let latest = BlockNumberOrTag::Latest;
    let block = client.wait(async move { provider.get_block_by_number(latest).await })?;
    Ok(block.map(|block| block.header.gas_limit))
}

/// Returns `true` if L1 has a market for EXECUTE gas.
pub(crate) fn has_market(client: &L1Client) -> Result<bool, L1Error> {
    Ok(rate(client, BlockId::latest(), 0)?.is_some())
}

/// Returns the rate of L1's market after a block with this base fee; `None` if L1 has no market.
pub(crate) fn rate(
    client: &L1Client,
    block: BlockId,
    base_fee: u64,
) -> Result<Option<Rate>, L1Error> {
    client.wait(rate_by(client.inner().provider().clone(), block, base_fee))
}

/// Requests [`rate`] from a single L1 node.
pub(crate) async fn rate_by(
    provider: RootProvider,
    block: BlockId,
    base_fee: u64,
) -> Result<Option<Rate>, L1Error> {
    let request = TransactionRequest::default().to(MARKET_ADDRESS);
    // An error does not mean that there is no market: without its contract the call succeeds and
    // returns no data.
    let words = provider.call(request).block(block).await?;
    // Price, excess and limit. Without a contract, EXECUTE gas costs as much as gas.
    let price = (words.len() == 96).then(|| U256::from_be_slice(&words[..32]).saturating_to());
    Ok(price.map(|price| Rate { price, base_fee }))
}

/// Returns the EXECUTE input of an empty block on the genesis of an L2.
fn first_block(deployment: &Deployment) -> Result<Bytes, L1Error> {
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
    Ok(new.input().map_err(|source| L1Error::Input { number, source })?.into())
}

/// Returns `true` if EXECUTE verifies the input in a transaction with this gas.
fn runs(client: &L1Client, input: &Bytes, gas: u64) -> Result<bool, L1Error> {
    let provider = client.inner().provider().clone();
    let request = TransactionRequest::default()
        .to(EXECUTE_ADDRESS)
        .gas_limit(gas)
        .input(input.clone().into());
    let result = client.wait(async move { provider.call(request).await });
    match result {
        Ok(output) => Ok(StatelessResult::decode(&output).is_ok_and(|result| result.valid)),
        Err(error) if error.as_error_resp().is_some() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_planned_for_fork_of_inclusion() {
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
        // An L1 clock behind the block's time does not yield an earlier fork.
        assert_eq!(profile.fork_at(150, Amsterdam), Amsterdam);
        // L1 counts more gas for the same bytes after the fork.
        let bytes = vec![0xff; 1_000];
        let floor = |fork| advance_plan::transaction_gas(fork, &bytes).1;
        assert!(floor(profile.fork_at(200, Osaka)) > floor(Osaka));
    }

    #[test]
    fn block_gas_limit_caps_transaction_gas() {
        let forks = Arc::new(ChainSpec::scheduled(8_079, ProtocolFork::Prague, &[]));
        let limits = L1Limits::default();
        let profile = L1Profile { forks, execute: GasSchedule::DEFAULT, limits };
        let within = |gas| profile.clone().within(gas);
        assert_eq!(within(None).limits, limits);
        assert_eq!(within(Some(limits.gas + 1)).limits, limits);
        let small = within(Some(limits.gas / 2));
        assert_eq!(small.limits, L1Limits { gas: limits.gas / 2, ..limits });
        // The input limits of blocks shrink with it.
        let (full, reduced) = (profile.input_limits(0).gas, small.input_limits(0).gas);
        assert!(
            reduced < full && reduced == Some(small.limits.execute_gas()),
            "{reduced:?} of {full:?}"
        );
    }
}
