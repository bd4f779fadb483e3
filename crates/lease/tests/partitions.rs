//! Simulation of candidates and witnesses over a network that delays, loses and reorders messages,
//! with clocks of different rates and restarting processes.

use alloy_primitives::B256;
use enshrine_lease::{Answer, Candidate, CandidateId, Leader, LeaseName, Witness};
use proptest::prelude::*;
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

const TTL: Duration = Duration::from_millis(6_000);
const NAME: LeaseName = LeaseName(B256::ZERO);
/// Duration of a run in true time, in milliseconds.
const END: u64 = 120_000;
/// Request timeout of a candidate, in milliseconds.
const TIMEOUT: u64 = 1_000;

/// Events in true time, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A candidate begins a round.
    Round { candidate: usize },
    /// A request arrives at a witness.
    Ask { candidate: usize, witness: usize, round: u64, asked_at: u64, life: u64 },
    /// An answer arrives: granted, or refused.
    Answer { candidate: usize, witness: usize, is_granted: bool, asked_at: u64, life: u64 },
    /// A release arrives at a witness.
    Release { candidate: usize, witness: usize, round: u64 },
    /// A candidate releases its grants, e.g. because it is demoted.
    GiveUp { candidate: usize },
    /// A witness restarts without its state.
    Restart { witness: usize },
}

/// Random number generator of a run.
struct Random(u64);

impl Random {
    /// Returns a number below a bound, by SplitMix64.
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Node<T> {
    it: T,
    /// Rate of its clock, in thousandths of true time.
    rate: u64,
    round: u64,
    /// Number of times that it released its grants. Answers to earlier requests are ignored.
    life: u64,
}

impl<T> Node<T> {
    const fn clock(&self, now: u64) -> Duration {
        Duration::from_micros(now * self.rate)
    }
}

/// Outcome of a run.
#[derive(Debug, Default)]
struct Outcome {
    /// Maximum number of simultaneous leaders.
    most_leaders: usize,
    /// Number of leader changes.
    changes: usize,
}

struct World {
    random: Random,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    witnesses: Vec<Node<Witness>>,
    candidates: Vec<Node<Candidate>>,
    /// Percentage of messages that are lost.
    loss: u64,
    /// Partitions: a candidate, a witness, and the time until which they cannot reach each other.
    cuts: Vec<(usize, usize, u64)>,
}

impl World {
    /// Creates a world in which clocks run at most `skew` thousandths faster or slower than true
    /// time.
    fn new(seed: u64, skew: u64) -> Self {
        let mut random = Random(seed);
        let rate = |random: &mut Random| 1_000 - skew + random.below(2 * skew + 1);
        let (witnesses, candidates) = (1 + random.below(5), 2 + random.below(3));
        let witnesses = (0..witnesses).map(|_| {
            let it = Witness::new(TTL, Duration::ZERO);
            Node { it, rate: rate(&mut random), round: 0, life: 0 }
        });
        let witnesses: Vec<_> = witnesses.collect();
        let candidates = (0..candidates).map(|_| {
            let it = Candidate::new(witnesses.len());
            Node { it, rate: rate(&mut random), round: 0, life: 0 }
        });
        let candidates: Vec<_> = candidates.collect();
        let (events, cuts, loss) = (BinaryHeap::new(), Vec::new(), random.below(30));
        let mut world = Self { random, events, witnesses, candidates, loss, cuts };
        for candidate in 0..world.candidates.len() {
            let at = world.random.below(1_000);
            world.at(at, Event::Round { candidate });
        }
        for _ in 0..world.random.below(8) {
            let (at, count) = (world.random.below(END), world.witnesses.len() as u64);
            let witness = usize::try_from(world.random.below(count)).unwrap();
            world.at(at, Event::Restart { witness });
        }
        for _ in 0..world.random.below(8) {
            let (at, count) = (world.random.below(END), world.candidates.len() as u64);
            let candidate = usize::try_from(world.random.below(count)).unwrap();
            world.at(at, Event::GiveUp { candidate });
        }
        world
    }

    fn at(&mut self, time: u64, event: Event) {
        self.events.push(Reverse((time, event)));
    }

    /// Sends a message, which arrives late or not at all. A release may take the longest, because
    /// neither party waits for it.
    fn send(&mut self, now: u64, between: (usize, usize), event: Event) {
        let is_cut = self
            .cuts
            .iter()
            .any(|(candidate, witness, until)| (*candidate, *witness) == between && now < *until);
        if is_cut || self.random.chance(self.loss) {
            return;
        }
        let longest = if matches!(event, Event::Release { .. }) { 15_000 } else { 1_500 };
        let short = self.random.chance(80);
        let delay = self.random.below(if short { 50 } else { longest });
        self.at(now + delay, event);
    }

