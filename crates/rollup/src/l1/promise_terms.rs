//! State of L1 that decides whether the sequencer can keep promises about blocks to come: its role,
//! the rules of the rollup, and its bond.

use crate::{
    l1::{L1Error, rollup_contracts::if_present},
    prefix::NotPreconfirming,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::RootProvider;
use alloy_sol_types::sol;
use contracts::bindings::{INativeRollup, IPreconfBonds};
use std::time::Duration;

/// Maximum time for all requests. Without a response no prefixes are signed, but blocks do not
/// wait. Enough for three sequential requests with a latency of 600 ms each.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time after `readyAt` during which a change can be made, in seconds, as in `RollupRules`.
const STALE_AFTER: u64 = 14 * 86_400;

sol! {
    #[sol(rpc)]
    interface IPromisePolicy {
        /// Account to which the role is offered; policies with several sequencers have none.
        function nextSequencer() external view returns (address);
        /// Policy that selects the sequencers, if this policy only adds a bond.
        function INNER() external view returns (address);
        /// Minimum bond in wei, of policies with a bond.
        function MIN_BOND() external view returns (uint256);
        /// Age of the head in seconds from which any account may advance; some policies have none.
        function TIMEOUT() external view returns (uint64);
    }
}

/// The sequencer that makes the promises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promiser {
    pub(crate) rollup: Address,
    pub(crate) account: Address,
    /// Registry of bonds, if its messages are bound to one.
    pub(crate) bonds: Option<Address>,
}

/// State that can end the role, the rules or the bond of a sequencer, as of an L1 block.
/// Unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PromiseTerms {
    /// Account to which the role is offered.
    successor: Option<Address>,
    /// L1 timestamp from which the owner can change a rule of the rollup.
    change_from: Option<u64>,
    bond: Option<Bond>,
    /// Age of the head in seconds from which any account may advance.
    timeout: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bond {
    amount: U256,
    /// Minimum that the policy requires.
    minimum: U256,
    is_withdrawn: bool,
}

impl PromiseTerms {
    /// Returns the age of the rollup's head in seconds from which the policy lets any account
    /// advance.
    pub(crate) const fn timeout(&self) -> u64 {
        self.timeout
    }

    /// Checks that a promise about a block at this time can be kept until L1 no longer accepts the
    /// block, `max_lag` seconds later.
    pub(crate) fn check(&self, time: u64, max_lag: u64) -> Result<(), NotPreconfirming> {
        if let Some(successor) = self.successor {
            return Err(NotPreconfirming::HandoverOffered { successor });
        }
        if let Some(from) = self.change_from.filter(|from| *from <= time.saturating_add(max_lag)) {
            return Err(NotPreconfirming::RulesChange { from });
        }
        match &self.bond {
            Some(bond) if bond.is_withdrawn => Err(NotPreconfirming::BondWithdrawn),
            Some(bond) if bond.amount < bond.minimum => {
                Err(NotPreconfirming::BondTooSmall { got: bond.amount, minimum: bond.minimum })
            }
            _ => Ok(()),
        }
    }
}

/// Requests the terms at the L1 block with this hash and timestamp from a node.
///
/// # Errors
///
/// [`L1Error::Contract`] if the node does not respond, and [`L1Error::TooSlow`].
pub(crate) async fn promise_terms(
    provider: RootProvider,
    promiser: Promiser,
    at: (B256, u64),
) -> Result<PromiseTerms, L1Error> {
    let response = tokio::time::timeout(TIMEOUT, request(provider, promiser, at)).await;
    Ok(response.map_err(|_| L1Error::TooSlow { limit: TIMEOUT })??)
}

