//! Disturbances of an honest sequencer by L1, its operator and other accounts.

use super::{chains::OwnL2, collector::Shared};
use crate::failover::Pair;
use alloy_primitives::{Bytes, keccak256};
use client::Client;
use eyre::{Result, WrapErr as _};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::Duration,
};
use testkit::{
    Interception, Key, Random,
    localnet::{processes::Rollup, requests::number, say},
};

/// Maximum depth of an L1 reorg, in blocks.
const DEEPEST: u64 = 12;
/// Longest suspension of a node, in milliseconds: twice the time of a takeover.
const LONGEST_PAUSE: u64 = 12_000;
/// Longest time without the sequencer's transactions on L1, in milliseconds.
const LONGEST_CENSORING: u64 = 40_000;
/// Maximum time for which the sequencer's next block is withheld from L1 before another account
/// posts one, in milliseconds. It exceeds the time after which the sequencer stops signing.
const LONGEST_LEAD: u64 = 30_000;

/// A disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// Nothing for this many milliseconds.
    Calm(u64),
    /// An L1 reorg replaces this many blocks.
    Reorg(u64),
    /// An L1 reorg that is itself reverted after this many milliseconds.
    FlipBack { depth: u64, milliseconds: u64 },
    /// The leader is killed (SIGKILL), or both nodes.
    Kill { both: bool },
    /// The leader is suspended (SIGSTOP).
    Pause(u64),
    /// L1 includes no transactions of the nodes.
    Censor(u64),
    /// L1 includes no transactions of the nodes until another account posts a child of the rollup's
    /// head with the lowest possible timestamp.
    Backdate(u64),
    /// L1's clock jumps by this many seconds.
    Jump(u64),
}

impl Disturbance {
    const fn draw(random: &mut Random) -> Self {
        match random.below(16) {
            0 => Self::Calm(random.below(6_000)),
            1..=3 => Self::Reorg(1 + random.below(DEEPEST)),
            4..=6 => {
                let depth = 1 + random.below(DEEPEST);
                Self::FlipBack { depth, milliseconds: 500 + random.below(6_000) }
            }
            7..=9 => Self::Kill { both: random.one_in(3) },
            10 | 11 => Self::Pause(1 + random.below(LONGEST_PAUSE)),
            12 => Self::Censor(1 + random.below(LONGEST_CENSORING)),
            13 => Self::Backdate(1 + random.below(LONGEST_LEAD)),
            _ => {
                let maximum = *random_pick(random, &[12, 120, 600]);
                Self::Jump(1 + random.below(maximum))
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Calm(_) => "calm",
            Self::Reorg(_) => "L1 reorgs",
            Self::FlipBack { .. } => "L1 reorgs that were reverted",
            Self::Kill { both: false } => "kills of the leader",
            Self::Kill { both: true } => "kills of both nodes",
            Self::Pause(_) => "suspensions of the leader",
            Self::Censor(_) => "times of censoring",
            Self::Backdate(_) => "times of censoring until a stranger may advance",
            Self::Jump(_) => "clock jumps of L1",
        }
    }
}

const fn random_pick<'a>(random: &mut Random, items: &'a [u64]) -> &'a u64 {
    &items[random.index(items.len())]
}

