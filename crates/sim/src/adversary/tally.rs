//! Counts of what the adversary has tried.

use alloy_primitives::{Bytes, hex};
use alloy_sol_types::SolInterface as _;
use contracts::bindings::IPreconfBonds::IPreconfBondsErrors;
use preconf::faults::{Fault, Refusal};
use std::{collections::BTreeMap, fmt};

/// Number of accusations that were refused for a reason: by the judgement in Rust, and by the
/// contract.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    judged: u64,
    called: u64,
}

/// Refusals by the fault and the reason.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(&'static str, String), Count>);

impl Tally {
    pub(super) fn judged(&mut self, fault: Fault, reason: &str) {
        self.0.entry((name(fault), reason.to_owned())).or_default().judged += 1;
    }

    pub(super) fn called(&mut self, fault: Fault, reason: &str) {
        self.0.entry((name(fault), reason.to_owned())).or_default().called += 1;
    }

    /// Number of accusations that were judged, and of calls of the contract.
    pub(super) fn sums(&self) -> (u64, u64) {
        self.0.values().fold((0, 0), |sum, it| (sum.0 + it.judged, sum.1 + it.called))
    }

    /// Returns `true` if the contract has refused an accusation for this reason.
    pub(super) fn has(&self, reason: &str) -> bool {
        self.0.iter().any(|((_, it), count)| it == reason && count.called > 0)
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
        Err(_) => format!("0x{}", hex::encode(data.get(..4).unwrap_or_default())),
    }
}

fn first_word(text: &str) -> String {
    text.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use alloy_sol_types::SolError as _;
    use contracts::bindings::IPreconfBonds::{ConditionVoid, NotInConflict};

    #[test]
    fn reasons_have_the_names_of_errors() {
        let void = ConditionVoid { l1Block: 1, got: B256::ZERO, expected: B256::ZERO };
        let judged = Refusal::ConditionVoid { l1_block: 1, got: B256::ZERO, expected: B256::ZERO };
        assert_eq!(reason_in(&void.abi_encode().into()), reason_of(&judged));
        assert_eq!(reason_in(&NotInConflict {}.abi_encode().into()), "NotInConflict");
        assert_eq!(reason_of(&Refusal::NotInConflict), "NotInConflict");
        assert_eq!(reason_in(&Bytes::from_static(&[1, 2, 3, 4])), "0x01020304");
    }
}
