//! Simulation of candidates and an etcd that deletes the election key at any time, over a network
//! that delays and loses messages, with clocks of different rates and restarting candidates.

use super::tenure::Tenure;
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// Duration of a run in true time, in milliseconds.
const END: u64 = 120_000;
/// Timeout of a request, in milliseconds.
const TIMEOUT: u64 = 1_000;
/// Interval between two checks of who holds the lease, in milliseconds.
const TICK: u64 = 20;

/// Identity of a candidate: its number, and how often it has restarted.
type Id = (usize, u64);

/// Transactions, as in `messages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Read,
    Win,
    Renew { token: i64 },
    Resign { token: i64, is_clean: bool },
}

/// Events in true time, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A candidate begins a round.
    Round {
        candidate: usize,
    },
    /// A request arrives at etcd.
    Arrival {
        from: Id,
        request: Request,
        sent: u64,
    },
    /// A response arrives.
    Response {
        to: Id,
        request: Request,
        sent: u64,
        response: Response,
    },
    /// etcd deletes the election key: its lease has expired, or was revoked by a former leader.
    Expiry,
    /// A candidate resigns, e.g. because it is demoted.
    Resignation {
        candidate: usize,
    },
    /// A candidate restarts without its state.
    Restart {
        candidate: usize,
    },
    Tick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Response {
    succeeded: bool,
    revision: i64,
    leader: Option<(Id, i64)>,
    renewal: Option<i64>,
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
}

#[derive(Default)]
struct Candidate {
    tenure: Tenure,
    /// Rate of its clock, in thousandths of true time.
    rate: u64,
    restarts: u64,
}

impl Candidate {
    const fn clock(&self, now: u64) -> Duration {
        Duration::from_micros(now * self.rate)
    }

    fn holds(&self, now: u64) -> bool {
        let now = self.clock(now);
        self.tenure.held().is_some_and(|(from, until, _)| from <= now && now < until)
    }
}

/// Outcome of a run.
#[derive(Debug, Default)]
struct Outcome {
    /// Maximum number of simultaneous holders.
    most_holders: usize,
    /// Number of changes of the holder.
    changes: usize,
}

struct World {
    random: Random,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    candidates: Vec<Candidate>,
    /// `false` in a world without the wait before a takeover.
    waits: bool,
    revision: i64,
    leader: Option<(Id, i64)>,
    renewal: Option<i64>,
}

impl World {
    /// Creates a world in which clocks run at most `skew` thousandths faster or slower than true
    /// time.
    fn new(seed: u64, skew: u64, waits: bool) -> Self {
        let mut random = Random(seed);
        let count = 2 + random.below(3);
        let candidates = (0..count).map(|_| {
            let rate = 1_000 - skew + random.below(2 * skew + 1);
            Candidate { rate, ..Candidate::default() }
        });
        let candidates: Vec<_> = candidates.collect();
        let (events, revision, leader, renewal) = (BinaryHeap::new(), 1, None, None);
        let mut world = Self { random, events, candidates, waits, revision, leader, renewal };
        for candidate in 0..world.candidates.len() {
            let at = world.random.below(1_000);
            world.at(at, Event::Round { candidate });
        }
        for (most, kind) in [(16, 0), (6, 1), (6, 2)] {
            for _ in 0..world.random.below(most) {
                let at = world.random.below(END);
                let candidate = usize::try_from(world.random.below(count)).unwrap();
                let events =
                    [Event::Expiry, Event::Resignation { candidate }, Event::Restart { candidate }];
                world.at(at, events[kind].clone());
            }
        }
        world.at(0, Event::Tick);
        world
    }

    fn at(&mut self, time: u64, event: Event) {
        self.events.push(Reverse((time, event)));
    }

    /// Sends a message, which may arrive after its sender's timeout, or not at all.
    fn send(&mut self, now: u64, event: Event) {
        if self.random.below(100) < 10 {
            return;
        }
        let longest = if self.random.below(10) < 8 { 50 } else { 4_000 };
        let delay = self.random.below(longest);
        self.at(now + delay, event);
    }

    fn ask(&mut self, now: u64, candidate: usize, request: Request) {
        let from = (candidate, self.candidates[candidate].restarts);
        self.send(now, Event::Arrival { from, request, sent: now });
    }

