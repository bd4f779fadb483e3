//! Forks that EXECUTE accepts, and the timestamps at which it accepts them.

use crate::ExecuteError;
use alloc::{sync::Arc, vec::Vec};
use stateless::ChainSpec;
use wire::{ProtocolFork, SchemaId};

/// Rule by which EXECUTE accepts schema ids for chain ids that do not belong to a public network.
#[derive(Debug, Clone)]
pub enum ForkRule {
    /// The fork that was active on L1 at the block's timestamp, or an earlier one that differs from
    /// it only in blob parameters. An L2 has no blobs, so such forks execute its blocks
    /// identically.
    ///
    /// The caller cannot choose the rules: the rollup checks the block timestamp, and each
    /// timestamp has one set of rules. A block built before an L1 fork is still valid after it.
    Scheduled(Arc<ChainSpec>),
    /// Each of these forks, at any timestamp. The caller chooses among them, so none may charge
    /// less gas for the same work than L1 does.
    Any(Vec<ProtocolFork>),
}

impl ForkRule {
    /// Every fork that EXECUTE can verify, at any timestamp.
    pub fn every() -> Self {
        Self::Any(ProtocolFork::ALL.into_iter().filter(is_verified).collect())
    }

    /// Returns the forks that are accepted at some time, oldest first.
    pub fn forks(&self) -> Vec<ProtocolFork> {
        ProtocolFork::ALL.into_iter().filter(|fork| self.accepts_at_some_time(*fork)).collect()
    }

    pub(crate) fn accepts_at_some_time(&self, fork: ProtocolFork) -> bool {
        match self {
            Self::Scheduled(l1) => {
                is_verified(&fork) && l1.forks().into_iter().any(|of_l1| covers(of_l1, fork))
            }
            Self::Any(forks) => forks.contains(&fork),
        }
    }

    /// Checks schema id `got`, which belongs to `fork`, for a block with this timestamp.
    pub(crate) fn check(
        &self,
        got: SchemaId,
        fork: ProtocolFork,
        timestamp: u64,
    ) -> Result<(), ExecuteError> {
        match self {
            Self::Scheduled(l1) => {
                // While a fork that cannot be verified is active on L1, no schema id is accepted.
                let expected = l1.fork_at(timestamp).filter(is_verified);
                match expected {
                    Some(of_l1) if covers(of_l1, fork) => Ok(()),
                    _ => Err(ExecuteError::ForkAt { got, expected, timestamp }),
                }
            }
            Self::Any(forks) if forks.contains(&fork) => Ok(()),
            Self::Any(_) => Err(ExecuteError::Schema(got)),
        }
    }
}

/// Returns `true` if an L1 on which `of_l1` is active accepts blocks of `fork`.
fn covers(of_l1: ProtocolFork, fork: ProtocolFork) -> bool {
    // A fork that only changes blob parameters has the same rules for a chain without blobs.
    fork <= of_l1 && fork.rules() == of_l1.rules()
}

/// Returns `true` if blocks of the fork can be verified from a witness.
fn is_verified(fork: &ProtocolFork) -> bool {
    *fork >= ProtocolFork::Cancun
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolFork::{Amsterdam, Bpo1, Bpo2, Cancun, Osaka, Paris, Prague, Shanghai};

    #[test]
    fn schedule_accepts_exactly_l1_rules_at_each_timestamp() {
        let later = [(Osaka, 100), (Bpo2, 200), (Amsterdam, 300)];
        let rule = ForkRule::Scheduled(ChainSpec::scheduled(1_337, Prague, &later).into());
        assert_eq!(rule.forks(), [Prague, Osaka, Bpo1, Bpo2, Amsterdam]);
        for (timestamp, of_l1, accepted) in [
            (0, Prague, &[Prague][..]),
            (99, Prague, &[Prague]),
            (100, Osaka, &[Osaka]),
            (199, Osaka, &[Osaka]),
            (200, Bpo2, &[Osaka, Bpo1, Bpo2]),
            (299, Bpo2, &[Osaka, Bpo1, Bpo2]),
            (300, Amsterdam, &[Amsterdam]),
            (u64::MAX, Amsterdam, &[Amsterdam]),
        ] {
            for fork in ProtocolFork::ALL {
                let got = fork.schema();
                let expected = if accepted.contains(&fork) {
                    Ok(())
                } else {
                    Err(ExecuteError::ForkAt { got, expected: Some(of_l1), timestamp })
                };
                assert_eq!(rule.check(got, fork, timestamp), expected, "{fork} at {timestamp}");
            }
        }
    }

    #[test]
    fn unverifiable_forks_are_never_accepted() {
        for l1 in [Paris, Shanghai] {
            let rule = ForkRule::Scheduled(ChainSpec::constant(1, l1).into());
            let refused = ExecuteError::ForkAt { got: l1.schema(), expected: None, timestamp: 7 };
            assert_eq!(rule.check(l1.schema(), l1, 7), Err(refused));
            assert!(!rule.accepts_at_some_time(l1));
            assert_eq!(rule.forks(), []);
        }
    }

    #[test]
    fn unscheduled_rule_ignores_timestamps() {
        let rule = ForkRule::Any(vec![Osaka, Bpo1]);
        for timestamp in [0, u64::MAX] {
            assert_eq!(rule.check(Bpo1.schema(), Bpo1, timestamp), Ok(()));
            let refused = ExecuteError::Schema(Prague.schema());
            assert_eq!(rule.check(Prague.schema(), Prague, timestamp), Err(refused));
        }
        assert_eq!(ForkRule::every().forks(), [Cancun, Prague, Osaka, Bpo1, Bpo2, Amsterdam]);
    }
}
