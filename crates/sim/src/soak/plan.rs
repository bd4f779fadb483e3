//! Plan derived from a seed: traffic, and the faults during it.

use testkit::Random;

/// Maximum depth of an L1 reorg, in blocks.
pub(super) const DEEPEST: u64 = 8;
/// Maximum jump of L1's clock, in seconds: more than the rollup's maximum lag.
const LONGEST_JUMP: u64 = 7_200;
/// Minimum time before a fork of L1, in seconds. Blocks sealed then can still be posted after the
/// fork.
const LATEST: u64 = 20;
/// Maximum time before a fork of L1, in seconds.
const EARLIEST: u64 = 600;
/// Maximum duration of a fault, in milliseconds.
const LONGEST: u64 = 3_000;

/// L2 nodes affected by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AffectedNodes {
    Sequencer,
    Follower,
    Both,
}

impl AffectedNodes {
    pub(super) const fn has_sequencer(self) -> bool {
        matches!(self, Self::Sequencer | Self::Both)
    }

    pub(super) const fn has_follower(self) -> bool {
        matches!(self, Self::Follower | Self::Both)
    }
}

/// Fault of the connection to L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkFault {
    /// Connections are closed immediately.
    Gone,
    /// Requests get no response.
    Silent,
    /// Most requests are rejected with HTTP status 429.
    Limited,
    /// Some responses have a changed digit.
    Lying,
    /// `latest` is an old block.
    Old,
}

/// Fault of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    /// Nodes are killed `times` times, `after` milliseconds apart, which may be during their start.
    Kill {
        who: AffectedNodes,
        times: u64,
        after: u64,
    },
    /// L1 is killed, is down for this many milliseconds, and loses its blocks since the start of
    /// the step.
    KillL1(u64),
    /// Nodes are suspended (SIGSTOP).
    Pause {
        who: AffectedNodes,
        milliseconds: u64,
    },
    /// The L1 node is suspended for this many milliseconds.
    PauseL1(u64),
    /// The connection to L1 misbehaves.
    L1 {
        fault: LinkFault,
        milliseconds: u64,
    },
    /// An L1 reorg replaces this many blocks.
    Reorganise(u64),
    /// The block log can grow by only `room` bytes.
    DiskFull {
        who: AffectedNodes,
        room: u64,
        milliseconds: u64,
    },
    /// L1's clock jumps by this many seconds.
    Jump(u64),
    /// L1's clock jumps to `before` seconds before its next fork, and `milliseconds` later to the
    /// fork.
    Fork {
        before: u64,
        milliseconds: u64,
    },
    /// Sequencer and follower swap roles, and swap back after this many milliseconds.
    ChangeRoles(u64),
}

impl Fault {
    const fn draw(random: &mut Random) -> Self {
        let milliseconds = random.below(LONGEST);
        let who = match random.below(4) {
            0 | 1 => AffectedNodes::Sequencer,
            2 => AffectedNodes::Follower,
            _ => AffectedNodes::Both,
        };
        match random.below(18) {
            0..=5 => Self::Kill { who, times: 1 + random.below(3), after: random.below(400) },
            6 => Self::KillL1(milliseconds / 4),
            7 => Self::Pause { who, milliseconds },
            8 => Self::PauseL1(milliseconds),
            9 | 10 => {
                let fault = match random.below(5) {
                    0 => LinkFault::Gone,
                    1 => LinkFault::Silent,
                    2 => LinkFault::Limited,
                    3 => LinkFault::Lying,
                    _ => LinkFault::Old,
                };
                Self::L1 { fault, milliseconds }
            }
            11 | 12 => Self::Reorganise(1 + random.below(DEEPEST)),
            13 => Self::DiskFull { who, room: random.below(1 << 14), milliseconds },
            14 => Self::Jump(random.below(LONGEST_JUMP)),
            15 => Self::Fork { before: LATEST + random.below(EARLIEST - LATEST), milliseconds },
            16 => Self::ChangeRoles(milliseconds),
            _ => Self::Nothing,
        }
    }