    fn run(mut self) -> Outcome {
        let (mut outcome, mut last) = (Outcome::default(), None);
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now > END {
                break;
            }
            self.happen(now, event);
            let all = 0..self.candidates.len();
            let holders: Vec<_> = all.filter(|at| self.candidates[*at].holds(now)).collect();
            outcome.most_holders = outcome.most_holders.max(holders.len());
            if let [holder] = holders[..]
                && last != Some(holder)
            {
                outcome.changes += 1;
                last = Some(holder);
            }
        }
        outcome
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Round { candidate } => {
                let token = self.candidates[candidate].tenure.token();
                let request = token.map_or(Request::Read, |token| Request::Renew { token });
                self.ask(now, candidate, request);
                let pause = 500 + self.random.below(1_000);
                self.at(now + pause, Event::Round { candidate });
            }
            Event::Arrival { from, request, sent } => {
                let response = self.execute(from, request);
                self.send(now, Event::Response { to: from, request, sent, response });
            }
            Event::Response { to, request, sent, response } => {
                if self.candidates[to.0].restarts == to.1 && now - sent <= TIMEOUT {
                    self.receive(now, to, request, sent, response);
                }
            }
            Event::Expiry => self.leader = None,
            Event::Resignation { candidate } => {
                let Candidate { tenure, .. } = &self.candidates[candidate];
                let (clock, token) = (self.candidates[candidate].clock(now), tenure.token());
                if let Some(token) = token {
                    let is_clean = self.candidates[candidate].tenure.end(clock, token);
                    self.ask(now, candidate, Request::Resign { token, is_clean });
                }
            }
            Event::Restart { candidate } => {
                let it = &mut self.candidates[candidate];
                (it.tenure, it.restarts) = (Tenure::default(), it.restarts + 1);
            }
            Event::Tick => self.at(now + TICK, Event::Tick),
        }
    }

    /// Executes a transaction, as etcd does.
    fn execute(&mut self, from: Id, request: Request) -> Response {
        let has_token = |token| self.leader.is_some_and(|(_, created)| created == token);
        let mut response = Response {
            succeeded: match request {
                Request::Read => true,
                Request::Win => self.leader.is_none(),
                Request::Renew { token } | Request::Resign { token, .. } => has_token(token),
            },
            revision: self.revision,
            leader: self.leader,
            renewal: self.renewal,
        };
        if response.succeeded && request != Request::Read {
            self.revision += 1;
            response.revision = self.revision;
            match request {
                Request::Read => {}
                Request::Win => {
                    self.leader = Some((from, self.revision));
                    self.renewal = Some(self.revision);
                }
                Request::Renew { .. } => {
                    self.renewal = Some(self.revision);
                    response.renewal = self.renewal;
                }
                Request::Resign { is_clean, .. } => {
                    self.leader = None;
                    self.renewal = self.renewal.filter(|_| !is_clean);
                }
            }
        }
        response
    }

    /// Processes a response, as the agent does.
    fn receive(&mut self, now: u64, own: Id, request: Request, sent: u64, response: Response) {
        let Response { succeeded, revision, leader, .. } = response;
        let renewal = response.renewal.filter(|_| self.waits);
        let candidate = &mut self.candidates[own.0];
        let (sent, clock) = (candidate.clock(sent), candidate.clock(now));
        let tenure = &mut candidate.tenure;
        match request {
            Request::Win if succeeded => tenure.win(sent, clock, revision, renewal),
            Request::Renew { token } if succeeded => {
                tenure.renew(sent, token);
                tenure.see(clock, renewal);
            }
            Request::Renew { token } => {
                tenure.end(clock, token);
                tenure.see(clock, renewal);
            }
            Request::Read if tenure.token().is_none() => {
                tenure.see(clock, renewal);
                match leader {
                    None => self.ask(now, own.0, Request::Win),
                    Some((leader, token)) if leader == own => tenure.adopt(clock, token),
                    Some(_) => {}
                }
            }
            Request::Win => tenure.see(clock, renewal),
            Request::Read | Request::Resign { .. } => {}
        }
    }
}

/// Number of runs.
const RUNS: u64 = 2_000;

fn runs(skew: u64, waits: bool) -> impl Iterator<Item = Outcome> {
    (0..RUNS).map(move |seed| World::new(seed, skew, waits).run())
}

/// Clocks deviate by at most a twentieth, so that their rates are less than a tenth apart.
#[test]
fn two_candidates_never_hold_lease_at_once() {
    let mut changes = 0;
    for (seed, outcome) in runs(50, true).enumerate() {
        assert!(outcome.most_holders <= 1, "{seed}");
        changes += outcome.changes;
    }
    assert!(changes > 4_000, "{changes}");
}

/// The wait is necessary, because etcd may delete the key of a living holder.
#[test]
fn without_wait_two_candidates_hold_lease() {
    assert!(runs(0, false).any(|outcome| outcome.most_holders > 1));
}

/// The margin is necessary.
#[test]
fn clocks_a_third_apart_make_two_holders() {
    assert!(runs(200, true).any(|outcome| outcome.most_holders > 1));
}