/// Draws and makes disturbances.
pub(super) struct Disturber<'a> {
    pub(super) rollup: &'a Rollup,
    pub(super) pair: Pair<'a>,
    pub(super) shared: &'a Shared,
    pub(super) l2: &'a Mutex<OwnL2>,
    pub(super) random: Random,
    /// Oldest L1 block that a reorg may remove.
    pub(super) since: u64,
    /// Number of disturbances by kind.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Disturber<'_> {
    /// Causes the next disturbance. Both nodes run when it returns.
    pub(super) fn disturb(&mut self) -> Result<()> {
        // The delay is random, so that most disturbances occur while a block is being built.
        sleep(Duration::from_millis(1_000 + self.random.below(7_000)));
        let next = Disturbance::draw(&mut self.random);
        *self.counts.entry(next.name()).or_default() += 1;
        self.make(next).wrap_err_with(|| format!("{next:?}"))
    }

    fn make(&mut self, next: Disturbance) -> Result<()> {
        let wait = |milliseconds| sleep(Duration::from_millis(milliseconds));
        match next {
            Disturbance::Calm(milliseconds) => wait(milliseconds),
            Disturbance::Reorg(depth) => self.reorganise(depth)?,
            Disturbance::FlipBack { depth, milliseconds } => {
                let l1 = self.rollup.l1.client();
                let before = l1.request::<_, Value>("evm_snapshot", ())?;
                self.reorganise(depth)?;
                wait(milliseconds);
                let longest = number(l1)?;
                l1.request::<_, Value>("evm_revert", (before,))?;
                // Mine past the old head: a node cannot distinguish a reorg to a lower head from an
                // L1 node that lags.
                let missing = longest.saturating_sub(number(l1)?) + 1;
                l1.request::<_, Value>("anvil_mine", (missing,))?;
            }
            Disturbance::Kill { both } => {
                let leader = self.pair.leader(None)?;
                if both {
                    self.restart(1 - leader)?;
                }
                self.restart(leader)?;
            }
            Disturbance::Pause(milliseconds) => {
                let leader = self.pair.leader(None)?;
                self.pair.nodes[leader].pause()?;
                wait(milliseconds);
                self.pair.nodes[leader].resume()?;
            }
            Disturbance::Censor(milliseconds) => {
                self.rollup.proxy()?.intercept(swallowed);
                wait(milliseconds);
                self.rollup.proxy()?.honest();
            }
            Disturbance::Backdate(milliseconds) => {
                self.rollup.proxy()?.intercept(swallowed);
                wait(milliseconds);
                let posted = {
                    let mut l2 = self.l2.lock().unwrap_or_else(PoisonError::into_inner);
                    l2.post_backdated(&Key::named("stranger"), &self.shared.urls())
                };
                // Let the sequencer read the block before its transactions are included again.
                wait(1_000);
                self.rollup.proxy()?.honest();
                let outcome = match posted {
                    Ok(true) => "backdated blocks of a stranger on L1",
                    Ok(false) => "backdated blocks that L1 has rejected",
                    Err(error) => {
                        say!("\nno backdated block: {error:#}");
                        "backdated blocks that could not be made"
                    }
                };
                *self.counts.entry(outcome).or_default() += 1;
            }
            Disturbance::Jump(seconds) => {
                let l1 = self.rollup.l1.client();
                l1.request::<_, Value>("evm_increaseTime", (seconds,))?;
                l1.request::<_, Value>("anvil_mine", (1_u64,))?;
            }
        }
        Ok(())
    }

    fn reorganise(&self, depth: u64) -> Result<()> {
        let l1 = self.rollup.l1.client();
        // A reorg must not remove the deployment.
        let depth = depth.min(number(l1)?.saturating_sub(self.since));
        if depth > 0 {
            l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
        }
        l1.request::<_, Value>("anvil_mine", (1_u64,))?;
        Ok(())
    }

    fn restart(&mut self, at: usize) -> Result<()> {
        self.pair.restart(at)?;
        self.shared.set_url(at, self.pair.nodes[at].client().url());
        Ok(())
    }
}

/// Acknowledges a transaction that L1 never includes.
fn swallowed(request: &str) -> Option<Interception> {
    let request: Value = serde_json::from_str(request).ok()?;
    if request["method"] != "eth_sendRawTransaction" {
        return None;
    }
    let raw: Bytes = serde_json::from_value(request["params"][0].clone()).ok()?;
    let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": keccak256(raw) });
    Some(Interception::Answer(answer.to_string()))
}

/// Mines an L1 block per second, because L1 also advances without transactions of the sequencer.
pub(super) fn mine(shared: &Shared, l1: &Client) {
    while shared.is_running() {
        // Fails while L1 is reorganized.
        let _ = l1.request::<_, Value>("anvil_mine", (1_u64,));
        sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disturbance_is_drawn() {
        let mut random = Random::new(1);
        let drawn: std::collections::BTreeSet<_> =
            (0..500).map(|_| Disturbance::draw(&mut random).name()).collect();
        assert_eq!(drawn.len(), 9, "{drawn:?}");
    }

    #[test]
    fn only_sent_transactions_are_swallowed() {
        let request = r#"{"id":7,"method":"eth_sendRawTransaction","params":["0x01"]}"#;
        let Some(Interception::Answer(answer)) = swallowed(request) else { panic!("forwarded") };
        assert!(answer.contains(&keccak256([1]).to_string()), "{answer}");
        assert_eq!(swallowed(&request.replace("send", "call")), None);
        assert_eq!(swallowed("["), None);
    }
}