    fn run(mut self) -> Outcome {
        let (mut outcome, mut last) = (Outcome::default(), None);
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now > END {
                break;
            }
            self.happen(now, &event);
            let leaders: Vec<_> = (0..self.candidates.len())
                .filter(|at| self.candidates[*at].it.is_leading(self.candidates[*at].clock(now)))
                .collect();
            outcome.most_leaders = outcome.most_leaders.max(leaders.len());
            if let [leader] = leaders[..]
                && last != Some(leader)
            {
                outcome.changes += 1;
                last = Some(leader);
            }
        }
        outcome
    }

    fn happen(&mut self, now: u64, event: &Event) {
        match *event {
            Event::Round { candidate } => self.begin_round(now, candidate),
            Event::Ask { candidate, witness, round, asked_at, life } => {
                let clock = self.witnesses[witness].clock(now);
                let answer = self.witnesses[witness].it.ask(clock, NAME, leader(candidate), round);
                let is_granted = matches!(answer, Answer::Granted { .. });
                let event = Event::Answer { candidate, witness, is_granted, asked_at, life };
                self.send(now, (candidate, witness), event);
            }
            Event::Answer { candidate, witness, is_granted, asked_at, life } => {
                let node = &mut self.candidates[candidate];
                if now - asked_at <= TIMEOUT && node.life == life {
                    let other = Answer::Held { by: leader(99), left: Duration::ZERO };
                    let answer = if is_granted {
                        Answer::Granted { ttl: TTL, contested: false }
                    } else {
                        other
                    };
                    let asked_at = node.clock(asked_at);
                    node.it.take(witness, asked_at, Some(answer));
                }
            }
            Event::Release { candidate, witness, round } => {
                self.witnesses[witness].it.release(NAME, leader(candidate).id, round);
            }
            Event::GiveUp { candidate } => self.release(now, candidate),
            Event::Restart { witness } => {
                let node = &mut self.witnesses[witness];
                node.it = Witness::new(TTL, node.clock(now));
            }
        }
    }

    fn begin_round(&mut self, now: u64, candidate: usize) {
        if self.random.chance(5) {
            let (witness, time) = (self.random.below(5), self.random.below(20_000));
            self.cuts.push((candidate, usize::try_from(witness).unwrap(), now + time));
        }
        let node = &mut self.candidates[candidate];
        let clock = node.clock(now);
        let gives_way = node.it.has_grants(clock) && !node.it.is_leading(clock);
        if gives_way {
            self.release(now, candidate);
        }
        let node = &mut self.candidates[candidate];
        node.round += 1;
        let (round, life) = (node.round, node.life);
        for witness in 0..self.witnesses.len() {
            let event = Event::Ask { candidate, witness, round, asked_at: now, life };
            self.send(now, (candidate, witness), event);
        }
        let pause = TIMEOUT + self.random.below(if gives_way { 4_000 } else { 1_000 });
        self.at(now + pause, Event::Round { candidate });
    }

    fn release(&mut self, now: u64, candidate: usize) {
        let node = &mut self.candidates[candidate];
        node.it.give_up();
        node.life += 1;
        let round = node.round;
        for witness in 0..self.witnesses.len() {
            self.send(now, (candidate, witness), Event::Release { candidate, witness, round });
        }
    }
}

fn leader(candidate: usize) -> Leader {
    let byte = u8::try_from(candidate).unwrap();
    Leader { id: CandidateId(B256::repeat_byte(byte + 1)), url: String::new() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Clocks deviate by at most a twentieth, so that their rates are less than a tenth apart.
    #[test]
    fn two_candidates_never_lead_at_once(seed: u64) {
        prop_assert!(World::new(seed, 50).run().most_leaders <= 1);
    }
}

/// Proves that the property test above is not vacuous: leaders do change, and clocks whose rates
/// differ by more than a tenth lead to two leaders.
#[test]
fn simulation_changes_leaders_and_detects_clock_skew() {
    let run = |skew| (0..1_000).map(move |seed| World::new(seed, skew).run());
    let changes: usize = run(50).map(|outcome| outcome.changes).sum();
    assert!(changes > 2_000, "{changes}");
    assert!(run(300).any(|outcome| outcome.most_leaders > 1));
}
