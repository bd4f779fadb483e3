//! Comparison of an L2's fork schedule with L1's.
//!
//! EXECUTE verifies an L2 block by the fork that L1 had at the block's timestamp, so the L2 genesis
//! must have the forks of L1 at the same times. L1 nodes report their forks in `eth_config`
//! (EIP-7910): the current fork, the next one, and the last planned one.

use crate::{L1Client, L1Error, l1::Quorum};
use alloy_provider::{Provider as _, transport::RpcError};
use client::ClientError;
use executor::ChainSpec;
use serde::Deserialize;

/// Fork schedule in a response of `eth_config`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct L1Schedule {
    current: L1Fork,
    next: Option<L1Fork>,
    last: Option<L1Fork>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct L1Fork {
    activation_time: u64,
    blob_schedule: Option<BlobLimits>,
}

/// Blob parameters of a fork that are compared, in blobs per block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct BlobLimits {
    target: u64,
    max: u64,
}

/// First difference between the fork schedules of L1 and the L2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Difference {
    /// The L2 has no fork at that time.
    #[error("L1 forks at {at}, and the genesis of the L2 does not")]
    OnlyL1 {
        /// Timestamp of the fork.
        at: u64,
    },
    /// L1 has no fork at that time.
    #[error("the genesis of the L2 forks at {at}, and L1 does not")]
    OnlyL2 {
        /// Timestamp of the fork.
        at: u64,
    },
    /// Both have a fork at that time, but different ones.
    #[error(
        "L1 allows {got} blobs per block from {at} on, and the genesis of the L2 allows {expected}: their forks differ"
    )]
    Blobs {
        /// Timestamp of the fork.
        at: u64,
        /// Maximum number of blobs by L1.
        got: u64,
        /// Maximum number of blobs by the L2.
        expected: u64,
    },
}

impl Difference {
    /// Returns the timestamp from which the rules of L1 and the L2 may differ.
    pub(crate) const fn at(&self) -> u64 {
        match self {
            Self::OnlyL1 { at } | Self::OnlyL2 { at } | Self::Blobs { at, .. } => *at,
        }
    }
}