async fn request(
    provider: RootProvider,
    Promiser { rollup, account, bonds }: Promiser,
    (hash, time): (B256, u64),
) -> Result<PromiseTerms, alloy_contract::Error> {
    let at = BlockId::from(hash);
    let rollup = INativeRollup::new(rollup, &provider);
    let (policy, announced) = (rollup.policy().block(at), rollup.announcements().block(at));
    let bond = async {
        let Some(bonds) = bonds else { return Ok(None) };
        let registry = IPreconfBonds::new(bonds, &provider);
        registry.bonds(account).block(at).call().await.map(Some)
    };
    let (policy, announced, bond) =
        tokio::try_join!(async { policy.call().await }, async { announced.call().await }, bond)?;
    let contract = IPromisePolicy::new(policy, &provider);
    let calls = (
        contract.nextSequencer().block(at),
        contract.INNER().block(at),
        contract.MIN_BOND().block(at),
        contract.TIMEOUT().block(at),
    );
    let (mut successor, inner, minimum, timeout) = tokio::try_join!(
        if_present(async { calls.0.call().await }),
        if_present(async { calls.1.call().await }),
        if_present(async { calls.2.call().await }),
        if_present(async { calls.3.call().await })
    )?;
    if let Some(inner) = inner {
        let inner = IPromisePolicy::new(inner, &provider);
        let next = inner.nextSequencer().block(at);
        successor = if_present(async { next.call().await }).await?;
    }
    // A change cannot be made before it is cleared, which takes at least another day.
    let cleared = announced.into_iter().filter(|change| change.cleared);
    Ok(PromiseTerms {
        successor: successor.filter(|next| !next.is_zero()),
        change_from: change_from(cleared.map(|change| change.readyAt), time),
        bond: bond.map(|bond| Bond {
            amount: U256::from(bond.amount),
            minimum: minimum.unwrap_or_default(),
            is_withdrawn: bond.withdrawableAt != 0,
        }),
        timeout: timeout.unwrap_or_default(),
    })
}

/// Returns the earliest of these ready times from which the owner can make a change, as of
/// `l1_time`. Stale changes are skipped: they stay announced, but can no longer be made.
fn change_from(ready: impl Iterator<Item = u64>, l1_time: u64) -> Option<u64> {
    ready.filter(|ready| l1_time <= ready.saturating_add(STALE_AFTER)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> PromiseTerms {
        let minimum = U256::from(10);
        let bond = Some(Bond { amount: minimum, minimum, is_withdrawn: false });
        PromiseTerms { successor: None, change_from: None, bond, timeout: 6_300 }
    }

    #[test]
    fn change_matters_once_it_can_precede_posting() {
        for (from, is_safe) in [(4_601, true), (4_600, false), (0, false)] {
            let terms = PromiseTerms { change_from: Some(from), ..terms() };
            assert_eq!(terms.check(1_000, 3_600).is_ok(), is_safe, "{from}");
        }
    }

    #[test]
    fn change_matters_until_it_is_stale() {
        let stale = 1_000 + STALE_AFTER;
        for (l1_time, expected) in [
            (0, Some(1_000)),
            (stale - 1, Some(1_000)),
            (stale, Some(1_000)),
            (stale + 1, Some(1_001)),
            (stale + 2, None),
        ] {
            assert_eq!(change_from([1_001, 1_000].into_iter(), l1_time), expected, "{l1_time}");
        }
        assert_eq!(change_from([u64::MAX].into_iter(), u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn bond_below_minimum_or_withdrawn_is_refused() {
        assert!(terms().check(0, 0).is_ok());
        assert!(PromiseTerms { bond: None, ..terms() }.check(0, 0).is_ok());
        let (got, minimum) = (U256::from(9), U256::from(10));
        let bond = Bond { amount: got, minimum, is_withdrawn: false };
        let small = PromiseTerms { bond: Some(bond.clone()), ..terms() };
        assert_eq!(small.check(0, 0), Err(NotPreconfirming::BondTooSmall { got, minimum }));
        let bond = Bond { amount: minimum, is_withdrawn: true, ..bond };
        let withdrawn = PromiseTerms { bond: Some(bond), ..terms() };
        assert_eq!(withdrawn.check(0, 0), Err(NotPreconfirming::BondWithdrawn));
    }
}
