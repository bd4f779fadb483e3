//! Counts of the adversary's accusations by outcome.

use alloy_primitives::{Bytes, hex};
use alloy_sol_types::{SolError as _, SolInterface as _, sol};
use contracts::bindings::IPreconfBonds::IPreconfBondsErrors;
use eyre::{Result, ensure};
use preconf::faults::{Fault, Refusal};
use std::{collections::BTreeMap, fmt, time::Duration};

sol! {
    /// L1 does not serve the hash of the block; declared in `contracts/libraries/L1History.sol`.
    error L1BlockUnavailable(uint256 number, uint256 current);
}

/// Errors of the contract that the disturbances must cause. In a run of 60 minutes the rarest one
/// occurred 284 times.
const EXPECTED: [(Fault, &str); 13] = [
    (Fault::Equivocation, "NotInConflict"),
    (Fault::Equivocation, "ConditionVoid"),
    (Fault::Equivocation, "ParentDiffers"),
    (Fault::Broken, "NotInConflict"),
    (Fault::Broken, "ConditionVoid"),
    (Fault::Broken, "ParentDiffers"),
    (Fault::Broken, "PromiseEnded"),
    (Fault::Lie, "InputsDiffer"),
    (Fault::Lie, "OutcomesEqual"),
    (Fault::Late, "ConditionVoid"),
    (Fault::Late, "HeadReached"),
    (Fault::Late, "LateAlready"),
    (Fault::Late, "NotLate"),
];
/// Minimum duration of a run that must cause all of them. A shorter run may lack a kind of
/// disturbance.
const LONG: Duration = Duration::from_secs(30 * 60);

/// Number of accusations with one outcome: by the judgement in Rust, and by the contract.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    judged: u64,
    called: u64,
}

/// Counts by fault and outcome.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(&'static str, String), Count>);

impl Tally {
    pub(super) fn judged(&mut self, fault: Fault, reason: &str) {
        self.0.entry((name(fault), reason.to_owned())).or_default().judged += 1;
    }

    pub(super) fn called(&mut self, fault: Fault, reason: &str) {
        self.0.entry((name(fault), reason.to_owned())).or_default().called += 1;
    }

    /// Returns the total number of judgements, and of contract calls.
    pub(super) fn sums(&self) -> (u64, u64) {
        self.0.values().fold((0, 0), |sum, counts| (sum.0 + counts.judged, sum.1 + counts.called))
    }

    /// Returns the expected errors that the contract has not returned.
    pub(super) fn missing(&self) -> Vec<(Fault, &'static str)> {
        let is_missing = |&(fault, reason): &(Fault, &str)| {
            self.0.get(&(name(fault), reason.to_owned())).is_none_or(|count| count.called == 0)
        };
        EXPECTED.into_iter().filter(is_missing).collect()
    }

    /// Checks that a run of this duration, if it was long enough, has caused all expected errors.
    /// If one is missing, the adversary or a disturbance no longer works as intended.
    pub(super) fn require_exercised(&self, lasted: Duration) -> Result<()> {
        let missing = self.missing();
        ensure!(
            lasted < LONG || missing.is_empty(),
            "the contract has not refused accusations for the reasons {missing:?} in {} s",
            lasted.as_secs()
        );
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((fault, reason), Count { judged, called }) in &self.0 {
            write!(
                f,
                "\n    {fault:<14}{reason:<22}{judged:>10} judged{called:>10} by the contract"
            )?;
        }
        Ok(())
    }
}

pub(super) const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Equivocation => "equivocation",
        Fault::Broken => "broken",
        Fault::Lie => "lie",
        Fault::Late => "late",
    }
}

/// Name of the contract's error for a refusal.
pub(super) fn reason_of(refusal: &Refusal) -> String {
    match refusal {
        Refusal::ConditionUnavailable { .. } => "L1BlockUnavailable".to_owned(),
        other => first_word(&format!("{other:?}")),
    }
}

/// Name of the error with which the contract has reverted.
pub(super) fn reason_in(data: &Bytes) -> String {
    match IPreconfBondsErrors::abi_decode(data) {
        Ok(error) => first_word(&format!("{error:?}")),
        Err(_) if data.starts_with(&L1BlockUnavailable::SELECTOR) => {
            "L1BlockUnavailable".to_owned()
        }
        Err(_) => format!("0x{}", hex::encode(data.get(..4).unwrap_or_default())),
    }
}

fn first_word(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U256};
    use contracts::bindings::IPreconfBonds::{ConditionVoid, NotInConflict};

    #[test]
    fn reasons_have_the_names_of_errors() {
        let void = ConditionVoid { l1Block: 1, got: B256::ZERO, expected: B256::ZERO };
        let judged = Refusal::ConditionVoid { l1_block: 1, got: B256::ZERO, expected: B256::ZERO };
        assert_eq!(reason_in(&void.abi_encode().into()), reason_of(&judged));
        assert_eq!(reason_in(&NotInConflict {}.abi_encode().into()), "NotInConflict");
        assert_eq!(reason_of(&Refusal::NotInConflict), "NotInConflict");
        let number = U256::from(1);
        let unavailable = L1BlockUnavailable { number, current: number }.abi_encode();
        let judged = Refusal::ConditionUnavailable { l1_block: 1 };
        assert_eq!(reason_in(&unavailable.into()), reason_of(&judged));
        assert_eq!(reason_in(&Bytes::from_static(&[1, 2, 3, 4])), "0x01020304");
    }

    #[test]
    fn long_run_without_expected_refusal_fails() {
        let almost = LONG.saturating_sub(Duration::from_millis(1));
        for without in EXPECTED {
            let mut tally = Tally::default();
            for (fault, reason) in EXPECTED.into_iter().filter(|expected| *expected != without) {
                tally.called(fault, reason);
            }
            // Neither a judgement in Rust alone nor the same error for another fault counts.
            let (fault, reason) = without;
            tally.judged(fault, reason);
            assert_eq!(tally.missing(), [without]);
            let error = tally.require_exercised(LONG).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(tally.require_exercised(almost).is_ok());
            tally.called(fault, reason);
            assert!(tally.require_exercised(LONG).is_ok(), "{reason}");
        }
    }
}
