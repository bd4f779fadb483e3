//! Messages between candidates and witnesses.

use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Name of a lease, unique for each rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseName(pub B256);

impl LeaseName {
    /// Returns the name of a rollup's lease: the Keccak hash of L1's chain id and the rollup's
    /// address on L1.
    pub fn of_rollup(l1_chain_id: u64, rollup: Address) -> Self {
        Self(keccak256([&l1_chain_id.to_be_bytes()[..], rollup.as_slice()].concat()))
    }
}

/// Identity of a candidate: random for each process, to distinguish processes with the same
/// configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CandidateId(pub B256);

impl CandidateId {
    /// Returns the identity of a new process.
    pub fn random() -> Self {
        Self(B256::random())
    }
}

/// A candidate, as the holder of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leader {
    /// Identity of the candidate.
    pub id: CandidateId,
    /// WebSocket URL at which other nodes follow the candidate while it leads.
    pub url: String,
}

/// Answer of a witness to a request for a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// The lease is granted from now on.
    Granted {
        /// Duration of the grant.
        #[serde(rename = "ttlMs", with = "millis")]
        ttl: Duration,
        /// `true` if another candidate requests the lease, too.
        contested: bool,
    },
    /// Another candidate holds the lease.
    Held {
        /// The holder.
        by: Leader,
        /// Time until the grant expires, unless it is renewed.
        #[serde(rename = "leftMs", with = "millis")]
        left: Duration,
    },
    /// The witness started recently and does not know what it granted before.
    Starting {
        /// Time until it grants leases again.
        #[serde(rename = "leftMs", with = "millis")]
        left: Duration,
    },
    /// The witness has its maximum number of leases.
    Full {
        /// Maximum number of leases.
        limit: usize,
    },
}

mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_roundtrip_through_json() {
        let by = Leader { id: CandidateId(B256::repeat_byte(1)), url: "ws://a".to_owned() };
        let (ttl, left) = (Duration::from_millis(6_000), Duration::from_millis(7));
        for (answer, written) in [
            (
                Answer::Granted { ttl, contested: true },
                r#"{"answer":"granted","ttlMs":6000,"contested":true}"#.to_owned(),
            ),
            (
                Answer::Held { by, left },
                format!(
                    r#"{{"answer":"held","by":{{"id":"{}","url":"ws://a"}},"leftMs":7}}"#,
                    B256::repeat_byte(1)
                ),
            ),
            (Answer::Starting { left }, r#"{"answer":"starting","leftMs":7}"#.to_owned()),
            (Answer::Full { limit: 3 }, r#"{"answer":"full","limit":3}"#.to_owned()),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), written);
            assert_eq!(serde_json::from_str::<Answer>(&written).unwrap(), answer);
        }
    }

    #[test]
    fn each_rollup_has_a_lease_of_its_own() {
        let name = |chain, byte| LeaseName::of_rollup(chain, Address::repeat_byte(byte));
        assert_eq!(name(1, 2), name(1, 2));
        assert_ne!(name(1, 2), name(1, 3));
        assert_ne!(name(1, 2), name(2, 2));
    }
}