    /// Returns `true` if L1 blocks may be replaced, and so L2 blocks too.
    pub(super) const fn rewrites(self) -> bool {
        matches!(self, Self::KillL1(_) | Self::Reorganise(_) | Self::Jump(_) | Self::Fork { .. })
    }
}

/// Kind of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Transfer,
    /// Withdrawal of ether.
    Withdrawal,
    /// Withdrawal of token units.
    TokenWithdrawal,
}

/// Consecutive transactions of a user, with amounts in wei or token units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Burst {
    pub(super) user: usize,
    pub(super) kind: Kind,
    pub(super) values: Vec<u128>,
}

/// Traffic and fault of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) bursts: Vec<Burst>,
    /// Gwei deposited after the traffic.
    pub(super) deposit: Option<u128>,
    /// Units of the token deposited after the traffic.
    pub(super) token_deposit: Option<u64>,
    /// Submit a forced transaction.
    pub(super) forces: bool,
    /// Milliseconds from the start of the traffic to the fault.
    pub(super) delay: u64,
    pub(super) fault: Fault,
    /// Seed of the details of the fault.
    pub(super) seed: u64,
}

impl Step {
    /// Draws the next step for this many users.
    pub(super) fn draw(random: &mut Random, users: u64) -> Self {
        let bursts = (0..random.below(4))
            .map(|_| {
                let user = random.below(users) as usize;
                let kind = match random.below(8) {
                    0 | 1 => Kind::Withdrawal,
                    2 => Kind::TokenWithdrawal,
                    _ => Kind::Transfer,
                };
                let count = 1 + random.below(12);
                let values = (0..count).map(|_| u128::from(1 + random.below(1_000))).collect();
                Burst { user, kind, values }
            })
            .collect();
        let deposit = (random.below(2) == 0).then(|| u128::from(1 + random.below(1_000)));
        let token_deposit = (random.below(3) == 0).then(|| 1 + random.below(1_000));
        let forces = random.below(3) == 0;
        let (delay, fault) = (random.below(900), Fault::draw(random));
        let seed = random.next();
        Self { bursts, deposit, token_deposit, forces, delay, fault, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{Discriminant, discriminant};

    fn plan(seed: u64) -> Vec<Step> {
        let mut random = Random::new(seed);
        (0..500).map(|_| Step::draw(&mut random, 4)).collect()
    }

    #[test]
    fn plan_depends_only_on_seed() {
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn plan_has_every_kind_of_traffic() {
        let steps = plan(1);
        for kind in [Kind::Transfer, Kind::Withdrawal, Kind::TokenWithdrawal] {
            let comes = steps.iter().any(|step| step.bursts.iter().any(|burst| burst.kind == kind));
            assert!(comes, "{kind:?}");
        }
        for comes in [
            |step: &Step| step.deposit.is_some(),
            |step: &Step| step.token_deposit.is_some(),
            |step: &Step| step.forces,
        ] {
            let times = steps.iter().filter(|step| comes(step)).count();
            assert!((steps.len() / 5..steps.len() * 4 / 5).contains(&times), "{times} times");
        }
    }

    #[test]
    fn plan_has_every_fault_and_none_dominates() {
        let steps = plan(1);
        let mut kinds: Vec<Discriminant<Fault>> = Vec::new();
        let mut troubles = Vec::new();
        for step in &steps {
            let kind = discriminant(&step.fault);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if let Fault::L1 { fault, .. } = step.fault
                && !troubles.contains(&fault)
            {
                troubles.push(fault);
            }
        }
        assert_eq!(kinds.len(), 11);
        assert_eq!(troubles.len(), 5);
        for kind in kinds {
            let times = steps.iter().filter(|step| discriminant(&step.fault) == kind).count();
            assert!((5..=steps.len() / 2).contains(&times), "{times} times");
        }
    }
}