impl L1Schedule {
    /// Requests L1's schedule; `None` if L1 does not support `eth_config`, or its response has
    /// another format.
    ///
    /// # Errors
    ///
    /// [`L1Error`] if L1 does not respond.
    pub(crate) fn of(client: &L1Client) -> Result<Option<Self>, L1Error> {
        // A false schedule would stop a sequencer, so the majority decides.
        let response = client.majority(Quorum::Responding, |provider| async move {
            Ok::<Self, L1Error>(provider.raw_request("eth_config".into(), ()).await?)
        });
        // Not an error, since not all L1 nodes support EIP-7910.
        match response {
            Ok(schedule) => Ok(Some(schedule)),
            Err(L1Error::Client(ClientError::Rpc(
                RpcError::ErrorResp(_) | RpcError::DeserError { .. },
            ))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the first difference from the schedule of an L2 whose genesis has the timestamp
    /// `genesis_time`. L1's response lacks forks between its next and its last one.
    pub(crate) fn difference(&self, spec: &ChainSpec, genesis_time: u64) -> Option<Difference> {
        let of_l1 = [Some(&self.current), self.next.as_ref(), self.last.as_ref()];
        let of_l1: Vec<&L1Fork> = of_l1.into_iter().flatten().collect();
        let mut of_l2: Vec<u64> = spec.fork_times().into_iter().map(|(_, time)| time).collect();
        of_l2.retain(|time| *time > genesis_time);
        let is_on_l1 = |time: u64| of_l1.iter().any(|fork| fork.activation_time == time);
        let is_between = |time: u64| {
            let (next, last) = (self.next.as_ref(), self.last.as_ref());
            next.is_some_and(|next| time > next.activation_time)
                && last.is_some_and(|last| time < last.activation_time)
        };
        // The response does not contain forks before the current one.
        let is_reported = |time: u64| time > self.current.activation_time && !is_between(time);
        let mut differences = Vec::new();
        for time in &of_l2 {
            if is_reported(*time) && !is_on_l1(*time) {
                differences.push(Difference::OnlyL2 { at: *time });
            }
        }
        for fork in of_l1 {
            let at = fork.activation_time;
            // Forks up to genesis are not compared here; an EXECUTE call with the first block of
            // the L2 checks that fork.
            if at <= genesis_time {
                continue;
            }
            if !of_l2.contains(&at) {
                differences.push(Difference::OnlyL1 { at });
            } else if let Some(BlobLimits { max: got, target }) = fork.blob_schedule
                && let Some(own) = spec.blob_params_at(at)
                && (got, target) != (own.max_blob_count, own.target_blob_count)
            {
                differences.push(Difference::Blobs { at, got, expected: own.max_blob_count });
            }
        }
        // Blocks before the first difference are valid by both schedules.
        differences.into_iter().min_by_key(Difference::at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wire::ProtocolFork::{Amsterdam, Bpo2, Osaka, Prague};

    const GENESIS: u64 = 1_000;

    fn l2() -> ChainSpec {
        ChainSpec::scheduled(8_079, Prague, &[(Osaka, 2_000), (Bpo2, 3_000), (Amsterdam, 4_000)])
    }

    fn fork(time: u64, max: u64, target: u64) -> serde_json::Value {
        let blobs = json!({ "max": max, "target": target, "baseFeeUpdateFraction": 1 });
        json!({ "activationTime": time, "blobSchedule": blobs, "forkId": "0x00000000" })
    }

    /// Schedule of an L1 with these forks.
    fn l1(forks: [Option<u64>; 3]) -> L1Schedule {
        let blobs = |time: u64| if time < 3_000 { (9, 6) } else { (21, 14) };
        let [current, next, last] = forks.map(|time| {
            time.map(|time| {
                let (max, target) = blobs(time);
                fork(time, max, target)
            })
        });
        serde_json::from_value(json!({ "current": current, "next": next, "last": last })).unwrap()
    }

    #[test]
    fn equal_schedules_never_differ() {
        for forks in [
            // L1's current fork is older than the L2's genesis.
            [Some(10), Some(2_000), Some(4_000)],
            [Some(2_000), Some(3_000), Some(4_000)],
            [Some(3_000), Some(4_000), Some(4_000)],
            [Some(4_000), None, None],
        ] {
            assert_eq!(l1(forks).difference(&l2(), GENESIS), None, "{forks:?}");
        }
    }

    #[test]
    fn first_missing_fork_is_reported() {
        use Difference::{OnlyL1, OnlyL2};
        for (forks, expected) in [
            // A further fork of L1, as its next or its last one.
            ([Some(4_000), Some(5_000), Some(5_000)], OnlyL1 { at: 5_000 }),
            ([Some(3_000), Some(4_000), Some(5_000)], OnlyL1 { at: 5_000 }),
            // A further fork of L1, as its current one.
            ([Some(5_000), None, None], OnlyL1 { at: 5_000 }),
            // L1 forks later, earlier, or not at all.
            ([Some(3_000), Some(4_001), Some(4_001)], OnlyL2 { at: 4_000 }),
            ([Some(3_000), Some(3_999), Some(3_999)], OnlyL1 { at: 3_999 }),
            ([Some(3_000), None, None], OnlyL2 { at: 4_000 }),
        ] {
            assert_eq!(l1(forks).difference(&l2(), GENESIS), Some(expected), "{forks:?}");
        }
    }

    #[test]
    fn simultaneous_forks_with_other_blob_limits_differ() {
        let other = json!({
            "current": fork(2_000, 9, 6), "next": fork(3_000, 15, 10), "last": fork(4_000, 21, 14),
        });
        let other: L1Schedule = serde_json::from_value(other).unwrap();
        let expected = Difference::Blobs { at: 3_000, got: 15, expected: 21 };
        assert_eq!(other.difference(&l2(), GENESIS), Some(expected));
    }
}
